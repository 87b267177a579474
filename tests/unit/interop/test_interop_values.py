from __future__ import annotations

from collections import OrderedDict
from collections.abc import ItemsView, Iterator, Mapping
from decimal import Decimal
from enum import Enum, IntEnum
from typing import NoReturn

import pytest
from hypothesis import given

from polycall.interop.errors import ConversionError
from polycall.interop.values import MAX_NESTING, Value, describe, plain
from strategies import plain_values


@given(plain_values())
def test_a_plain_value_passes_unchanged(value: Value) -> None:
    assert plain(value) == value


class _Level(IntEnum):
    HIGH = 3


class _Colour(str, Enum):  # noqa: UP042  # StrEnum would hide what is tested: this one's text is not its content
    RED = "red"


class _Text(str):
    __slots__ = ()


def _lies(*_: object) -> NoReturn:
    raise RuntimeError("a method of the subclass was asked")


class _LyingText(str):
    __slots__ = ()
    __str__ = __repr__ = __len__ = __iter__ = __getitem__ = _lies


class _LyingInteger(int):
    __int__ = __index__ = __str__ = __repr__ = __float__ = _lies


class _LyingNumber(float):
    __float__ = __int__ = __str__ = __repr__ = _lies


class _LyingBytes(bytes):
    __bytes__ = __len__ = __iter__ = __getitem__ = _lies


class _LyingArray(bytearray):
    __bytes__ = __len__ = __iter__ = __getitem__ = _lies


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        (OrderedDict(a=(1,)), {"a": [1]}),
        (_Level.HIGH, 3),
        ([_Text("x")], ["x"]),
        (_Colour.RED, "red"),
        ({_Colour.RED: _Colour.RED}, {"red": "red"}),
    ],
)
def test_relatives_of_plain_types_become_plain(given_value: object, expected: Value) -> None:
    result = plain(given_value)
    assert result == expected
    assert type(result) is type(expected)
    if isinstance(result, dict):
        assert {type(part) for pair in result.items() for part in pair} <= {str, list}


def test_a_subclass_is_not_asked_for_its_content() -> None:
    lies = [_LyingText("x"), _LyingInteger(7), _LyingNumber(2.5), _LyingBytes(b"xy"), _LyingArray(b"xy")]
    result = plain(lies)
    assert result == ["x", 7, 2.5, b"xy", b"xy"]
    assert isinstance(result, list)
    assert [type(item) for item in result] == [str, int, float, bytes, bytes]


_ODD_ITEMS = [(1, 2), _Text("x"), _Level.HIGH, True, bytearray(b"x"), OrderedDict(a=1), {_Text("k"): 1}, [[]], {}, None]


@pytest.mark.parametrize("odd", _ODD_ITEMS)
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("row", [1, [1, "x"], {"a": 1, "b": None}])
def test_among_values_that_are_flat_one_that_is_not_becomes_plain(row: Value, at: int, odd: object) -> None:
    rows: list[object] = [row] * 2
    rows.insert(at, odd)
    walked = [plain(each) for each in rows]
    assert _types(plain(rows)) == _types(plain(tuple(rows))) == _types(walked)
    assert _types(plain({"k": rows})) == _types({"k": walked})
    assert _types(plain([rows] * 2)) == _types([walked] * 2)
    assert _types(plain([{"a": rows}] * 2)) == _types([{"a": walked}] * 2)
    inside, plain_odd = plain([[row, odd], [odd, row], {"a": odd, "b": row}]), plain(odd)
    assert _types(inside) == _types([[row, plain_odd], [plain_odd, row], {"a": plain_odd, "b": row}])


def _types(value: Value) -> object:
    """Returns a value with the types of all that is in it: 1, True and an enumeration's member are equal to Python."""
    if isinstance(value, list):
        return (list, [_types(each) for each in value])
    if isinstance(value, dict):
        return (dict, [(type(key), key, _types(each)) for key, each in value.items()])
    return (type(value), value)


@pytest.mark.parametrize("bad", [object(), Decimal(1), {1: 2}, {None: 2}, {"a": {(): 1}}])
@pytest.mark.parametrize("row", [1, [1], {"a": 1}])
def test_among_values_that_are_flat_one_that_cannot_travel_is_refused_with_its_path(row: Value, bad: object) -> None:
    for value, path in [
        ([row, row, bad], "$[2]"),
        ([[1], [1, bad]], "$[1][1]"),
        ([{"a": 1}, {"a": 1, "b": bad}], "$[1].b"),
        ({"a": [row], "b": bad}, "$.b"),
        ({"a": bad, 1: 2}, "$.a"),
    ]:
        with pytest.raises(ConversionError) as caught:
            plain(value)
        inner = ".a" if isinstance(bad, dict) and "a" in bad else ""
        assert str(caught.value).startswith(f"{path}{inner}: expected ")


