"""Ctrl-C, closing and a reload, in all that a guest can wait for at the network.

The guest is JavaScript, and whoever interrupts it looks first whether it waits.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import polycall
from http_servers import Peer, Server
from polycall.interop import name_lookup
from polycall.interop.io_thread import io_thread
from polycall.interop.name_lookup import NameLookups
from socket_guests import full_server
from waiting_threads import once_it_waits
from wasi.here import write_project
from wasi.runs import BIN, Run

GUEST = "app:evaluate"

_SOCKET = """
var { tcpCreateSocket, instanceNetwork } = wasi.sockets;
var network = instanceNetwork.instanceNetwork();
var client = tcpCreateSocket.createTcpSocket("ipv4");
client.startConnect(network, { tag: "ipv4", val: { port, address: [127, 0, 0, 1] } });
wait(client);
var [incoming, outgoing] = client.finishConnect();
"""
_REQUEST = """
var { Fields, OutgoingRequest, OutgoingBody } = wasi.http.types;
var request = new OutgoingRequest(new Fields());
request.setMethod({ tag: "post" });
request.setScheme({ tag: scheme });
request.setAuthority(host + ":" + port);
request.setPathWithQuery("/");
var body = request.body();
var future = wasi.http.outgoingHandler.handle(request, undefined);
"""
_SENDING = """
var stream = body.write();
for (var piece = new Uint8Array(4096); ; ) stream.blockingWriteAndFlush(piece);
"""
_NAMES = """
var found = wasi.sockets.ipNameLookup.resolveAddresses(wasi.sockets.instanceNetwork.instanceNetwork(), host);
wait(found);
"""
_PLAIN, _SECURE = "var scheme = 'HTTP', host = '127.0.0.1';", "var scheme = 'HTTPS', host = '127.0.0.1';"
_FAR = "var scheme = 'HTTP', host = 'silent.example';"

WAITS = {
    "a connection that is not answered": _SOCKET,
    "data that does not come": _SOCKET + "incoming.blockingRead(1);",
    "an answer to a request": _PLAIN + _REQUEST + "OutgoingBody.finish(body, undefined); wait(future);",
    "a body that is half sent": _PLAIN + _REQUEST + _SENDING,
    "TLS": _SECURE + _REQUEST + "wait(future);",
    "a name": _FAR + _NAMES,
    "a name of a server": _FAR + _REQUEST + "wait(future);",
}
"""What a guest waits for, and how it comes to that."""


def project(folder: Path) -> Path:
    write_project(folder, Run(BIN / "js-script.wasm", (("evaluate", ("",)),)))
    index = folder / "_index.yaml"
    text = index.read_text("utf-8").replace("max_execution_ms: 30000", "max_execution_ms: 300000")
    text = text.replace("max_size: 1", "max_size: 8").replace("- loopback", "- loopback\n      - silent.example")
    index.write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[polycall.Registry]:
    with polycall.load(project(tmp_path_factory.mktemp("waits"))) as registry:
        yield registry


class Nobody:
    """Servers that do not answer, and a resolver.

    Attributes:
        full: The port of one that accepts nobody.
        talking: Of one that accepts everybody, and neither reads nor writes.
    """

    def __init__(self, full: int) -> None:
        self.full = full
        self.talking = 0
        self._let_go = threading.Event()

    def serve(self, _peer: Peer) -> None:
        self._let_go.wait(60)

    def resolve(self, *_: object, **__: object) -> list[Any]:
        self._let_go.wait(60)
        return []

    def end(self) -> None:
        """Has both come to an end, and what they have open with it."""
        self._let_go.set()
        for _ in range(5_000):  # none is joined: one may be about to start
            if all(thread.name != "polycall name look-up" for thread in threading.enumerate()):
                return
            threading.Event().wait(0.002)

    def script(self, what: str) -> str:
        port = "full" if what == "a connection that is not answered" else "talking"
        return f"var full = {self.full}, talking = {self.talking}, port = {port}; {WAITS[what]}"


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nobody]:
    with full_server() as full:
        nobody = Nobody(full)
        monkeypatch.setattr(socket, "getaddrinfo", nobody.resolve)
        monkeypatch.setattr(name_lookup, "_LOOKUPS", NameLookups())
        with Server(nobody.serve) as server:
            nobody.talking = server.port
            yield nobody
            nobody.end()


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208  # a count, of no path


def closed_down_to(count: int) -> bool:
    """Whether no more are open than that, within ten seconds: connections are closed on the thread that serves them."""
    for _ in range(1_000):
        if descriptors() <= count:
            return True
        threading.Event().wait(0.01)
    return False


@pytest.mark.parametrize("what", WAITS)
def test_ctrl_c_ends_it(registry: polycall.Registry, nobody: Nobody, what: str) -> None:
    assert registry.call(GUEST, "var mark = 1")
    assert io_thread().loop is not None  # has descriptors of its own
    before = descriptors()
    interrupting = once_it_waits(threading.get_ident(), lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        registry.call(GUEST, nobody.script(what))
    interrupting.join()
    assert registry.stats().entries[GUEST].pool.in_use == 0
    nobody.end()
    assert closed_down_to(before)
    assert registry.call(GUEST, "typeof mark") == {"ok": '"undefined"'}  # it is another instance


def test_a_reload_leaves_them_and_closing_ends_them_all(tmp_path: Path, nobody: Nobody) -> None:
    assert io_thread().loop is not None
    before = descriptors()
    outcomes: dict[str, tuple[type, str]] = {}
    with polycall.load(project(tmp_path)) as registry:

        def call(what: str) -> None:
            try:
                registry.call(GUEST, nobody.script(what))
            except polycall.PolycallError as error:
                outcomes[what] = type(error), str(error)  # it knows frames, and they what is compiled

        threads = {what: threading.Thread(target=call, args=(what,)) for what in WAITS}
        for thread in threads.values():
            thread.start()
        for thread in threads.values():
            once_it_waits(thread.ident, lambda: None).join()
        index = tmp_path / "_index.yaml"
        index.write_text(index.read_text("utf-8").replace("max_size: 8", "max_size: 9"), "utf-8")
        assert registry.reload().changed
        assert registry.call(GUEST, "6 * 7") == {"ok": "42"}
        assert outcomes == {}
        registry.close()
        for thread in threads.values():
            thread.join(60)
    assert outcomes.keys() == WAITS.keys()
    for error, message in outcomes.values():
        assert (error, "the registry was closed while the call waited for" in message) == (
            polycall.PoolClosedError,
            True,
        )
    nobody.end()
    assert closed_down_to(before)
