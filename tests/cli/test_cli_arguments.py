"""What ARGs of ``polycall call`` stand for, what a WIT err is, and options of the group behind the command."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from commands import run
from projects import write_project
from text_guest import TEXT_GUEST

INDEX = """
namespace: app
entries:
  - {name: echo, kind: function.wat, source: file://echo.wat, method: echo}
  - {name: given, kind: function.wat, source: file://echo.wat, method: given}
  - {name: check, kind: function.wat, source: file://echo.wat, method: check}
  - {name: check-isolated, kind: function.wat, source: file://echo.wat, method: check, isolation: process}
  - {name: lua, kind: function.lua, method: f, source: "return { f = function(...) return ... end }"}
  - {name: typed, kind: function.lua, method: f, wit: "f: func(a: string, b: option<string>) -> string",
     source: "return { f = function(a, b) return type(a) .. ' ' .. type(b) end }"}
  - {name: mistyped, kind: function.lua, method: f, wit: "f: fun(", source: "return { f = function() end }"}
  - {name: errs, kind: function.lua, method: f, source: "return { f = function() return { err = 'value' } end }"}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "echo.wat").write_text(TEXT_GUEST, "utf-8")
    monkeypatch.chdir(write_project(tmp_path, index=INDEX))
    return tmp_path


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("Ana", "Ana"),
        ('"Ana"', "Ana"),  # as JSON has it
        ("5", "5"),
        ("null", "null"),
        ('{"a": 1}', '{"a": 1}'),
        ('"Ana', '"Ana'),
        ("", ""),
        ("@note.txt", "a note\n"),
        ("@quoted.json", "quoted"),
        ("-", "from a pipe"),
    ],
)
def test_a_parameter_that_is_a_string_takes_plain_text(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, argument: str, text: str
) -> None:
    (project / "note.txt").write_text("a note\n", "utf-8")
    (project / "quoted.json").write_text('"quoted"\n', "utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe")))
    done = run(capsys, "call", "app:echo", argument, "--json")
    assert (json.loads(done.out), done.code) == (text, 0)


def test_lua_that_says_what_it_takes_is_given_plain_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "call", "app:typed", "Ana", "null").out == "string nil\n"
    assert run(capsys, "call", "app:typed", "5", "6").out == "string string\n"
    for untyped in ("app:lua", "app:mistyped"):
        assert "argument 1 is not JSON" in run(capsys, "call", untyped, "Ana").err


def test_an_optional_string_is_null_or_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "call", "app:given", "null").out == "false\n"
    assert run(capsys, "call", "app:given", "Ana").out == "true\n"


def test_where_no_signature_says_string_an_argument_is_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "order.json").write_text('{"id": 7}', "utf-8")
    assert json.loads(run(capsys, "call", "app:lua", "@order.json").out) == {"id": 7}
    (project / "note.txt").write_text("a note", "utf-8")
    wrong = run(capsys, "call", "app:lua", "@note.txt")
    assert (wrong.code, wrong.out) == (2, "")
    assert "argument 1 is not JSON: note.txt: " in wrong.err
    assert run(capsys, "call", "app:lua", "Ana").code == 2


def test_text_by_string_is_never_a_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "call", "app:lua", "--string", "@_index.yaml").out == "@_index.yaml\n"


def test_a_file_that_is_not_there_says_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "call", "app:lua", "@nowhere.json")
    assert (done.code, done.out) == (2, "")
    assert "argument 1: nowhere.json cannot be read" in done.err


def test_standard_input_is_read_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "call", "app:lua", "-", "-")
    assert done.code == 2
    assert '"-" stands there twice' in done.err


@pytest.mark.parametrize("target", ["app:check", "app:check-isolated"])
def test_an_err_of_a_wit_result_is_exit_code_1_with_the_err_on_stderr(
    project: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    done = run(capsys, "call", target, "no rate")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: {target}: no rate\nhint: ")
    as_json = run(capsys, "call", target, "no rate", "--json")
    assert (as_json.code, json.loads(as_json.out), as_json.err) == (1, {"err": "no rate"}, "")
    kept = run(capsys, "call", target, "no rate", "--no-fail-on-err")
    assert (kept.code, json.loads(kept.out), kept.err) == (0, {"err": "no rate"}, "")
    assert run(capsys, "call", target, "").code == 0


def test_a_record_that_looks_like_an_err_is_none(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "call", "app:errs")
    assert (done.code, json.loads(done.out)) == (0, {"err": "value"})


def test_options_of_the_group_are_taken_anywhere(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir("/")
    for arguments in (["list", "-C", str(project)], ["-C", "nowhere", "list", "--project", str(project)]):
        assert "app:echo" in run(capsys, *arguments).out
    assert run(capsys, "call", "app:echo", "Ana", "-C", str(project), "-vv").out == "Ana\n"
    failed = run(capsys, "call", "app:nope", "-C", str(project), "--debug")
    assert failed.code == 4
    assert "Traceback" in failed.err
    # What stands behind the program of `run` is the program's.
    assert run(capsys, "run", "-C", str(project), "app:nope", "-C", "nowhere").code == 4


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["lst"], "list"),
        (["list", "--jsn"], "--json"),
        (["--porject", ".", "list"], "--project"),
        (["call", "app:echo", "--sting", "Ana"], "--string"),
        (["call", "app:echo", "--tiemout=3"], "--timeout"),
        (["run", "--tiemout", "3", "app:echo"], "--timeout"),
        (["check", "--porject", "."], "--project"),
    ],
)
def test_what_does_not_exist_gets_a_near_name(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], near: str
) -> None:
    done = run(capsys, *arguments)
    assert (done.code, done.out) == (2, "")
    assert near in done.err.splitlines()[-1]


def test_one_argument_too_many_is_no_matter_of_quotes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "-C", str(project), "call", "app:echo", "a", "b")
    assert (done.code, "expected 1 argument (text: string), got 2" in done.err) == (6, True), done.err
    assert run(capsys, "-C", str(project), "call", "app:typed", "a", "null", "[5]").out == "string nil\n"
