"""Guests of real toolchains do with polycall what they do with wasmtime's own WASI."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wasi.here import run_in_polycall
from wasi.oracle import run_in_wasmtime, why_no_sockets
from wasi.runs import BIN, Folder, Outcome, Run, contents
from wasi.scenarios import BIG, CALLS, COMMANDS, LIBC, SCRIPTS, Big, Call, Command, Difference, Script, fill

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folders hold symbolic links")


def need_sockets() -> None:
    if why := why_no_sockets():
        pytest.skip(why)


def report_of(outcome: Outcome) -> Any:
    """What a script said: its report, or that it did not get that far."""
    if not outcome.results:
        return "trapped" if outcome.failure else "left"
    result = outcome.results[0]
    return json.loads(result["ok"]) if "ok" in result else result


def as_ours(report: Any, differences: tuple[Difference, ...]) -> Any:
    """Puts into a report of wasmtime what polycall says otherwise."""
    for each in differences:
        *path, last = each.at
        place = report
        for key in path:
            place = place[key]
        assert place[last] == each.wasmtime, f"no difference left at {each.at}: {each.reason}"
        place[last] = each.ours
    return report


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_sees_the_same(script: Script, tmp_path: Path) -> None:
    if script.network:
        need_sockets()
    with script.run(fill(tmp_path / "theirs")) as run:
        theirs = run_in_wasmtime(run)
    with script.run(fill(tmp_path / "ours")) as run:
        ours = run_in_polycall(run)
    if script.traps:
        assert (report_of(theirs), report_of(ours)) == ({"ok": None}, "trapped"), script.traps
        return
    assert report_of(ours) == as_ours(report_of(theirs), script.differences), ours.failure
    assert ours.exit_status == theirs.exit_status
    assert (ours.failure is None) == (theirs.failure is None), (ours.failure, theirs.failure)
    assert ours.results[1:] == theirs.results[1:]
    assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.export}{call.arguments}")
def test_imports_answer_the_same(call: Call, tmp_path: Path) -> None:
    if call.network:
        need_sockets()
    with call.run(fill(tmp_path / "theirs")) as run:
        theirs = run_in_wasmtime(run)
    with call.run(fill(tmp_path / "ours")) as run:
        ours = run_in_polycall(run)
    expected = list(theirs.results)
    for said, ours_says, reason in call.differences:
        assert said in expected[0], reason
        expected[0] = expected[0].replace(said, ours_says)
    if expected:
        assert ours.results, ours.failure
        assert ours.results[0].splitlines() == expected[0].splitlines()
    assert (ours.exit_status, ours.failure) == (theirs.exit_status, theirs.failure)
    assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")


def test_a_libc_sees_the_same(tmp_path: Path) -> None:
    outcomes = []
    for name, run in (("theirs", run_in_wasmtime), ("ours", run_in_polycall)):
        outcomes.append(
            run(
                Run(
                    guest=BIN / "c-libc.wasm",
                    calls=LIBC,
                    folders=(Folder(fill(tmp_path / name)),),
                    arguments=("guest",),
                    variables={"LANGUAGE": "C"},
                )
            )
        )
    theirs, ours = outcomes
    assert (theirs.failure, ours.failure) == (None, None)
    for (export, arguments), expected, got in zip(LIBC, theirs.results, ours.results, strict=True):
        assert got == expected, f"{export}{arguments}"
    assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")


@pytest.mark.parametrize("big", BIG, ids=lambda big: big.guest)
def test_a_language_sees_the_same(big: Big, tmp_path: Path) -> None:
    if not big.binary.exists():
        pytest.skip(f"python tests/guests/build.py {big.guest} builds the guest")
    with big.run(fill(tmp_path / "theirs")) as run:
        theirs = run_in_wasmtime(run)
    with big.run(fill(tmp_path / "ours")) as run:
        ours = run_in_polycall(run)
    assert (theirs.failure, ours.failure) == (None, None)
    for (export, given), expected, got in zip(big.calls, theirs.results, ours.results, strict=True):
        assert got == expected, f"{export}{given}"
    assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_does_the_same(command: Command, tmp_path: Path) -> None:
    theirs = run_in_wasmtime(
        Run(
            guest=BIN / f"{command.guest}.wasm",
            folders=(Folder(fill(tmp_path / "theirs"), read_only=not command.writes),),
            arguments=(f"{command.guest}.wasm", *command.arguments),
            variables=command.variables,
            stdin=command.stdin,
        )
    )
    for form in ("component", "core") if (BIN / f"{command.guest}-core.wasm").exists() else ("component",):
        binary = tmp_path / form / f"{command.guest}.wasm"  # both have one name: a program is told its own
        binary.parent.mkdir()
        shutil.copy(BIN / f"{command.guest}{'-core' if form == 'core' else ''}.wasm", binary)
        ours = command.run(binary, fill(tmp_path / f"ours, as {form}"))
        _same(command, form, theirs, ours)
        assert contents(tmp_path / f"ours, as {form}") == contents(tmp_path / "theirs"), form


def _same(command: Command, form: str, theirs: Outcome, ours: subprocess.CompletedProcess[bytes]) -> None:
    assert ours.stdout == command.as_ours(theirs.stdout), form
    if theirs.failure is not None:
        assert ours.returncode != 0, form
        assert ours.stderr.startswith(theirs.stderr), form
        return
    exits = theirs.exit_status or 0
    # The adapter of a component can say no more than that it failed.
    of_core = form == "core" and exits == 1 and str(ours.returncode) == command.arguments[-1]
    assert ours.returncode == exits or of_core, form
    assert ours.stderr == theirs.stderr, form
