"""Values made to break whoever reads them, in both directions, through Lua, a component and a Python function."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

import polycall
from attacks import Attack, attacks, outcome
from polycall.interop.errors import ConversionError, GuestError, PolycallError
from polycall.interop.values import MAX_NESTING, Value
from wasm_guests import core_in_component

POINTERS = (
    '(memory (export "memory") 100) '
    '(func (export "echo") (param i32 i32) (result i32) (i32.store (i32.const 8) (local.get 0)) '
    "(i32.store (i32.const 12) (local.get 1)) (i32.const 8))"
)
TYPES = {"string": "string", "bytes": "(list u8)", "list": "(list u32)"}
NUMBERS = {"f64": "f64", "u64": "i64", "s64": "i64", "u8": "i32"}
GIVING = {"big": ("u64", "i64.const", "0x8000000000000000"), "odd": ("u64", "i64.const", "0x20000000000001")}
GIVING |= {"nan": ("f64", "f64.const", "nan:0x4000000000001"), "minus-zero": ("f64", "f64.const", "-0")}


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def cyclic() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


class Raising(str):
    """Text that raises whenever it is looked at."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("looked at")

    def __hash__(self) -> int:
        raise RuntimeError("looked at")

    def encode(self, *_: str) -> bytes:
        raise RuntimeError("looked at")


class FromPython(NamedTuple):
    """A value that Python passes: to a Lua echo, and to a component's echo of the type named."""

    value: Any
    wit: str
    lua: type[PolycallError] | Value
    component: type[PolycallError] | Value


HUGE: list[Value] = list(range(200_000))
FROM_PYTHON = {
    "NaN": FromPython(math.nan, "f64", math.nan, math.nan),
    "minus zero": FromPython(-0.0, "f64", -0.0, -0.0),
    "infinity": FromPython(math.inf, "f64", math.inf, math.inf),
    "infinity as an integer": FromPython(math.inf, "u64", math.inf, ConversionError),
    "2^53+1": FromPython(2**53 + 1, "u64", 2**53 + 1, 2**53 + 1),
    "2^63": FromPython(2**63, "u64", ConversionError, 2**63),
    "2^63 as s64": FromPython(2**63, "s64", ConversionError, ConversionError),
    "-2^63-1": FromPython(-(2**63) - 1, "s64", ConversionError, ConversionError),
    "2^64": FromPython(2**64, "u64", ConversionError, ConversionError),
    "2^63 as a float": FromPython(float(2**63), "s64", float(2**63), ConversionError),
    "10^400": FromPython(10**400, "f64", ConversionError, ConversionError),
    "true as an integer": FromPython(True, "u8", True, ConversionError),
    "half of a surrogate pair": FromPython("\ud800", "string", ConversionError, ConversionError),
    "half of a surrogate pair as a key": FromPython({"\udfff": 1}, "string", ConversionError, ConversionError),
    "overlong UTF-8": FromPython(b"\xc0\xaf", "string", b"\xc0\xaf", ConversionError),
    "overlong UTF-8 as bytes": FromPython(b"\xc0\xaf", "bytes", b"\xc0\xaf", b"\xc0\xaf"),
    "a NUL in text": FromPython("a\0b", "string", "a\0b", "a\0b"),
    "the deepest nesting": FromPython(nested(MAX_NESTING), "list", nested(MAX_NESTING), ConversionError),
    "nesting one level too deep": FromPython(nested(MAX_NESTING + 1), "list", ConversionError, ConversionError),
    "nesting beyond Python's stack": FromPython(nested(100_000), "list", ConversionError, ConversionError),
    "a list that holds itself": FromPython(cyclic(), "list", ConversionError, ConversionError),
    "a list of 200,000": FromPython(HUGE, "list", HUGE, HUGE),
    "a text of 3 MiB": FromPython("x" * 3_000_000, "string", "x" * 3_000_000, "x" * 3_000_000),
    "keys that are no text": FromPython({1: 2}, "list", ConversionError, ConversionError),
    "an object": FromPython(object(), "list", ConversionError, ConversionError),
    "text that raises when looked at": FromPython(Raising("fine"), "string", "fine", "fine"),
}


