from __future__ import annotations

import pytest

from lua_guests import run
from polycall.interop.ids import EntryId
from polycall.interop.source import SourceText
from polycall.lua_runtime.compiling import compiled
from polycall.lua_runtime.doubts import Doubt, doubts
from polycall.lua_runtime.library_names import library_names
from polycall.lua_runtime.spec import LuaFunctionSpec
from polycall.lua_runtime.uses import uses_of


def doubted(text: str, *modules: str, **imports: str) -> list[Doubt]:
    source = SourceText(text, "main.lua")
    libraries = {alias: EntryId.parse(target) for alias, target in imports.items()}
    spec = LuaFunctionSpec(source=source, method="f", modules=modules, imports=libraries)
    return list(doubts(spec, uses_of(compiled(source, "app:main"))))


def told(text: str, *modules: str, **imports: str) -> list[str]:
    return [f"{doubt.line}: {doubt.message}; {doubt.hint}" for doubt in doubted(text, *modules, **imports)]


def test_the_names_are_those_of_the_sandbox() -> None:
    text = "local t = {} for name in pairs(_G%s) do t[#t + 1] = name end return table.concat(t, ' ')"
    assert {"coroutine", "errors", "math", "os", "string", "table", "utf8"} < library_names().keys()
    for library, names in library_names().items():
        assert set(str(run(text % f".{library}")).split()) == names


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("pritn(1)", '1: there is no global "pritn" here; did you mean "print"?'),
        (
            "local x = 1\nreturn io.open",
            '2: there is no global "io" here; the module fs reads and writes files, print writes to the log',
        ),
        ("return zzz", '1: there is no global "zzz" here; None'),
        ("counter = 1\nreturn countr", '2: there is no global "countr" here; did you mean "counter"?'),
        (
            "return os.getenv",
            '1: the library os has no "getenv" here; the module env has the variables that the project declares',
        ),
        ("return string.fromat", '1: the library string has no "fromat" here; did you mean "format"?'),
        (
            "return json.encode",
            '1: there is no global "json" here; write local json = require("json"), and declare modules: [json]',
        ),
        ('require("json")', '1: require("json"): not declared; add it to modules: [json]'),
        ('require("jsn")', '1: require("jsn"): not declared; did you mean "json"?'),
        (
            'require("my.lib")',
            '1: require("my.lib"): not declared; '
            "a module of the host is declared under modules, a library under imports",
        ),
    ],
)
def test_what_the_sandbox_does_not_have_is_doubted(text: str, doubt: str) -> None:
    assert told(text) == [doubt]


def test_the_declarations_count() -> None:
    text = 'local json, tax = require("json"), require("tax")\nreturn json, tax, require("yaml"), time'
    assert told(text, "json", "hash", "time", tax="app:tax") == [
        '2: there is no global "time" here; write local time = require("time")',
        '2: require("yaml"): not declared; add it to modules: [json, hash, time, yaml]',
        '0: the module "hash" is not used; leave it out',
        '0: the module "time" is not used; leave it out',
    ]
    assert [doubt.key for doubt in doubted(text, "json", "hash", tax="app:tax")] == ["", "", "modules[1]"]


@pytest.mark.parametrize(
    "text",
    [
        "local function helper() return later() end\nfunction later() end\nreturn helper",
        "local g = _G\nreturn g.anything or anything",
        "return tostring(1), string.rep('a', 2), errors.new, unpack, utf8.char, os.time(), math.pi",
        "string = { mine = 1 }\nreturn string.mine",
        "for _, name in ipairs({ 'json' }) do require(name) end",
        "pcall(require, 'json')",
        "local require = require\nreturn function(name) return require(name) end",
    ],
)
def test_what_may_be_right_is_not_doubted(text: str) -> None:
    assert told(text, "json" if "json" in text or "name" in text else "errors") == []


def test_a_name_is_doubted_once_and_a_text_fifty_times() -> None:
    assert told("a() a() a()") == ['1: there is no global "a" here; None']
    assert len(told("\n".join(f"x{number}()" for number in range(200)))) == 50
