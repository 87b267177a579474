"""What a text uses is read from its bytecode: every case compiles with the real compiler."""

from __future__ import annotations

import pytest

from polycall.interop.source import SourceText
from polycall.lua_runtime.bytecode import read_chunk
from polycall.lua_runtime.compiling import compiled
from polycall.lua_runtime.uses import EntryCall, Name, Uses, uses_of

FUNCS = 'local funcs = require("funcs")\n'


def uses(text: str) -> Uses:
    return uses_of(compiled(SourceText(text, "main.lua"), "app:main"))


def test_globals_are_told_from_locals_upvalues_and_fields() -> None:
    found = uses("local a = 1\nlocal function f(b)\n  return a + b + c + f.d + print.e\nend\ng = f\nreturn { h = 1 }")
    assert found.globals == [Name("c", 3), Name("print", 3), Name("e", 3, "print")]
    assert found.assigned == {"g"}


def test_globals_are_found_in_functions_in_functions() -> None:
    found = uses("return function()\n return function()\n  return x\n end\nend")
    assert found.globals == [Name("x", 3)]


def test_globals_behind_many_constants_are_found() -> None:
    text = "local t = {" + ", ".join(f"'{number}'" for number in range(300)) + "}\nreturn late.part"
    assert uses(text).globals == [Name("late", 2), Name("part", 2, "late")]


@pytest.mark.parametrize("text", ["local _ENV = { x = 1 } return x + y", "_ENV = { x = 1 } return x + y"])
def test_an_environment_of_the_text_s_own_is_nobody_s_global(text: str) -> None:
    assert uses(text).globals == []


@pytest.mark.parametrize(
    "text",
    [
        'require("json")',
        "local name <const> = 'json'\nrequire(name)",
        "local name = 'json'\nreturn function() return require(name) end",
        "local r = require\nreturn r 'json'",
    ],
)
def test_what_is_required_by_its_name_is_known(text: str) -> None:
    found = uses(text)
    assert [name.text for name in found.required] == ["json"]
    assert not found.requires_others


@pytest.mark.parametrize(
    "text",
    [
        "require(...)",
        "require(name)",
        "local n = 'json'\nn = n .. 'x'\nrequire(n)",
        "local n = 'json'\nlocal function f() n = 'x' end\nf()\nreturn function() return require(n) end",
        "local n\nif a then n = 'json' else n = 'yaml' end\nrequire(n)",
        "local n = 'a'\nfor i = 1, 2 do require(n) n = 'b' end",
        "require(a and 'json' or 'yaml')",
    ],
)
def test_what_may_be_one_or_another_is_not_known(text: str) -> None:
    found = uses(text)
    assert found.required == []
    assert found.requires_others


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ('funcs.call("app:x", 1, 2)', EntryCall("app:x", 2, 2)),
        ('return funcs.call("app:x")', EntryCall("app:x", 0, 2)),
        ('return { f = function(a)\n return funcs.try("app:x", a) end }', EntryCall("app:x", 1, 3)),
        ('local call = funcs.call\nreturn function() call("app:x", 1) end', EntryCall("app:x", 1, 3)),
        ('funcs.call("app:x", ...)', EntryCall("app:x", None, 2)),
        ('funcs.call("app:x", 1, print())', EntryCall("app:x", None, 2)),
        ("funcs.call(...)", EntryCall(None, None, 2)),
        ("local id = 'app:' .. 'x'\nfuncs.call(id, 1)", EntryCall(None, 1, 3)),
        ("for i = 1, 3 do\n  if i then\n    funcs.call('app:x', i)\n  end\nend", EntryCall("app:x", 1, 4)),
    ],
)
def test_calls_of_other_entries_are_known(text: str, call: EntryCall) -> None:
    assert uses(FUNCS + text).calls == [call]


@pytest.mark.parametrize(
    "text",
    [
        'local funcs = { call = print }\nfuncs.call("app:x")',
        FUNCS + "funcs = nil\nreturn function() funcs.call('app:x') end",
        'return function(funcs) funcs.call("app:x") end',
    ],
)
def test_what_is_no_call_for_certain_is_none(text: str) -> None:
    assert uses(text).calls == []


def test_lines_are_those_of_the_file() -> None:
    found = uses_of(compiled(SourceText("local a = 1\nreturn x", "_index.yaml", 41), "app:main"))
    assert found.globals == [Name("x", 42)]
    far = "\n" * 300
    assert uses(f"local a = 1{far}return x{far}.y").globals == [Name("x", 301), Name("y", 601, "x")]


def test_bytecode_of_another_form_is_not_read() -> None:
    code = compiled(SourceText("return x", "main.lua"), "app:main")
    assert read_chunk(code) is not None
    assert read_chunk(code.replace(b"LuaT", b"LuaU", 1)) is None
    assert uses_of(b"").globals == []


@pytest.mark.parametrize(
    "text",
    [
        "return " + "function() return " * 60 + "x" + " end" * 60,
        "local a = 1 " + "if a then a = 2 elseif x then a = 3 end " * 2000,
        "".join(f"local l{n} = require('m{n}') " for n in range(150)) + "if x then end " * 2000,
        "return {" + "{x, 'a'}," * 3000 + "}",
    ],
)
def test_a_hostile_text_is_read_to_its_end(text: str) -> None:
    assert "x" in {name.text for name in uses(text).globals}