def test_rows_of_scalars_are_not_kept_and_bound_the_nesting_as_all_do() -> None:
    row: dict[str, Value] = {"a": 1}
    items: list[Value] = [1]
    results = plain([row, row]), plain([items, items]), plain({"a": items, "b": 2})
    row["b"] = 2
    items.append(2)
    assert results == ([{"a": 1}] * 2, [[1]] * 2, {"a": [1], "b": 2})
    for innermost in ([1], {"a": 1}):
        deep: object = [innermost, innermost]
        for _ in range(MAX_NESTING - 2):
            deep = [deep]
        assert plain(deep) == deep
        with pytest.raises(ConversionError, match=f"at most {MAX_NESTING} levels of nesting, got more"):
            plain([deep])


def test_nothing_of_the_callers_containers_is_kept() -> None:
    inner: list[Value] = [1]
    outer: list[Value] = [inner]
    result = plain(outer)
    inner.append(2)
    assert result == [[1]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Decimal(1), r"^\$: expected None, bool, int, float, str, bytes, list or dict, got a Decimal"),
        ({"a": [object()]}, r"^\$\.a\[0\]: expected .*, got a object"),
        ({1: 2}, r"^\$: expected str keys, got the key 1"),
    ],
)
def test_what_no_guest_has_is_refused_with_its_path(value: object, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        plain(value)


def _cyclic() -> dict[str, object]:
    inner: list[object] = []
    inner.append([1, {"up": inner}])
    record: dict[str, object] = {"list": inner, "user": {"name": "x"}}
    record["user"] = {"boss": (0, record)}
    return record


def test_a_value_that_contains_itself_is_refused_where_it_does() -> None:
    cyclic: list[object] = []
    cyclic.append(cyclic)
    expected = "expected a value that does not contain itself, got one that refers to itself: it is"
    for value, path, again in [
        (cyclic, "$[0]", "$"),
        ((1, cyclic), "$[1][0]", "$[1]"),
        (_cyclic(), "$.list[0][1].up", "$.list"),
        ({"user": _cyclic()["user"]}, "$.user.boss[1].list[0][1].up", "$.user.boss[1].list"),
    ]:
        with pytest.raises(ConversionError) as caught:
            plain(value)
        assert str(caught.value).startswith(f"{path}: {expected} {again} again")


def test_a_value_that_stands_in_two_places_is_none_that_contains_itself() -> None:
    shared = [1]
    assert plain([shared, {"a": shared}]) == [[1], {"a": [1]}]


def test_a_value_that_is_merely_deep_is_refused_by_its_depth() -> None:
    deep: list[object] = []
    for _ in range(MAX_NESTING):
        deep = [deep]
    with pytest.raises(ConversionError, match=f"at most {MAX_NESTING} levels of nesting, got more"):
        plain(deep)


class _Endless(Mapping[str, object]):
    def __getitem__(self, key: str) -> object:
        raise RuntimeError("asked twice")

    def __iter__(self) -> Iterator[str]:
        return iter(("more",))

    def __len__(self) -> int:
        return 1

    def items(self) -> ItemsView[str, object]:
        return {"more": _Endless()}.items()


def test_a_mapping_that_gives_ever_new_ones_is_refused_by_its_depth() -> None:
    with pytest.raises(ConversionError, match="levels of nesting"):
        plain(_Endless())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing (None)"),
        (True, "true"),
        (-1, "-1"),
        (2.5, "2.5"),
        ("x", '"x"'),
        ("x" * 99, '"' + "x" * 40 + '..."'),
        (b"abc", "3 bytes"),
        ([1, 2], "a list of 2"),
        ({}, "an empty record"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, "a record with the keys a, b, c, ..."),
        (Decimal(1), "a Decimal"),
        (2**64, "18446744073709551616"),
    ],
)
def test_values_are_described_briefly(value: object, text: str) -> None:
    assert describe(value) == text


def test_an_integer_of_thousands_of_digits_is_described_by_its_size() -> None:
    assert describe(10**5000) == "an integer of 16610 bits"
    assert describe({10**5000: 1}) == "a record with the keys an integer of 166..."


def test_a_long_key_costs_no_more_for_having_many_values_below_it() -> None:
    value: Value = {"k" * 2_000_000: [[1]] * 2_000}
    assert plain(value) == value
