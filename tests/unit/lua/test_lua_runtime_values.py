from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from lua_guests import Target, run
from polycall.interop.errors import ConversionError
from polycall.interop.limits import LimitsSpec
from polycall.interop.values import MAX_NESTING, Value

pytestmark = pytest.mark.under_every_limit

ECHO = "return (...)"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -1,
        2**63 - 1,
        -(2**63),
        0.0,
        2.0,
        -2.5,
        math.inf,
        "",
        "text",
        "naïve 日本",
        "nul\0inside",
        b"\xff\xfe",
        [],
        [1, 2, 3],
        [[1], [2, [3]]],
        {"a": 1},
        {"kebab-key": {"list": [1.5, "x", True]}},
        [{"id": 1}, {"id": 2}],
        {},
        {"a": None, "b": {}},
        [1, None, 3],
        [None, None],
        [[], {}, {"x": {"y": None}}],
    ],
)
def test_a_value_comes_back_from_lua_as_it_went(value: Value) -> None:
    result = run(ECHO, value)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("value", "back"),
    [(b"ascii", "ascii"), ({"b": 1, "a": 2}, {"a": 2, "b": 1}), ({"b": None, "a": 2}, {"a": 2, "b": None})],
)
def test_what_lua_cannot_tell_apart_comes_back_in_one_form(value: Value, back: Value) -> None:
    result = run(ECHO, value)
    assert result == back
    if isinstance(result, dict) and isinstance(back, dict):
        assert list(result) == list(back)


def test_nan_comes_back_as_nan() -> None:
    result = run(ECHO, math.nan)
    assert isinstance(result, float)
    assert math.isnan(result)


def test_lua_sees_the_types_it_should() -> None:
    text = "local r = {} for i, v in ipairs({...}) do r[i] = math.type(v) or type(v) end return r"
    assert run(text, 1, 1.0, "s", b"\xff", [1], {"a": 1}, True) == [
        "integer", "float", "string", "string", "table", "table", "boolean",
    ]  # fmt: skip


def test_none_in_a_list_is_a_hole() -> None:
    assert run("local t = ... return { t[1], t[2] == nil, t[3] }", [1, None, 3]) == [1, True, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([2**63], "$.args[0]: expected an integer of 64 bits with sign, got 9223372036854775808"),
        ([1, -(2**63) - 1], "$.args[1]: expected an integer of 64 bits with sign, got -9223372036854775809"),
        ([{"users": [{"id": 1}, {"id": 2**70}]}], "$.args[0].users[1].id: expected an integer of 64 bits"),
        (["\ud800"], "$.args[0]: expected text without lone surrogates"),
        ([{"\ud800": 1}], "expected text without lone surrogates"),
    ],
)
def test_an_argument_that_lua_cannot_hold_is_refused_with_its_path(arguments: Sequence[Value], message: str) -> None:
    with pytest.raises(ConversionError) as caught:
        run(ECHO, *arguments)
    assert message in caught.value.message
    assert caught.value.direction == "lower"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("return { users = { { id = 1 }, { id = 2, [1] = 3 } } }",
         "$.result.users[1]: expected a sequence or string keys, got a table with both"),
        ("return { [1] = 1, [3] = 3 }", "$.result: expected a sequence or string keys, got a table with gaps"),
        ("return { [0] = 1 }", "$.result: expected a sequence or string keys, got a table with gaps"),
        ("return { x = { [1.5] = 1 } }", "$.result.x: expected a sequence or string keys, got a table with a key"),
        ("return { [true] = 1 }", "got a table with a key that is a boolean"),
        ("return { f = print }", "$.result.f: expected a plain value, got a function"),
        ("return print", "$.result: expected a plain value, got a function"),
        ("return { coroutine.create(print) }", "$.result[0]: expected a plain value, got a thread"),
        ("return { e = errors.new('x') }", "$.result.e: expected a plain value, got an error object"),
        ("return errors.new('x')", "$.result: expected a plain value, got an error object"),
        ("return { ['\\xff'] = 1 }", "$.result: expected keys in UTF-8"),
        ("local t = {} t.t = t return t", "$.result: expected at most 128 levels of nesting"),
    ],
)  # fmt: skip
def test_a_result_that_cannot_travel_is_refused_with_its_path(text: str, message: str) -> None:
    with pytest.raises(ConversionError) as caught:
        run(text)
    assert message in caught.value.message
    assert caught.value.direction == "lift"


def test_nesting_up_to_the_limit_passes_both_ways_and_one_more_does_not() -> None:
    deep: Value = []
    for _ in range(MAX_NESTING - 1):
        deep = [deep]
    assert run(ECHO, deep) == deep
    with pytest.raises(ConversionError, match="at most 128 levels"):
        run(ECHO, [deep])
    with pytest.raises(ConversionError, match="at most 128 levels"):
        run("return { ... }", deep)


def test_reading_a_result_runs_no_metamethod() -> None:
    text = """
      local touched = false
      local function touch() touched = true return 5 end
      local t = setmetatable({ 1, 2 }, { __index = touch, __len = touch, __pairs = touch, __tostring = touch })
      local first = true
      return { t, touched }"""
    assert run(text) == [[1, 2], False]


@pytest.mark.parametrize("count", [1, 127, 128, 129, 7_999, 8_000, 8_001, 50_000])
def test_lists_of_any_length_cross_whole(count: int) -> None:
    numbers: Value = list(range(count))
    assert run(ECHO, numbers) == numbers


@pytest.mark.parametrize("count", [7_997, 7_998, 7_999, 8_000, 20_000])
def test_many_arguments_cross_whole(count: int) -> None:
    assert run("return select('#', ...)", *range(count)) == count


def test_long_values_cross_whole_to_and_from_host_functions() -> None:
    numbers: Value = list(range(30_000))
    text = "local r, err = require('funcs').call('app:echo', ...) return r, err"
    assert run(text, numbers, targets={"app:echo": lambda arguments, _frame: arguments[0]}) == numbers


def test_long_values_cross_whole_under_a_memory_limit() -> None:
    numbers: Value = list(range(30_000))
    text = "local r, err = require('funcs').call('app:echo', ...) return r, err"
    targets: dict[str, Target] = {"app:echo": lambda arguments, _frame: arguments[0]}
    assert run(text, numbers, targets=targets, limits=LimitsSpec(max_memory_bytes=50_000_000)) == numbers
