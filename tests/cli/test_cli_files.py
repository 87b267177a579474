"""``polycall call FILE FUNCTION``: a function of a file, without a project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import wasmtime

from commands import run
from projects import REPOSITORY
from text_guest import TEXT_GUEST

LUA = """
local json = require("json")
return {
  greet = function(name) return "Hello, " .. name .. "!" end,
  parse = function(text) return json.decode(text) end,
  reach = function() return pcall(require, "fs") end,
}
"""
CORE = """
(module
  (memory (export "memory") 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "two") (result i32 i32) (i32.const 1) (i32.const 2))
  (func (export "size") (param i32 i32) (result i32) (local.get 1))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64)))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "script.lua").write_text(LUA, "utf-8")
    (tmp_path / "core.wat").write_text(CORE, "utf-8")
    (tmp_path / "core.wasm").write_bytes(bytes(wasmtime.wat2wasm(CORE)))
    (tmp_path / "echo.wasm").write_bytes(bytes(wasmtime.wat2wasm(TEXT_GUEST)))
    (tmp_path / "_index.yaml").write_text("namespace: [this is no project that loads", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["core.wasm", "core.wat", "script.lua"])
def test_a_file_may_be_a_link_to_one_of_another_name_and_folder(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder / "bin").mkdir()
    link = Path("bin", f"tool{Path(name).suffix}")
    link.symlink_to(f"../{name}")
    function, *arguments = ("greet", '"Ana"') if name.endswith(".lua") else ("add", "2", "-5")
    done = run(capsys, "call", str(link), function, *arguments)
    assert (done.err, done.code) == ("", 0)


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["./script.lua", "greet", '"Ana"'], "Hello, Ana!\n"),
        (["script.lua", "greet", "--string", "Ana"], "Hello, Ana!\n"),
        (["script.lua", "parse", "--string", "[1]", "--json"], "[\n  1\n]\n"),
        (["core.wat", "add", "2", "-5"], "-3\n"),
        (["./core.wasm", "add", "2", "-5"], "-3\n"),
        (["core.wasm", "size", "Ana", "--wit", "size: func(text: string) -> u32"], "3\n"),
        (["echo.wasm", "echo", "Ana"], "Ana\n"),
    ],
)
def test_a_function_of_a_file_is_called_by_its_name(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], output: str
) -> None:
    done = run(capsys, "call", *arguments)
    assert (done.out, done.err, done.code) == (output, "", 0)


def test_the_interface_of_a_function_need_not_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    guest = str(REPOSITORY / "tests" / "guests" / "bin" / "caller.wasm")
    assert run(capsys, "call", guest, "add", "1", "2").out == "3\n"
    assert run(capsys, "call", guest, "test:caller/math@1.0.0#add", "1", "2").out == "3\n"


def test_each_works_with_files_as_well(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "in.jsonl").write_text("[1, 2]\n[3, 4]\n", "utf-8")
    assert run(capsys, "call", "core.wasm", "add", "--each", "--spread", "in.jsonl").out == "3\n7\n"


def test_a_script_reaches_nothing_of_the_machine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(run(capsys, "call", "script.lua", "reach", "--json").out) is False


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["script.lua"], 2, "name the function as well: polycall call script.lua FUNCTION"),
        (["nowhere.wasm", "f"], 4, "nowhere.wasm cannot be read"),
        (["script.lua", "gret"], 5, 'did you mean "greet"'),
        (["core.wasm", "ad"], 5, 'did you mean "add"'),
        (["core.wat", "two"], 5, '--wit "two: func('),
        (["echo.wasm", "eco"], 5, 'did you mean "echo"'),
        (["script.lua", "greet", "--watch"], 2, "--watch is for entries"),
        (["app:x", "--wit", "x: func()"], 2, "--wit is for files"),
    ],
)
def test_what_is_wrong_is_said_with_what_mends_it(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    done = run(capsys, "call", *arguments)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
