"""Core modules of real toolchains do with polycall's preview 1 what, as components, they do with wasmtime's own WASI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wasi.here import run_in_polycall
from wasi.oracle import run_in_wasmtime
from wasi.runs import BIN, Folder, Run, contents
from wasi.scenarios import COMMANDS, LIBC, Command, fill

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folders hold symbolic links")

DIFFERENCES = {
    # As POSIX has it.
    ("read-file", "/data/sub"): ({"err": "Bad file descriptor"}, {"err": "Is a directory"}),
}
"""What a libc is told otherwise, by call: by wasmtime, by polycall."""

WORLD = BIN.parent / "wasi" / "world.wit"


def test_a_libc_sees_the_same(tmp_path: Path) -> None:
    folders = {name: (Folder(fill(tmp_path / name)),) for name in ("theirs", "ours")}
    said = {"arguments": ("guest",), "variables": {"LANGUAGE": "C"}, "calls": LIBC}
    theirs = run_in_wasmtime(Run(guest=BIN / "c-libc.wasm", folders=folders["theirs"], **said))
    core = Run(guest=BIN / "c-libc-core.wasm", folders=folders["ours"], wit=WORLD.read_text("utf-8"), **said)
    ours = run_in_polycall(core, ("wasi1",))
    assert (theirs.failure, ours.failure) == (None, None)
    found = {
        (export, *arguments): (expected, got)
        for (export, arguments), expected, got in zip(LIBC, theirs.results, ours.results, strict=True)
        if got != expected
    }
    assert found == DIFFERENCES
    assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join((command.guest, *command.arguments)))
def test_a_command_does_the_same(command: Command, tmp_path: Path) -> None:
    folder = fill(tmp_path / "data")
    theirs = run_in_wasmtime(
        Run(
            guest=BIN / f"{command.guest}.wasm",
            folders=(Folder(folder, read_only=True),),
            arguments=(f"{command.guest}-core.wasm", *command.arguments),
            variables=command.variables,
            stdin=command.stdin,
        )
    )
    ours = run_command(BIN / f"{command.guest}-core.wasm", folder, command)
    assert ours.stdout == theirs.stdout
    if theirs.failure is None:
        exits = theirs.exit_status or 0
        # The adapter of the component can say no more than that it failed.
        assert ours.returncode == exits or (exits == 1 and ours.returncode == int(command.arguments[-1]))
        assert ours.stderr == theirs.stderr
    else:
        assert ours.returncode != 0
        assert ours.stderr.startswith(theirs.stderr)


def run_command(binary: Path, folder: Path, command: Command) -> subprocess.CompletedProcess[bytes]:
    options = [f"--env={name}={value}" for name, value in command.variables.items()]
    polycall = [sys.executable, "-m", "polycall", "run", f"--dir={folder}::/data:ro", *options]
    words = [*polycall, str(binary), "--", *command.arguments]
    return subprocess.run(words, input=command.stdin, capture_output=True, check=False)


@pytest.mark.parametrize("status", [(), ("3",)])
def test_rust_sees_the_same(status: tuple[str, ...], tmp_path: Path) -> None:
    for name in ("theirs", "ours"):
        fill(tmp_path / name)
    arguments = ("/data", *status)
    theirs = run_in_wasmtime(
        Run(
            guest=BIN / "rust-tour.wasm",
            folders=(Folder(tmp_path / "theirs"),),
            arguments=("rust-tour-core.wasm", *arguments),
            variables={"LANGUAGE": "Rust"},
            stdin=b"two\nlines\n",
        )
    )
    ours = subprocess.run(
        [
            *(sys.executable, "-m", "polycall", "run", f"--dir={tmp_path / 'ours'}::/data", "--env=LANGUAGE=Rust"),
            *(str(BIN / "rust-tour-core.wasm"), "--", *arguments),
        ],
        input=b"two\nlines\n",
        capture_output=True,
        check=False,
    )
    assert ours.stdout.splitlines() == theirs.stdout.splitlines()
    assert b"outside: true" in ours.stdout
    assert ours.stderr == theirs.stderr
    assert ours.returncode == (int(status[0]) if status else 0)
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")
