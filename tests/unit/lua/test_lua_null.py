"""Null and empty objects survive Lua; `json.null` and `json.object` write them; `funcs.try` unwraps."""

from __future__ import annotations

import pytest

from lua_guests import run
from polycall.interop.errors import ConversionError
from polycall.interop.values import Value

pytestmark = pytest.mark.under_every_limit

JSON = "local json = require('json') "


@pytest.mark.parametrize(
    "text", ['{"a":null,"b":{}}', "[1,null,3]", "[null]", "{}", "[]", '[{},[],{"x":{"y":null}}]', "null", '{"a":[{}]}']
)
def test_what_is_decoded_is_encoded_unchanged(text: str) -> None:
    assert run(JSON + "return json.encode(json.decode(...))", text) == text


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ("v.c = 1", {"a": None, "b": {}, "c": 1}),
        ("v.a = 1", {"a": 1, "b": {}}),
        ("v.b = nil", {"a": None}),
        ("v.b.x = json.null", {"a": None, "b": {"x": None}}),
        ("v.b[1] = 5", {"a": None, "b": [5]}),
        ("v.a = json.object()", {"a": {}, "b": {}}),
        ("v = { v.b, json.null, {} }", [{}, None, []]),
    ],
)
def test_what_a_guest_changes_leaves_the_rest_as_it_came(change: str, result: Value) -> None:
    assert run(f"{JSON} local v = ... {change} return v", {"a": None, "b": {}}) == result


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ("v[2] = 2", [1, 2, 3]),
        ("v[1] = 7", [7, None, 3]),
        ("v[2] = json.null v[4] = 4", [1, None, 3, 4]),
        ("v = table.pack(nil, 5, nil)", [None, 5, None]),
    ],
)
def test_a_list_with_a_hole_is_one_as_long_as_its_length_is_known(change: str, result: Value) -> None:
    assert run(f"{JSON} local v = ... {change} return v", [1, None, 3]) == result


def test_a_hole_of_the_guest_s_own_is_refused_with_advice() -> None:
    with pytest.raises(ConversionError, match=r"gaps between its integer keys \(json\.null stands for nothing\)"):
        run("return { [1] = 1, [3] = 3 }")
    with pytest.raises(ConversionError, match="gaps"):
        run("local v = ... v[4] = 4 return v", [1, None, 3])


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("json.null", "null"),
        ("{ a = json.null }", '{"a":null}'),
        ("{ json.null, 2, json.null }", "[null,2,null]"),
        ("json.object()", "{}"),
        ("{ a = json.object(), b = {} }", '{"a":{},"b":[]}'),
    ],
)
def test_null_and_the_empty_object_are_written(expression: str, text: str) -> None:
    assert run(f"{JSON} return json.encode({expression})") == text


def test_null_is_one_value_that_is_true_and_knows_its_name() -> None:
    text = JSON + "local n = json.null return { n == json.null, n ~= nil, not n, tostring(n), type(n), n == {} }"
    assert run(text) == [True, True, False, "null", "table", False]
    assert run(JSON + "for _ in pairs(json.null) do return true end return getmetatable(json.null)") is False


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("null.x", "attempt to index a null value"),
        ("(function() null.x = 1 end)()", "attempt to index a null value"),
        ("#null", "attempt to index a null value"),
        ("ipairs(null)(null, 0)", "attempt to index a null value"),
        ("null + 1", "attempt to perform arithmetic on a null value (upvalue 'null')"),
        ("'a' .. null", "attempt to concatenate a null value (upvalue 'null')"),
        ("null()", "attempt to call a null value (upvalue 'null')"),
        ("rawset(null, 1, 1)", "rawset: this table cannot be changed"),
        ("setmetatable(null, {})", "cannot change a protected metatable"),
    ],
)
def test_whoever_takes_null_for_something_is_told(use: str, message: str) -> None:
    text = f"{JSON} local null = json.null return select(2, pcall(function() return {use} end))"
    assert str(run(text)).endswith(message)


def test_null_crosses_as_none_and_arrives_as_nil() -> None:
    text = JSON + "return require('funcs').call('app:x', json.null, { json.null, 2 }, { a = json.null })"
    assert run(text, targets={"app:x": lambda given, _frame: list(given)}) == [None, [None, 2], {"a": None}]
    assert run(JSON + "return json.null") is None
    assert run("return select('#', ...) == 1 and ... == nil", None) is True


def test_with_nulls_shows_what_is_remembered() -> None:
    text = (
        JSON
        + """
      local v = json.with_nulls(json.decode(...))
      local n = json.null
      return { v.a == n, #v.b, v.b[2] == n, v.c.d == n, v.e }"""
    )
    assert run(text, '{"a":null,"b":[1,null,null],"c":{"d":null},"e":1}') == [True, 3, True, True, 1]
    assert run(JSON + "return json.with_nulls(json.decode('null')) == json.null") is True
    assert run(JSON + "local v, err = json.with_nulls(json.decode('{')) return { v == nil, err:kind() }") == [
        True, "Internal",
    ]  # fmt: skip
    assert run(JSON + "local v = {} v.v = v return json.with_nulls(v) == v and json.with_nulls(5)") == 5
    assert run(JSON + "return json.with_nulls(...)", [None, {"a": None}]) == [None, {"a": None}]


def test_a_table_that_remembers_is_an_ordinary_table_to_the_guest() -> None:
    text = """
      local empty, record, list = ...
      local seen = { getmetatable(empty) == nil, getmetatable(record) == nil, getmetatable(list) == nil }
      setmetatable(empty, { __index = { x = 1 } })
      local object = setmetatable({}, record)
      record.__index = function() return 'indexed' end
      seen[4], seen[5], seen[6] = empty.x, object.anything, getmetatable(object) == record
      seen[7] = getmetatable(record) == nil
      return seen"""
    assert run(text, {}, {"a": None}, [None]) == [True, True, True, 1, "indexed", True, True]


TRY = """
  local value, err = require('funcs').try('app:x')
  return table.pack(true, value, err and err:message(), err and err:kind(), err and err:details())"""


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"ok": 5}, [5, None, None, None]),
        ({"ok": None}, [None, None, None, None]),
        ({"ok": {"err": 1}}, [{"err": 1}, None, None, None]),
        ({"err": "sold out"}, [None, "sold out", "", None]),
        ({"err": {"sold-out": 3}}, [None, "sold-out", "", {"sold-out": 3}]),
        ({"err": {"code": 1, "text": "x"}}, [None, "app:x gave an err", "", {"code": 1, "text": "x"}]),
        ({"err": None}, [None, "app:x gave an err", "", None]),
        ({"err": True}, [None, "app:x gave an err", "", None]),
        ({"ok": 1, "more": 2}, [{"ok": 1, "more": 2}, None, None, None]),
        ({"ok": 1, "more": None}, [{"ok": 1, "more": None}, None, None, None]),
        ({}, [{}, None, None, None]),
        ([1], [[1], None, None, None]),
        ("plain", ["plain", None, None, None]),
        (None, [None, None, None, None]),
    ],
)
def test_try_unwraps_a_result(answer: Value, result: list[Value]) -> None:
    assert run(TRY, targets={"app:x": lambda _given, _frame: answer}) == [True, *result]


def test_try_of_a_call_that_fails_is_what_call_is() -> None:
    text = "local v, err = require('funcs').try('app:gone') return { v == nil, err:kind() }"
    assert run(text) == [True, "NotFound"]
    assert run("local v, err = require('funcs').try() return { v == nil, err:message() }") == [
        True, "function ID required",
    ]  # fmt: skip
