"""A JavaScript component that calls a server: granted and refused, in this process and in a worker."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from pathlib import Path

import pytest
import yaml

import polycall
from http_servers import Peer, Server, answering, response
from polycall.interop.errors import DeadlineError

GUEST = Path(__file__).resolve().parents[1] / "guests" / "bin" / "js-script.wasm"

GET = """
var {{ Fields, OutgoingRequest }} = wasi.http.types;
var request = new OutgoingRequest(Fields.fromList([["x-mine", bytes("yes")]]));
request.setScheme({{ tag: "HTTP" }});
request.setAuthority("{authority}");
request.setPathWithQuery("/");
var future = wasi.http.outgoingHandler.handle(request, null);
var answered = future.subscribe();
answered.block();
var answer = future.get().val;
if (answer.tag === "err") {{ answer.val.tag }} else {{
  var body = answer.val.consume();
  var stream = body.stream();
  text(stream.blockingRead(65536));
}}
"""


def write(folder: Path, isolation: str, network: dict[str, list[str]] | None, milliseconds: int = 10_000) -> None:
    (folder / "assets").mkdir(parents=True)
    shutil.copy(GUEST, folder / "assets")
    entry = {
        "name": "script",
        "kind": "function.wasm",
        "fs": "assets",
        "path": GUEST.name,
        "hash": "sha256:" + hashlib.sha256(GUEST.read_bytes()).hexdigest(),
        "method": "evaluate",
        "imports": ["wasi:http", "wasi:io", "wasi:clocks", "wasi:random", "wasi:cli"],
        "isolation": isolation,
        "limits": {"max_execution_ms": milliseconds},
        "wasi": {} if network is None else {"network": network},
    }
    folder_entry = {"name": "assets", "kind": "fs.directory", "directory": "assets"}
    (folder / "_index.yaml").write_text(yaml.safe_dump({"namespace": "app", "entries": [folder_entry, entry]}), "utf-8")


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_component_calls_what_its_rules_allow(
    isolation: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(answering(response("inside"))) as server:
        script = GET.format(authority=server.authority)
        write(tmp_path / "granted", isolation, {"allow": [f"http://127.0.0.1:{server.port}"]})
        with polycall.load(tmp_path / "granted") as registry:
            assert registry.call("app:script", script) == {"ok": '"inside"'}
            assert server.connections == 1
        write(tmp_path / "refused", isolation, None)
        with polycall.load(tmp_path / "refused") as registry, caplog.at_level(logging.WARNING):
            refused = registry.call("app:script", script)
        assert server.connections == 1
    assert isinstance(refused, dict)
    assert "err" in refused
    assert f"refused to call http://{server.authority}" in caplog.text


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_ceiling_of_the_project_holds_for_http(isolation: str, tmp_path: Path) -> None:
    with Server(answering(response("inside"))) as server:
        write(tmp_path, isolation, {"allow": ["all"]})
        (tmp_path / "polycall.yaml").write_text("network: {deny: [loopback]}\n", "utf-8")
        with polycall.load(tmp_path) as registry:
            refused = registry.call("app:script", GET.format(authority=server.authority))
        assert isinstance(refused, dict)
        assert "err" in refused
        assert not server.connections


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_deadline_ends_a_component_that_waits(isolation: str, tmp_path: Path) -> None:
    def silent(peer: Peer) -> None:
        peer.wait_for_end()

    with Server(silent) as server:
        write(tmp_path, isolation, {"allow": ["loopback"]}, milliseconds=200)
        with polycall.load(tmp_path) as registry:
            registry.prepare("app:script")
            registry.call("app:script", "1")
            start = time.monotonic()
            with pytest.raises(DeadlineError):
                registry.call("app:script", GET.format(authority=server.authority))
            assert time.monotonic() - start < 0.4
            assert not server.connections or server.ended.wait(1)  # a slow machine had no time to connect
