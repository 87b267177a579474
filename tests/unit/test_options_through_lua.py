"""`option` from Lua and through Lua: what the type of a WebAssembly function decides, arrives (docs/values.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import polycall
from echo_components import PADDING, core_echo_wat, core_echo_wit, echo_component_wat
from polycall.wasm_runtime.wit.wit_types import (
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
)
from projects import write_project

U32 = Primitive("u32")
MAYBE = OptionType(U32)
TYPES: dict[str, WitType] = {
    "first": TupleType((MAYBE, U32)),
    "last": TupleType((U32, MAYBE)),
    "both": TupleType((MAYBE, MAYBE)),
    "list": ListType(MAYBE),
    "pairs": ListType(TupleType((MAYBE, MAYBE))),
    "three": OptionType(OptionType(MAYBE)),
    "result": ResultType(MAYBE, MAYBE),
    "results": ListType(ResultType(MAYBE, MAYBE)),
    "deep": ResultType(OptionType(MAYBE), MAYBE),
    "lists": OptionType(OptionType(ListType(U32))),
    "record": RecordType((("a", MAYBE), ("b", MAYBE))),
    "variant": VariantType((("x", MAYBE), ("y", None), ("z", U32))),
}
LITERALS: list[tuple[str, str, Any]] = [
    ("first", "{nil, 5}", [None, 5]),
    ("first", "{[2] = 5}", [None, 5]),
    ("first", "table.pack(nil, 5)", [None, 5]),
    ("last", "{5, nil}", [5, None]),
    ("last", "{5}", [5, None]),
    ("both", "{}", [None, None]),
    ("both", "{nil, 1}", [None, 1]),
    ("list", "{1, nil, 3}", [1, None, 3]),
    ("list", "table.pack(1, nil, nil)", [1, None, None]),
    ("list", "{nil, nil, nil, nil, 4}", [None, None, None, None, 4]),
    ("pairs", "{{nil, 1}, {}, {1}}", [[None, 1], [None, None], [1, None]]),
    ("three", "nil", None),
    ("three", "{}", {"some": None}),
    ("three", "{some = {}}", {"some": {"some": None}}),
    ("three", "5", 5),
    ("result", "{ok = {}}", {"ok": None}),
    ("result", "{err = {}}", {"err": None}),
    ("result", "{err = 2}", {"err": 2}),
    ("deep", "{ok = {}}", {"ok": {"some": None}}),
    ("deep", "{err = {}}", {"err": None}),
    ("lists", "{}", []),
    ("lists", "nil", None),
    ("record", "{b = 1}", {"a": None, "b": 1}),
    ("variant", "{}", {"x": None}),
    ("variant", "{x = {}}", {"x": None}),
    ("first", "{json.null, 5}", [None, 5]),
    ("list", "{1, json.null, 3}", [1, None, 3]),
    ("three", "json.null", None),
    ("result", "{err = json.null}", {"err": None}),
    ("record", "{a = json.null, b = 1}", {"a": None, "b": 1}),
]
REFUSED = [
    ("list", "{[1000000] = 1}", "a table with gaps between its integer keys"),
    ("list", "{[0] = 1}", "a table with gaps between its integer keys"),
    ("list", "{1, x = 2}", "a table with both"),
    ("list", "{1, 2, n = 1}", "a table with both"),
    ("first", "{nil, 5, 7}", "expected tuple<option<u32>, u32>, got a list of 3"),
    ("result", "{}", "expected result<option<u32>, option<u32>>, got a list of 0"),
]
RELAYED: list[tuple[str, Any]] = [
    *(("first", value) for value in ([None, 5], [1, 5])),
    *(("both", value) for value in ([None, None], [1, None], [None, 1])),
    *(("list", value) for value in ([], [1, None, None], [None] * 5, [None] * 1000 + [1, None])),
    *(("three", value) for value in (None, {"some": None}, {"some": {"some": None}}, 5)),
    *(("result", value) for value in ({"ok": None}, {"err": None}, {"ok": 1})),
    ("results", [{"ok": None}, {"err": None}]),
    *(("deep", value) for value in ({"ok": None}, {"ok": {"some": None}}, {"err": None})),
    *(("lists", value) for value in (None, {"some": None}, [], [1])),
    *(("record", value) for value in ({"a": None, "b": None}, {"a": 1, "b": None})),
]


def lua_source() -> str:
    codes = dict.fromkeys(code for _, code, *_ in (*LITERALS, *REFUSED))
    literals = ", ".join(f"[ [==[{code}]==] ] = function() return {code} end" for code in codes)
    return f"""
