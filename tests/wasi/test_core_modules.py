"""Core modules of real toolchains do with preview 1 what they do, as components, with wasmtime's own WASI.

Commands are compared beside the components: `test_same_as_wasmtime.py`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import polycall
from polycall.interop.errors import DeadlineError, ExitError
from wasi.here import run_in_polycall, write_project
from wasi.oracle import run_in_wasmtime
from wasi.runs import BIN, Folder, Run, contents
from wasi.scenarios import LIBC, fill

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folders hold symbolic links")

DIFFERENCES = {
    # As POSIX has it.
    ("read-file", "/data/sub"): ({"err": "Bad file descriptor"}, {"err": "Is a directory"}),
}
"""What a libc is told otherwise, by call: by wasmtime, by polycall."""

WORLD = BIN.parent / "wasi" / "world.wit"


def test_a_libc_sees_the_same(tmp_path: Path) -> None:
    folders = {name: (Folder(fill(tmp_path / name)),) for name in ("theirs", "ours")}
    component = Run(
        guest=BIN / "c-libc.wasm",
        calls=LIBC,
        folders=folders["theirs"],
        arguments=("guest",),
        variables={"LANGUAGE": "C"},
    )
    core = replace(component, guest=BIN / "c-libc-core.wasm", folders=folders["ours"], wit=WORLD.read_text("utf-8"))
    theirs, ours = run_in_wasmtime(component), run_in_polycall(core, ("wasi1",))
    assert (theirs.failure, ours.failure) == (None, None)
    found = {
        (export, *arguments): (expected, got)
        for (export, arguments), expected, got in zip(LIBC, theirs.results, ours.results, strict=True)
        if got != expected
    }
    assert found == DIFFERENCES
    assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_workers_do_the_same(isolation: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    project = tmp_path / "project"
    project.mkdir()
    run = Run(
        guest=BIN / "c-libc-core.wasm",
        calls=(("read-file", ()), ("write-file", ()), ("variable", ()), ("sleep-ms", ()), ("leave", ())),
        folders=(Folder(tmp_path / "data"),),
        variables={"LANGUAGE": "C"},
        wit=WORLD.read_text("utf-8"),
    )
    write_project(project, run, ("wasi1",))
    index = project / "_index.yaml"
    index.write_text(index.read_text("utf-8").replace("  pool:", f"  isolation: {isolation}\n  pool:"), "utf-8")
    with polycall.load(project) as registry:
        assert registry.call("app:write-file", "/data/new", "w", b"text") == {"ok": 4}
        assert registry.call("app:read-file", "/data/new") == {"ok": b"text"}
        assert registry.call("app:read-file", "/data/none") == {"err": "No such file or directory"}
        assert registry.call("app:variable", "LANGUAGE") == "C"
        with pytest.raises(ExitError, match="the guest exited with status 7"):
            registry.call("app:leave", 7)
        with pytest.raises(DeadlineError):
            registry.call("app:sleep-ms", 60_000, timeout=0.2)
        assert registry.call("app:read-file", "/data/new") == {"ok": b"text"}
