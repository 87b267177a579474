"""``polycall run --allow-net``: a file may call what is said, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from commands import run_on_descriptors
from projects import GUESTS
from socket_guests import listening

DIAL = (GUESTS / "wat" / "dial.wat").read_text(encoding="utf-8")


class Done(NamedTuple):
    returncode: int
    stderr: str


def run(*arguments: str) -> Done:
    done = run_on_descriptors("run", *arguments)
    return Done(done.returncode, done.stderr.decode())


@pytest.fixture
def dial(tmp_path: Path) -> Path:
    return tmp_path / "dial.wat"


def test_a_file_may_call_what_is_allowed(dial: Path) -> None:
    with listening() as server:
        port = server.getsockname()[1]
        dial.write_text(DIAL.replace("(i32.const 9)", f"(i32.const {port})"), encoding="utf-8")
        assert run("--allow-net", f"tcp://127.0.0.1:{port}", str(dial)).returncode == 0
        assert run("--allow-net", "public", "--allow-net", "loopback", str(dial)).returncode == 0
        for rule in ("public", "10.0.0.0/8", f"127.0.0.1:{port - 1}", "udp://loopback", "*.example.org"):
            refused = run("--allow-net", rule, str(dial))
            assert refused.returncode == 1
            assert f"refused to call tcp://127.0.0.1:{port}: nothing in wasi.network.allow stands for it" in (
                refused.stderr
            )


def test_without_a_rule_it_may_call_nothing(dial: Path) -> None:
    dial.write_text(DIAL, encoding="utf-8")
    refused = run(str(dial))
    assert refused.returncode != 0
    assert "wasi:sockets/" in refused.stderr


def test_what_is_no_rule_is_refused(dial: Path) -> None:
    dial.write_text(DIAL, encoding="utf-8")
    refused = run("--allow-net", "https://example.org/path", str(dial))
    assert refused.returncode == 2
    assert "expected a rule without a path: \"example.org\"; got 'https://example.org/path'" in refused.stderr
