"""Which plain values fit which WIT type, what they become, and what is said of those that do not fit."""

from __future__ import annotations

import math
from typing import Any

import pytest

from polycall.interop.errors import ConversionError
from polycall.wasm_runtime.wit.check_values import Mismatch, compile_check
from polycall.wasm_runtime.wit.signature import ArgumentCheck, Signature
from polycall.wasm_runtime.wit.wit_types import (
    INTEGER_RANGES,
    EnumType,
    FixedListType,
    FlagsType,
    HandleType,
    ListType,
    MapType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
)

U32, STRING, BYTES = Primitive("u32"), Primitive("string"), ListType(Primitive("u8"))
USER = RecordType((("id", U32), ("tag-count", OptionType(U32))))
SHAPE = VariantType((("point", None), ("circle", Primitive("f64"))))
COLOR = EnumType(("red", "green"))
ACCESS = FlagsType(("read", "write", "execute"))
NESTED = OptionType(OptionType(U32))
DEEPER = OptionType(NESTED)
TRIPLE, FOUR_BYTES = FixedListType(U32, 3), FixedListType(Primitive("u8"), 4)
PRICES, NUMBERED = MapType(STRING, U32), MapType(U32, STRING)
CART, THING = HandleType("own", 0, "cart"), object()
SOME_RECORD = OptionType(OptionType(RecordType((("some", OptionType(U32)),))))


@pytest.mark.parametrize(
    ("wit_type", "value", "normal"),
    [
        (Primitive("bool"), True, True),
        (Primitive("u8"), 2.0, 2),
        (Primitive("s64"), -9007199254740992.0, -9007199254740992),
        (Primitive("f64"), 1, 1.0),
        (Primitive("f32"), 0.1, 0.10000000149011612),
        (Primitive("f32"), math.inf, math.inf),
        (Primitive("char"), "ü", "ü"),
        (Primitive("char"), "ü".encode(), "ü"),
        (STRING, b"text", "text"),
        (STRING, "", ""),
        (BYTES, "text", b"text"),
        (BYTES, [0, 255, 7.0], b"\x00\xff\x07"),
        (BYTES, {}, b""),
        (ListType(U32), {}, []),
        (TupleType((U32, STRING)), [1.0, b"x"], [1, "x"]),
        (USER, {"id": 1}, {"id": 1, "tag-count": None}),
        (USER, {"tag-count": 3, "id": 1}, {"id": 1, "tag-count": 3}),
        (RecordType((("note", OptionType(STRING)),)), [], {"note": None}),
        (SHAPE, {"point": True}, {"point": True}),
        (SHAPE, {"point": None}, {"point": True}),
        (SHAPE, {"circle": 1}, {"circle": 1.0}),
        (ResultType(None, STRING), {"ok": True}, {"ok": True}),
        (ResultType(None, STRING), {"ok": None}, {"ok": True}),
        (ResultType(None, STRING), {"err": b"no"}, {"err": "no"}),
        (COLOR, "green", "green"),
        (COLOR, 1, "green"),
        (COLOR, 0.0, "red"),
        (ACCESS, ["write", "read", "write"], ["read", "write"]),
        (ACCESS, {}, []),
        (OptionType(U32), None, None),
        (OptionType(U32), 5, 5),
        (NESTED, None, None),
        (NESTED, {"some": None}, {"some": None}),
        (NESTED, 5, 5),
        (NESTED, {"some": 5}, 5),
        (DEEPER, {"some": {"some": None}}, {"some": {"some": None}}),
        (DEEPER, {"some": None}, {"some": None}),
        (SOME_RECORD, {"some": {"some": None}}, {"some": {"some": None}}),
        (SOME_RECORD, {"some": {"some": 1}}, {"some": {"some": 1}}),
        (SOME_RECORD, {"some": None}, {"some": None}),
        (TRIPLE, [1, 2.0, 3], [1, 2, 3]),
        (FOUR_BYTES, b"abcd", b"abcd"),
        (FOUR_BYTES, [1, 2, 3, 4.0], b"\1\2\3\4"),
        (FOUR_BYTES, "abcd", b"abcd"),
        (PRICES, {"b": 1.0, "a": 2}, [["b", 1], ["a", 2]]),
        (PRICES, [["a", 1], ["a", 2]], [["a", 1], ["a", 2]]),
        (PRICES, {}, []),
        (NUMBERED, [[1.0, b"x"]], [[1, "x"]]),
        (NUMBERED, {}, []),
        (ResultType(OptionType(PRICES), None), {"ok": []}, {"ok": []}),
        (CART, THING, THING),
        (OptionType(CART), None, None),
    ],
)
def test_a_value_that_fits_gets_its_normal_form(wit_type: WitType, value: Any, normal: Any) -> None:
    checked = compile_check(wit_type)(value)
    assert checked == normal
    assert type(checked) is type(normal)
    assert compile_check(wit_type)(checked) == checked


