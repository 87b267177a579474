from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

# ruff: noqa: UP007, UP045  # as people write it
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict, Union

import pytest

import polycall
from polycall.interop.errors import ConversionError
from polycall.interop.typed import checked


class Line(TypedDict):
    sku: str
    count: int
    note: NotRequired[str]


class Tree(TypedDict):
    value: int
    children: list[Tree]


class Event(TypedDict):
    name: str
    payload: polycall.Value


Kebab = TypedDict("Kebab", {"unit-price": float})


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        (None, None), (bool, True), (int, 5), (float, 5.5), (float, 5), (str, "x"), (bytes, b"x"),
        (Any, [1, "x"]), (object, {"a": None}), (polycall.Value, [1]), (list, [1, "x"]), (dict, {"a": 1}),
        (list[int], []), (list[int], [1, 2]), (list[list[str]], [["a"], []]), (Sequence[int], [1]),
        (tuple[int, ...], [1, 2]), (tuple[int, str], [1, "x"]), (dict[str, int], {"a": 1}),
        (Mapping[str, Any], {"a": [None]}),
        (int | None, None), (Optional[str], "x"), (Union[int, str], "x"), (list[int] | dict[str, int], {"a": 1}),
        (Literal["a", 1], 1), (Annotated[int, "cents"], 5), (Kebab, {"unit-price": 1.5}),
        (Event, {"name": "x", "payload": [{"a": None}]}), (list[polycall.Value], [1, "x"]),
        (Line, {"sku": "a", "count": 1}), (Line, {"sku": "a", "count": 1, "note": "n", "more": None}),
        (list[Line], [{"sku": "a", "count": 1}]), (Tree, {"value": 1, "children": [{"value": 2, "children": []}]}),
    ],
    ids=str,
)  # fmt: skip
def test_a_value_of_the_type_is_returned_as_it_is(wanted: Any, value: Any) -> None:
    assert checked(value, wanted) is value


@pytest.mark.parametrize(
    ("wanted", "value", "told"),
    [
        (int, True, "$.result: expected int, got true"),
        (bool, 1, "$.result: expected bool, got 1"),
        (int, 1.0, "$.result: expected int, got 1.0"),
        (float, "1", '$.result: expected float, got "1"'),
        (str, b"x", "$.result: expected str, got 1 bytes"),
        (None, 0, "$.result: expected None, got 0"),
        (list[int], {"a": 1}, "$.result: expected a list, got a record with the keys a"),
        (list[int], [1, "x"], '$.result[1]: expected int, got "x"'),
        (tuple[int, str], [1], "$.result: expected a list of 2, got a list of 1"),
        (dict[str, list[int]], {"a": [1, None]}, "$.result.a[1]: expected int, got nothing (None)"),
        (int | None, "x", '$.result: expected int | None, got "x"'),
        (list[int] | None, [1, "x"], '$.result[1]: expected int, got "x"'),
        (Literal["a", 1], True, "$.result: expected typing.Literal['a', 1], got true"),
        (Line, {"sku": "a"}, '$.result: expected a record with "count" (Line), got a record with the keys sku'),
        (Line, {"sku": "a", "count": "1"}, '$.result.count: expected int, got "1"'),
        (Line, {"sku": "a", "count": 1, "note": None}, "$.result.note: expected str, got nothing (None)"),
        (Line, [], "$.result: expected a record (Line), got a list of 0"),
        (Tree, {"value": 1, "children": [{"value": 2}]}, '$.result.children[0]: expected a record with "children" ('),
    ],
    ids=str,
)  # fmt: skip
def test_any_other_value_is_refused_where_it_differs(wanted: Any, value: Any, told: str) -> None:
    with pytest.raises(ConversionError) as caught:
        checked(value, wanted)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("wanted", [Decimal, set[int], dict[int, str], list[Decimal], "Line", 5, tuple], ids=str)
def test_a_type_that_no_plain_value_has_is_an_error_of_its_own(wanted: Any) -> None:
    with pytest.raises(TypeError, match="a result cannot be checked to be"):
        checked(1, wanted)