class FromLua(NamedTuple):
    """What a Lua function returns to Python, and passes to a component's echo of the type named."""

    expression: str
    wit: str
    python: type[PolycallError] | Value
    component: type[PolycallError] | Value


def raising(event: str) -> str:
    return f"setmetatable({{}}, {{ {event} = function() error('in the metatable') end }})"


FROM_LUA = {
    "NaN": FromLua("0/0", "f64", math.nan, math.nan),
    "minus zero": FromLua("-0.0", "f64", -0.0, -0.0),
    "2^53+1": FromLua("(1 << 53) + 1", "u64", 2**53 + 1, 2**53 + 1),
    "2^63 as a float": FromLua("2.0^63", "u64", 2.0**63, ConversionError),
    "an integer that wrapped": FromLua("math.maxinteger + 1", "u64", -(2**63), ConversionError),
    "a fraction as an integer": FromLua("2.5", "u64", 2.5, ConversionError),
    "a surrogate in UTF-8": FromLua("'\\xed\\xa0\\x80'", "string", b"\xed\xa0\x80", ConversionError),
    "overlong UTF-8": FromLua("'\\xc0\\xaf'", "string", b"\xc0\xaf", ConversionError),
    "UTF-8 beyond Unicode": FromLua("'\\xf4\\x90\\x80\\x80'", "string", b"\xf4\x90\x80\x80", ConversionError),
    "a table that holds itself": FromLua(
        "(function() local t = {} t[1] = t return t end)()", "list", ConversionError, GuestError
    ),
    "two tables that hold each other": FromLua(
        "(function() local t = {} t.a = { b = t } return t end)()", "list", ConversionError, GuestError
    ),
    "a table as its own key": FromLua(
        "(function() local t = {} t[t] = 1 return t end)()", "list", ConversionError, GuestError
    ),
    "nesting of 100,000": FromLua(
        "(function() local t = {} for _ = 1, 100000 do t = { t } end return t end)()",
        "list",
        ConversionError,
        GuestError,
    ),
    "__index that raises": FromLua(raising("__index"), "list", [], []),
    "__pairs that raises": FromLua(raising("__pairs"), "list", [], []),
    "__len that raises": FromLua(raising("__len"), "list", [], []),
    "__tostring that raises": FromLua(raising("__tostring"), "list", [], []),
    "__name that is no text": FromLua("setmetatable({}, { __name = {} })", "list", [], []),
    "__len that lies": FromLua("setmetatable({}, { __len = function() return 1 << 60 end })", "list", [], []),
    "__pairs without end": FromLua(
        "setmetatable({}, { __pairs = function() return function() return 1, 1 end end })", "list", [], []
    ),
    "an item at 2^62": FromLua("{ [1 << 62] = 1 }", "list", ConversionError, GuestError),
    "a key that is NaN's neighbour": FromLua("{ [0.5] = 1 }", "list", ConversionError, GuestError),
    "keys of two kinds": FromLua("{ 1, a = 2 }", "list", ConversionError, GuestError),
    "a function": FromLua("print", "list", ConversionError, GuestError),
    "a coroutine": FromLua("coroutine.create(print)", "list", ConversionError, GuestError),
}

FROM_COMPONENTS: dict[str, tuple[Value, type[PolycallError] | Value]] = {
    # what Python gets, what Lua gets
    "big": (2**63, ConversionError),
    "odd": (2**53 + 1, 2**53 + 1),
    "nan": (math.nan, math.nan),
    "minus-zero": (-0.0, -0.0),
}


def _entry(name: str, text: str, method: str) -> str:
    return f"  - {{name: {name}, kind: function.wat, method: {method}, source: '{text}'}}\n"


def _project() -> str:
    text = "namespace: app\nentries:\n"
    for name, wit in TYPES.items():
        text += _entry(name, core_in_component(POINTERS, f'echo (param "v" {wit}) (result {wit})'), "echo")
    for name, core in NUMBERS.items():
        guest = f'(func (export "echo") (param {core}) (result {core}) local.get 0)'
        text += _entry(name, core_in_component(guest, f'echo (param "v" {name}) (result {name})'), "echo")
    for name, (wit, instruction, value) in GIVING.items():
        guest = f'(func (export "get") (result {wit if wit == "f64" else "i64"}) ({instruction} {value}))'
        text += _entry(name, core_in_component(guest, f"get (result {wit})"), "get")
    return text + "".join(_lua_entry(index, case) for index, case in enumerate(FROM_LUA.values())) + _ECHO