@pytest.mark.parametrize("name", sorted(INTEGER_RANGES))
def test_an_integer_is_held_to_the_range_of_its_type(name: str) -> None:
    values = INTEGER_RANGES[name]
    check = compile_check(Primitive(name))
    assert check(values.start) == values.start
    assert check(values.stop - 1) == values.stop - 1
    for outside in (values.start - 1, values.stop, float(values.stop), 0.5, math.nan, math.inf, True, "1", None):
        with pytest.raises(Mismatch):
            check(outside)


@pytest.mark.parametrize(
    ("wit_type", "value", "message"),
    [
        (TRIPLE, [1, 2], "$: expected list<u32, 3>, got a list of 2"),
        (TRIPLE, [1, 2, "x"], '$[2]: expected u32, got "x"'),
        (FOUR_BYTES, b"abc", "$: expected list<u8, 4>, got 3 bytes"),
        (PRICES, {"a": -1}, "$.a: expected u32, got -1"),
        (PRICES, [["a"]], "$[0]: expected tuple<string, u32>, got a list of 1"),
        (PRICES, "x", '$: expected map<string, u32>, got "x"'),
        (NUMBERED, [[1, 2]], "$[0][1]: expected string, got 2"),
        (NUMBERED, {"1": "x"}, '$.1: expected u32, got "1"'),
        (CART, "cart", '$: expected own<cart>, got "cart"'),
        (CART, None, "$: expected own<cart>, got nothing (None)"),
        (U32, "x", '$: expected u32, got "x"'),
        (U32, 2.5, "$: expected u32, got 2.5"),
        (U32, True, "$: expected u32, got true"),
        (Primitive("bool"), 1, "$: expected bool, got 1"),
        (Primitive("f64"), True, "$: expected f64, got true"),
        (Primitive("f64"), 10**400, "$: expected f64, got an integer of 1329 bits"),
        (Primitive("f32"), 1e300, "$: expected f32, got 1e+300"),
        (Primitive("f32"), "x", '$: expected f32, got "x"'),
        (Primitive("char"), "ab", '$: expected char, got "ab", 2 characters'),
        (Primitive("char"), 97, "$: expected char, got 97"),
        (STRING, b"\xff", "$: expected string, got 1 bytes that are not UTF-8"),
        (STRING, "\ud800", "$: expected string, got text with half of a surrogate pair"),
        (STRING, 1, "$: expected string, got 1"),
        (BYTES, "\ud800", "$: expected list<u8>, got text with half of a surrogate pair"),
        (BYTES, [1, 256], "$[1]: expected u8, got 256"),
        (ListType(USER), [{"id": 1}, {"id": "x"}], '$[1].id: expected u32, got "x"'),
        (ListType(U32), {"a": 1}, "$: expected list<u32>, got a record with the keys a"),
        (TupleType((U32, U32)), [1], "$: expected tuple<u32, u32>, got a list of 1"),
        (TupleType((U32, U32)), [1, "x"], '$[1]: expected u32, got "x"'),
        (USER, {}, "$.id: expected u32, got no such key"),
        (
            USER,
            {"id": 1, "tag_count": 2},
            '$: expected the keys id, tag-count, got the key "tag_count" (did you mean "tag-count"?)',
        ),
        (USER, {"ids": 1}, '$: expected the keys id, tag-count, got the key "ids" (did you mean "id"?)'),
        (USER, [1], "$: expected record {id: u32, tag-count: option<u32>}, got a list of 1"),
        (SHAPE, {"square": 1}, '$: expected one of the keys point, circle, got the key "square"'),
        (
            SHAPE,
            {"cirkle": 1},
            '$: expected one of the keys point, circle, got the key "cirkle" (did you mean "circle"?)',
        ),
        (SHAPE, {"point": 1}, "$.point: expected true (the case has no payload), got 1"),
        (SHAPE, {"circle": None}, "$.circle: expected f64, got nothing (None)"),
        (SHAPE, "point", '$: expected variant {point, circle(f64)}, got "point" (write {"point": true})'),
        (SHAPE, "circle", '$: expected variant {point, circle(f64)}, got "circle" (write {"circle": ...})'),
        (
            ResultType(U32, STRING),
            {"ok": 1, "err": "x"},
            "$: expected result<u32, string>, got a record with the keys ok, err "
            "(a table with exactly one of the keys ok, err)",
        ),
        (COLOR, "gren", '$: expected enum {red, green}, got "gren" (did you mean "green"?)'),
        (COLOR, 2, "$: expected enum {red, green}, got 2"),
        (COLOR, -1, "$: expected enum {red, green}, got -1"),
        (COLOR, True, "$: expected enum {red, green}, got true"),
        (ACCESS, ["reed"], '$[0]: expected one of read, write, execute, got "reed" (did you mean "read"?)'),
        (ACCESS, 3, "$: expected flags {read, write, execute}, got 3"),
        (OptionType(U32), "x", '$: expected u32, got "x"'),
        (NESTED, {"some": "x"}, '$.some: expected u32, got "x"'),
        (NESTED, {"other": 1}, "$: expected u32, got a record with the keys other"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_path_expected_and_got(
    wit_type: WitType, value: Any, message: str
) -> None:
    with pytest.raises(Mismatch) as caught:
        compile_check(wit_type)(value)
    assert str(caught.value.error("$", "lower")).startswith(message)


def test_a_long_type_is_cut_in_messages() -> None:
    wide = RecordType(tuple((f"field-number-{index}", U32) for index in range(50)))
    with pytest.raises(Mismatch) as caught:
        compile_check(wide)(1)
    assert len(str(caught.value.error("$", "lower"))) < 140


@pytest.mark.parametrize("value", [None, True, 1, 1.0, "1", b"1", [], {}])
def test_no_plain_value_is_a_handle(value: object) -> None:
    check = compile_check(HandleType("own", 0, "cart"))
    with pytest.raises(Mismatch) as caught:
        check(value)
    assert str(caught.value.expected) == "own<cart>"
    handle = object()
    assert check(handle) is handle


ADD = ArgumentCheck(Signature((("a", Primitive("s32")), ("note", OptionType(STRING))), None))


def test_the_path_of_an_argument_begins_with_its_index() -> None:
    signature = Signature((("team", RecordType((("users", ListType(USER)),))),), None)
    with pytest.raises(ConversionError) as caught:
        ArgumentCheck(signature)([{"users": [{"id": 1}, {"id": 2}, {"id": "x"}]}])
    assert str(caught.value) == '$.args[0].users[2].id: expected u32, got "x"'
    assert caught.value.direction == "lower"


def test_trailing_options_may_be_left_out() -> None:
    assert ADD([1]) == [1, None]
    assert ADD([1, "x"]) == [1, "x"]


@pytest.mark.parametrize(
    ("signature", "arguments", "message"),
    [
        (Signature((("a", U32), ("b", U32)), None), [1], "$.args: expected 2 arguments (a: u32, b: u32), got 1"),
        (Signature((("a", U32),), None), [1, 2, 3], "$.args: expected 1 argument (a: u32), got 3"),
        (Signature((), None), [1], "$.args: expected no arguments, got 1"),
    ],
)
def test_the_wrong_number_of_arguments_is_told_with_the_right_one(
    signature: Signature, arguments: list[Any], message: str
) -> None:
    with pytest.raises(ConversionError) as caught:
        ArgumentCheck(signature)(arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("params", "payload", "arguments"),
    [
        ((STRING,), '{"a": 1}', ['{"a": 1}']),
        ((BYTES,), "text", ["text"]),
        ((BYTES,), b"\xff", [b"\xff"]),
        ((U32,), "5", [5]),
        ((U32, U32), "[1, 2]", [1, 2]),
        ((ListType(U32),), "[[1, 2]]", [[1, 2]]),
        ((USER,), b'{"id": 1}', [{"id": 1}]),
        ((), "", []),
        ((), b"", []),
        ((), "[]", []),
    ],
)
def test_a_payload_becomes_the_arguments_that_the_signature_takes(
    params: tuple[WitType, ...], payload: str | bytes, arguments: list[Any]
) -> None:
    signature = Signature(tuple((f"p{index}", wit_type) for index, wit_type in enumerate(params)), None)
    assert signature.payload_form.arguments(payload) == arguments


def test_a_payload_that_should_be_json_and_is_not_is_a_conversion_error() -> None:
    with pytest.raises(ConversionError, match="expected JSON text"):
        Signature((("a", U32),), None).payload_form.arguments("five")
