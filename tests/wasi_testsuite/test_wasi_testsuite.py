"""The runner of the WASI test suite: it passes what does what is said beside it, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime

from wasi_testsuite.cases import cases_in
from wasi_testsuite.report import FAILED, NOT_YET, PASSED, Outcome, counted, table
from wasi_testsuite.runner import run

WRITES = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\08\\00\\00\\00\\05\\00\\00\\00hello")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))
    (call $exit (i32.const 33))))"""
REMOVES = """(module
  (import "wasi_snapshot_preview1" "path_unlink_file" (func $remove (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "file")
  (func (export "_start") (call $exit (call $remove (i32.const 3) (i32.const 0) (i32.const 4)))))"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with some cases of two versions."""
    folder = tmp_path / "tests/wat/testsuite/wasm32-wasip1"
    later = tmp_path / "tests/wat/testsuite/wasm32-wasip3"
    for each in (folder, later, folder / "fs-tests.dir"):
        each.mkdir(parents=True)
    (folder / "fs-tests.dir" / "file").touch()
    for name, text, said in (
        ("code", WRITES, {"exit_code": 33, "stdout": "hello"}),
        ("other-code", WRITES, {"exit_code": 32, "stdout": "hello"}),
        ("other-output", WRITES, {"exit_code": 33, "stdout": "hallo"}),
        ("removes", REMOVES, {"root": "fs-tests.dir"}),
        ("no-folder", REMOVES, None),
    ):
        (folder / f"{name}.wasm").write_bytes(bytes(wasmtime.wat2wasm(text)))
        if said is not None:
            (folder / f"{name}.json").write_text(json.dumps(said), "utf-8")
    (later / "later.wasm").touch()
    return tmp_path


def test_cases_are_what_is_said_beside_them(checkout: Path) -> None:
    cases = {each.name: each for each in cases_in(checkout)}
    assert list(cases) == [
        *(f"wat/{name}" for name in ("code", "no-folder", "other-code", "other-output", "removes", "later")),
    ]
    assert cases["wat/code"].exit_code == 33
    assert cases["wat/no-folder"].root is None
    assert cases["wat/later"].version == "wasm32-wasip3"


def test_what_differs_fails_with_the_reason(checkout: Path) -> None:
    found = {each.name: run(each, each.binary) for each in cases_in(checkout) if each.version == "wasm32-wasip1"}
    assert found["wat/code"] == found["wat/removes"] == ""
    assert found["wat/other-code"].startswith("expected exit code 32, got 33")
    assert found["wat/other-output"] == "expected 'hallo' on stdout, got 'hello'"
    assert found["wat/no-folder"].startswith("expected exit code 0, got 8")


def test_the_folder_of_the_suite_stays_as_it_is(checkout: Path) -> None:
    (case,) = [each for each in cases_in(checkout) if each.name == "wat/removes"]
    assert run(case, case.binary) == run(case, case.binary) == ""


def test_the_command_line_counts_and_fails(checkout: Path) -> None:
    words = [sys.executable, "-m", "wasi_testsuite", "--only", "core", str(checkout)]
    tests = Path(__file__).resolve().parents[1]
    done = subprocess.run(words, cwd=tests, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "passed 2, failed 3, not yet 1 of 6"
    assert done.returncode == 1
    done = subprocess.run([*words, "wat/code"], cwd=tests, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "passed 1, failed 0, not yet 0 of 1"
    assert done.returncode == 0


def test_a_folder_without_cases_is_none(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="prod/testsuite-base"):
        list(cases_in(tmp_path))


def test_the_report_tells_reasons() -> None:
    outcomes = [Outcome("a", PASSED), Outcome("b", FAILED, "a | b"), Outcome("c", NOT_YET, "WASI 0.3")]
    assert table(outcomes[:2]).splitlines() == [
        "| test | outcome | reason |",
        "|---|---|---|",
        "| a | passed |  |",
        "| b | failed | a / b |",
    ]
    assert counted(outcomes) == "passed 1, failed 1, not yet 1 of 3"