def _lua_entry(index: int, case: FromLua) -> str:
    body = f"local v = {case.expression} if to then return assert(require('funcs').call(to, v)) end return v"
    return (
        f"  - name: lua{index}\n    kind: function.lua\n    modules: [funcs]\n    method: main\n"
        f"    source: |\n      return {{ main = function(to) {body} end }}\n"
    )


_ECHO = """
  - name: echo
    kind: function.lua
    modules: [funcs]
    method: main
    source: |
      return { main = function(...) return ... end }
  - name: relay
    kind: function.lua
    modules: [funcs]
    method: main
    source: |
      return { main = function(to) return assert(require('funcs').call(to)) end }
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[polycall.Registry]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "_index.yaml").write_text(_project(), encoding="utf-8")
    with polycall.load(folder) as registry:
        registry.function("app:python")(lambda value: value)
        yield registry


def same(found: object, expected: object) -> bool:
    """Whether two values are alike in type and bits; NaN is NaN, and minus zero is not zero."""
    if isinstance(expected, float) and isinstance(found, float):
        return repr(found) == repr(expected)
    return type(found) is type(expected) and found == expected


def check(registry: polycall.Registry, expected: type[PolycallError] | Value, target: str, *arguments: Any) -> None:
    if isinstance(expected, type):
        with pytest.raises(expected):
            registry.call(target, *arguments)
    else:
        assert same(registry.call(target, *arguments), expected)


def rows() -> Iterator[Attack]:
    for name, passed in FROM_PYTHON.items():
        ends = f"Lua: {_short(passed.lua)}; {passed.wit}: {_short(passed.component)}"
        yield Attack(name, "value from Python", ends, "the same entries echo `7`, text and lists")
    for name, given in FROM_LUA.items():
        ends = f"Python: {_short(given.python)}; {given.wit}: {_short(given.component)}"
        yield Attack(name, "value from Lua", ends, "the same way carries `7`, text and lists")
    for name, (python, lua) in FROM_COMPONENTS.items():
        yield Attack(
            name, "value from a component", f"Python: {_short(python)}; Lua: {_short(lua)}", "a small one arrives"
        )


def _short(expected: type[PolycallError] | Value) -> str:
    return f"{type(expected).__name__} of {len(expected)}" if isinstance(expected, (str, list)) else outcome(expected)


@attacks(*rows())
@pytest.mark.parametrize("name", FROM_PYTHON)
def test_a_hostile_value_of_python(registry: polycall.Registry, name: str) -> None:
    case = FROM_PYTHON[name]
    check(registry, case.lua, "app:echo", case.value)
    check(registry, case.component, f"app:{case.wit}", case.value)


@pytest.mark.parametrize("name", FROM_LUA)
def test_a_hostile_value_of_lua(registry: polycall.Registry, name: str) -> None:
    target, case = f"app:lua{list(FROM_LUA).index(name)}", FROM_LUA[name]
    check(registry, case.python, target)
    check(registry, case.component if isinstance(case.python, type) else case.python, target, "app:python")
    check(registry, case.component, target, f"app:{case.wit}")


@pytest.mark.parametrize("name", FROM_COMPONENTS)
def test_a_hostile_value_of_a_component(registry: polycall.Registry, name: str) -> None:
    python, lua = FROM_COMPONENTS[name]
    check(registry, python, f"app:{name}")
    check(registry, lua, "app:relay", f"app:{name}")


def test_the_same_ways_carry_honest_values(registry: polycall.Registry) -> None:
    honest: dict[str, Value] = {"f64": 7.0, "u64": 7, "s64": -7, "u8": 7, "string": "tea", "bytes": b"tea", "list": [7]}
    for name, value in honest.items():
        assert same(registry.call(f"app:{name}", value), value)
    plain_ones: list[Value] = [7, "tea", [7], {"a": [1.5, True]}]
    for value in plain_ones:
        assert same(registry.call("app:echo", value), value)
        assert same(registry.call("app:python", value), value)