local funcs, json = require("funcs"), require("json")
local literals = {{ {literals} }}
local function keep(value, problem)
  if problem then return nil, problem end
  return funcs.call("py:keep", value)
end
return {{
  literal = function(target, code, padding)
    return keep(funcs.call(target, literals[code](), table.unpack(padding)))
  end,
  relay = function(target, padding, value)
    local first, problem = funcs.call(target, value, table.unpack(padding))
    if problem then return nil, problem end
    return keep(funcs.call(target, first, table.unpack(padding)))
  end,
  changed = function(value)
    value[#value + 1] = 7
    return funcs.call("py:keep", value)
  end,
  give = function() return {{ 1, nil, 3 }} end,
}}"""


@pytest.fixture(scope="module")
def kept() -> list[Any]:
    return []


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, kept: list[Any]) -> Iterator[polycall.Registry]:
    folder = tmp_path_factory.mktemp("options")
    (folder / "main.lua").write_text(lua_source())
    index = "namespace: app\nentries:\n"
    for method in ("literal", "relay", "changed", "give"):
        entry = f"name: {method}, kind: function.lua, modules: [funcs, json], source: file://main.lua, method: {method}"
        index += f"  - {{{entry}}}\n"
    for name, wit_type in TYPES.items():
        (folder / f"{name}.wat").write_text(echo_component_wat(wit_type))
        index += f"  - {{name: {name}, kind: function.wat, source: file://{name}.wat, method: echo}}\n"
        (folder / f"core-{name}.wat").write_text(core_echo_wat(wit_type))
        (folder / f"{name}.wit").write_text(core_echo_wit(wit_type))
        index += f"  - {{name: core-{name}, kind: function.wat, source: file://core-{name}.wat, method: echo, wit: file://{name}.wit}}\n"
    with polycall.load(write_project(folder, index=index)) as registry:
        registry.function("py:keep")(kept.append)
        yield registry


@pytest.mark.parametrize("form", ["", "core-"], ids=["component", "core module"])
@pytest.mark.parametrize("literal", LITERALS)
def test_what_lua_writes_arrives_as_the_type_reads_it(
    registry: polycall.Registry, kept: list[Any], form: str, literal: tuple[str, str, Any]
) -> None:
    name, code, expected = literal
    kept.clear()
    registry.call("app:literal", f"app:{form}{name}", code, PADDING)
    # Seen from Python, which needs no type to tell all of them apart.
    assert kept == [expected]


@pytest.mark.parametrize(("name", "code", "got"), REFUSED)
def test_what_no_type_can_read_is_refused(registry: polycall.Registry, name: str, code: str, got: str) -> None:
    with pytest.raises(polycall.PolycallError) as caught:
        registry.call("app:literal", f"app:{name}", code, PADDING)
    assert got in str(caught.value)


@pytest.mark.parametrize("form", ["", "core-"], ids=["component", "core module"])
@pytest.mark.parametrize(("name", "value"), RELAYED)
def test_what_lua_passes_on_arrives_as_it_was(
    registry: polycall.Registry, kept: list[Any], form: str, name: str, value: Any
) -> None:
    kept.clear()
    registry.call("app:relay", f"app:{form}{name}", PADDING, value)
    assert kept == [value]


def test_a_table_that_a_guest_has_changed_is_what_it_is_now(registry: polycall.Registry, kept: list[Any]) -> None:
    kept.clear()
    registry.call("app:changed", [None, None])
    assert kept == [[7]]


def test_a_hole_in_a_result_is_an_error_as_nobody_tells_what_it_is_for(registry: polycall.Registry) -> None:
    with pytest.raises(polycall.ConversionError, match=r"a sequence with holes|gaps"):
        registry.call("app:give")
