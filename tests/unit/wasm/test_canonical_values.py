"""Every value type: what it looks like in a guest, and that it comes back, in all three encodings."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from crossings import ENCODINGS, FakeGuest, open_guest, signature
from effort import WHOLE
from polycall.interop.values import Value
from polycall.wasm_runtime.canonical.codec import codec
from polycall.wasm_runtime.engine.native import SLOT_BYTES
from polycall.wasm_runtime.wit.wit_types import (
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
from wit_examples import INLINE, NAMED

BOOL, U8, U16, U32, U64 = (Primitive(name) for name in ("bool", "u8", "u16", "u32", "u64"))
S8, S32, F32, F64, CHAR, STRING = (Primitive(name) for name in ("s8", "s32", "f32", "f64", "char", "string"))
CART, LENT = HandleType("own", 0, "cart"), HandleType("borrow", 0, "cart")
THING: Any = object()

MORE: list[tuple[WitType, Any, Any]] = [
    (FixedListType(U8, 4), b"abcd", b"abcd"),
    (FixedListType(U8, 4), [1, 2, 3, 4], b"\1\2\3\4"),
    (FixedListType(U8, 1_000), bytes(1_000), bytes(1_000)),
    (FixedListType(S32, 3), [-1, 2.0, 3], [-1, 2, 3]),
    (FixedListType(F64, 100), [1.5] * 100, [1.5] * 100),
    (FixedListType(BOOL, 40), [True, False] * 20, [True, False] * 20),
    (FixedListType(STRING, 40), ["ü"] * 40, ["ü"] * 40),
    (FixedListType(FixedListType(U8, 2), 2), [b"ab", b"cd"], [b"ab", b"cd"]),
    (MapType(STRING, U32), {"a": 1, "b": 2}, [["a", 1], ["b", 2]]),
    (MapType(STRING, U32), [["a", 1], ["a", 2]], [["a", 1], ["a", 2]]),
    (MapType(STRING, U32), {}, []),
    (MapType(STRING, OptionType(STRING)), {"": None, "x": "y"}, [["", None], ["x", "y"]]),
    (MapType(U32, STRING), [[1, "a"], [1, "b"]], [[1, "a"], [1, "b"]]),
    (MapType(CHAR, U8), [], []),
    (ListType(BOOL), [True, False], [True, False]),
    (ListType(CHAR), ["a", "😀"], ["a", "😀"]),
    (ListType(F32), [0.1, 1], [0.10000000149011612, 1.0]),
    (ListType(Primitive("s64")), [-(2**63), 2**63 - 1], [-(2**63), 2**63 - 1]),
    (ListType(EnumType(("a", "b"))), ["b", 0], ["b", "a"]),
    (STRING, "a" * 513, "a" * 513),
    (STRING, "ÿ" * 513, "ÿ" * 513),
    (STRING, "Ā" * 513, "Ā" * 513),
    (STRING, "\ufeffx", "\ufeffx"),
    (CART, THING, THING),
    (LENT, THING, THING),
    (ListType(CART), [THING, THING], [THING, THING]),
    (OptionType(LENT), None, None),
    (RecordType((("a", CART), ("b", STRING), ("c", LENT))), {"a": THING, "b": "x", "c": THING}, None),
    (ResultType(CART, STRING), {"ok": THING}, {"ok": THING}),
    (TupleType((S32,) * 17), list(range(17)), list(range(17))),
    (TupleType((U8,) * 300), list(range(256)) + [7] * 44, list(range(256)) + [7] * 44),
    (RecordType(tuple((f"f{n}", OptionType(U8)) for n in range(300))), {"f299": 1}, None),
    (VariantType(tuple((f"c{n}", U8 if n % 2 else STRING) for n in range(40))), {"c39": 5}, {"c39": 5}),
    (VariantType(tuple((f"c{n}", U8 if n % 2 else None) for n in range(40))), {"c38": True}, {"c38": True}),
]
EXAMPLES = INLINE + NAMED + MORE


@pytest.fixture(name="guest")
def _guest() -> Iterator[FakeGuest]:
    with open_guest() as guest:
        yield guest


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("wit_type", "value", "normal"), EXAMPLES, ids=[str(each)[:40] for each, _, _ in EXAMPLES])
def test_a_value_comes_back_from_memory_and_from_slots(
    guest: FakeGuest, wit_type: WitType, value: Value, normal: Value, encoding: str
) -> None:
    expected = normal if normal is not None else guest.through_parameters(wit_type, value, encoding)
    assert guest.through_parameters(wit_type, value, encoding) == expected
    assert guest.through_result(wit_type, value, encoding) == expected
    # One more parameter than fits makes all of them go through memory.
    assert guest.through_parameters(TupleType((wit_type, *[U8] * 16)), [value, *range(16)], encoding) == [
        expected,
        *range(16),
    ]
    assert guest.through_parameters(ListType(wit_type), [value], encoding) == (
        expected.to_bytes() if wit_type == U8 and isinstance(expected, int) else [expected]
    )


def _stored(guest: FakeGuest, wit_type: WitType, value: Value, encoding: str = "utf8") -> bytes:
    """Returns a value as it lies in memory: as the one element of a list."""
    guest.fresh()
    how = codec(signature(ListType(TupleType((wit_type,)))), encoding)
    at, length = struct.unpack_from("<I12xI", guest.lower(how, [[[value]]]))
    assert length == 1
    size, boundary = guest.allocated[0]
    assert at % boundary == 0
    return guest.read(at, size)


def _slots(guest: FakeGuest, wit_type: WitType, value: Value) -> list[int]:
    guest.fresh()
    how = codec(signature(wit_type), "utf8")
    raw = guest.lower(how, [value])
    widths = {"i32": 4, "f32": 4, "i64": 8, "f64": 8}
    return [
        int.from_bytes(raw[SLOT_BYTES * index :][: widths[core]], "little")
        for index, core in enumerate(how.lifted_core_type[0])
    ]


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 65_536, 65_537])
def test_the_number_of_a_case_takes_as_many_bytes_as_the_cases_need(guest: FakeGuest, count: int) -> None:
    names = tuple(f"c{n}" for n in range(count))
    stored = _stored(guest, EnumType(names), names[-1])
    assert stored == (count - 1).to_bytes(1 if count <= 256 else 2 if count <= 65_536 else 4, "little")
    assert guest.through_parameters(EnumType(names), names[-1], "utf8") == names[-1]


@pytest.mark.parametrize(("count", "width"), [(1, 1), (8, 1), (9, 2), (16, 2), (17, 4), (32, 4)])
def test_flags_lie_in_bytes_from_the_lowest_bit(guest: FakeGuest, count: int, width: int) -> None:
    names = tuple(f"f{n}" for n in range(count))
    assert _stored(guest, FlagsType(names), [names[-1]]) == (1 << (count - 1)).to_bytes(width, "little")
    assert _stored(guest, FlagsType(names), list(names)) == ((1 << count) - 1).to_bytes(width, "little")


def test_bits_without_a_name_say_nothing(guest: FakeGuest) -> None:
    how = codec(signature(result=FlagsType(("a", "b"))), "utf8")
    assert how.lift_result(bytearray(b"\xfe\xff\xff\xff" + bytes(12)), guest) == ["b"]


@pytest.mark.parametrize(
    ("text", "encoding", "data", "length"),
    [
        ("aé", "utf8", b"a\xc3\xa9", 3),
        ("a😀", "utf8", b"a\xf0\x9f\x98\x80", 5),
        ("aé", "utf16", b"a\0\xe9\0", 2),
        ("a😀", "utf16", b"a\0\x3d\xd8\0\xde", 3),
        ("aé", "latin1+utf16", b"a\xe9", 2),
        ("aĀ", "latin1+utf16", b"a\0\0\1", 2 | 1 << 31),
        ("a😀", "latin1+utf16", b"a\0\x3d\xd8\0\xde", 3 | 1 << 31),
        ("", "utf16", b"", 0),
    ],
)
def test_the_length_of_a_string_counts_code_units_and_its_room_bytes(
    guest: FakeGuest, text: str, encoding: str, data: bytes, length: int
) -> None:
    at, stored = struct.unpack_from("<I12xI", guest.lower(codec(signature(STRING), encoding), [text]))
    assert (guest.read(at, len(data)), stored) == (data, length)
    assert guest.allocated == [(len(data), 1 if encoding == "utf8" else 2)]


def test_the_length_of_a_list_counts_elements(guest: FakeGuest) -> None:
    pair = TupleType((U8, U32))
    at, length = struct.unpack_from("<I12xI", guest.lower(codec(signature(ListType(pair)), "utf8"), [[[1, 2], [3, 4]]]))
    assert length == 2
    assert guest.allocated == [(16, 4)]
    assert guest.read(at, 16) == b"\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0"


def test_nothing_is_read_or_written_beside_a_narrow_value(guest: FakeGuest) -> None:
    assert _stored(guest, TupleType((U8, S8, BOOL, U16)), [255, -1, True, 0xABCD]) == b"\xff\xff\x01\0\xcd\xab"
    raw = bytearray(b"\x7f\xff\xff\xff" + bytes(12))
    assert codec(signature(result=U8), "utf8").lift_result(raw, guest) == 0x7F
    assert codec(signature(result=S8), "utf8").lift_result(raw, guest) == 0x7F
    assert codec(signature(result=U16), "utf8").lift_result(raw, guest) == 0xFF7F
    assert codec(signature(result=BOOL), "utf8").lift_result(bytearray(b"\0\1" + bytes(14)), guest) is True


def test_narrow_integers_fill_their_slot(guest: FakeGuest) -> None:
    assert _slots(guest, S8, -1) == [0xFFFFFFFF]
    assert _slots(guest, Primitive("s16"), -2) == [0xFFFFFFFE]
    assert _slots(guest, U8, 255) == [255]
    assert _slots(guest, BOOL, True) == [1]
    assert _slots(guest, Primitive("s64"), -1) == [2**64 - 1]


F32_BITS = struct.unpack("<I", struct.pack("<f", 1.5))[0]
F64_BITS = struct.unpack("<Q", struct.pack("<d", 1.5))[0]


@pytest.mark.parametrize(
    ("wit_type", "value", "slots", "cores"),
    [
        (ResultType(F32, U32), {"ok": 1.5}, [0, F32_BITS], ("i32", "i32")),
        (ResultType(F32, U64), {"ok": 1.5}, [0, F32_BITS], ("i32", "i64")),
        (ResultType(F64, S32), {"ok": 1.5}, [0, F64_BITS], ("i32", "i64")),
        (ResultType(F64, S32), {"err": -1}, [1, 2**32 - 1], ("i32", "i64")),
        (ResultType(F64, F32), {"err": 1.5}, [1, F32_BITS], ("i32", "i64")),
        (ResultType(F32, F32), {"err": 1.5}, [1, F32_BITS], ("i32", "f32")),
        (ResultType(U8, TupleType((F32, F64))), {"ok": 7}, [0, 7, 0], ("i32", "i32", "f64")),
        (OptionType(TupleType((U64, F64))), None, [0, 0, 0], ("i32", "i64", "f64")),
        (VariantType((("a", F32), ("b", U64), ("c", None))), {"c": True}, [2, 0], ("i32", "i64")),
    ],
    ids=str,
)
def test_cases_share_slots_by_their_bits(
    guest: FakeGuest, wit_type: WitType, value: Value, slots: list[int], cores: tuple[str, ...]
) -> None:
    assert codec(signature(wit_type), "utf8").lifted_core_type == (cores, ())
    assert _slots(guest, wit_type, value) == slots
    assert guest.through_parameters(wit_type, value, "utf8") == value


NANS = [0x7FF0000000000001, 0xFFF8000000000000, 0x7FF8DEADBEEF0000]


@pytest.mark.parametrize("bits", NANS)
def test_there_is_one_nan(guest: FakeGuest, bits: int) -> None:
    one = struct.pack("<d", math.nan)
    lone = codec(signature(result=F64), "utf8").lift_result(bytearray(bits.to_bytes(16, "little")), guest)
    guest.write(2048, bits.to_bytes(8, "little") + struct.pack("<2d", math.inf, -math.inf))
    guest.write(1024, struct.pack("<II", 2048, 3))
    several = codec(signature(result=ListType(F64)), "utf8").lift_result(bytearray(b"\0\4" + bytes(14)), guest)
    assert struct.pack("<d", lone) == struct.pack("<d", several[0]) == one  # type: ignore[index]
    assert several[1:] == [math.inf, -math.inf]  # type: ignore[index]
    single = struct.pack("<Q", (bits >> 32 & 0xFFFFFFFF) | 1 if bits >> 52 & 0x7FF == 0x7FF else 0)
    nan = codec(signature(result=F32), "utf8").lift_result(bytearray(single + bytes(8)), guest)
    assert isinstance(nan, float)
    assert math.isnan(nan)


def test_infinities_and_negative_zero_come_back(guest: FakeGuest) -> None:
    for wit_type in (F32, F64, ListType(F32), ListType(F64)):
        for value in (math.inf, -math.inf, -0.0):
            sent: Value = [value] if isinstance(wit_type, ListType) else value
            assert repr(guest.through_parameters(wit_type, sent, "utf8")) == repr(sent)


def test_more_than_16_core_parameters_are_one_piece(guest: FakeGuest) -> None:
    how = codec(signature(*[U8] * 15, STRING), "utf8")
    assert how.spills
    assert how.lifted_core_type == (("i32",), ())
    raw = guest.lower(how, [*range(15), "hi"])
    assert guest.allocated == [(24, 4), (2, 1)]  # the parameters, then what they point to
    assert how.lift_parameters(raw, guest) == [*range(15), "hi"]
    assert codec(signature(*[U8] * 14, STRING), "utf8").lifted_core_type == (("i32",) * 16, ())


def test_a_result_of_one_core_value_is_none_of_memorys(guest: FakeGuest) -> None:
    assert codec(signature(result=TupleType((U64,))), "utf8").lifted_core_type == ((), ("i64",))
    assert codec(signature(result=TupleType((U64,))), "utf8").lowered_core_type == ((), ("i64",))
    assert codec(signature(U8, result=STRING), "utf8").lifted_core_type == (("i32",), ("i32",))
    assert codec(signature(U8, result=STRING), "utf8").lowered_core_type == (("i32", "i32"), ())
    nothing = codec(signature(U8), "utf8")
    assert nothing.lowered_core_type == nothing.lifted_core_type == (("i32",), ())
    assert nothing.lift_result(bytearray(16), guest) is None
    guest.lower_result(nothing, None)
    assert guest.allocated == []


def test_a_result_goes_where_the_last_parameter_points(guest: FakeGuest) -> None:
    how = codec(signature(U8, U8, result=TupleType((U8, STRING))), "utf8")
    guest.lower_result(how, [9, "hi"], 2000)
    first, at, length = struct.unpack("<B3xII", guest.read(2000, 12))
    assert (first, guest.read(at, length)) == (9, b"hi")


def test_pieces_stand_in_the_order_of_the_specification(guest: FakeGuest) -> None:
    how = codec(signature(STRING, ListType(TupleType((STRING, ListType(U8)))), STRING), "utf8")
    guest.lower(how, ["a", [["bb", b"ccc"], ["dddd", b"eeeee"]], "ffffff"])
    assert guest.allocated == [(1, 1), (32, 4), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)]


def test_handles_are_numbered_in_the_order_of_the_type(guest: FakeGuest) -> None:
    things: list[Any] = [object() for _ in range(3)]
    first, second, third = things
    how = codec(signature(LENT, ListType(CART), LENT), "utf8")
    raw = guest.lower(how, [first, [second], third])
    assert guest.handles == {1: ("borrow", 0, first), 2: ("own", 0, second), 3: ("borrow", 0, third)}
    assert how.lift_parameters(raw, guest) == [first, [second], third]
    assert set(guest.handles) == {1, 3}  # what is owned has moved


@pytest.mark.parametrize("length", [0, 1, 1_999, 2_000, 2_001, 100_001])
def test_lists_of_any_length(guest: FakeGuest, length: int) -> None:
    guest.grow(40)
    numbers: Value = list(range(length))
    assert guest.through_parameters(ListType(U32), numbers, "utf8") == numbers
    pairs: Value = [[number, str(number)] for number in range(min(length, 5_000))]
    assert guest.through_parameters(ListType(TupleType((U32, STRING))), pairs, "utf8") == pairs


def _deep(wrap: Any, value: Any, levels: int) -> tuple[WitType, Any]:
    wit_type: WitType = STRING
    for _ in range(levels):
        wit_type, value = wrap(wit_type, value)
    return wit_type, value


@pytest.mark.parametrize("levels", [9, 10, 30, 63])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner, value: (ListType(inner), [value, value] if value == "x" else [value]),
        lambda inner, value: (OptionType(inner), value),
        lambda inner, value: (ResultType(inner, None), {"ok": value}),
        lambda inner, value: (TupleType((inner,)), [value]),
        lambda inner, value: (FixedListType(inner, 1), [value]),
        lambda inner, value: (
            (FixedListType(inner, 17) if inner == STRING else ListType(inner), [value] * 17)
            if inner == STRING
            else (ListType(inner), [value])
        ),
        lambda inner, value: (MapType(STRING, inner), [["k", value]]),
        lambda inner, value: (RecordType((("a", inner), ("b", U8))), {"a": value, "b": 1}),
        lambda inner, value: (
            VariantType(tuple((f"c{n}", inner if n == 5 else None) for n in range(20))),
            {"c5": value},
        ),
    ],
    ids=["list", "option", "result", "tuple", "fixed", "long fixed", "map", "record", "table"],
)
def test_types_may_be_deep(guest: FakeGuest, wrap: Any, levels: int) -> None:
    wit_type, value = _deep(wrap, "x", levels)
    # Ten levels are more than one function already: what an encoding changes there, it changes in 63 as well.
    for encoding in ENCODINGS if WHOLE or levels <= 10 else ENCODINGS[:1]:
        assert guest.through_parameters(wit_type, value, encoding) == value
        assert guest.through_result(wit_type, value, encoding) == value


def test_types_may_be_wide(guest: FakeGuest) -> None:
    """As wide as a component may have them: 10,000 parts, in the time of a few."""
    guest.grow(40)
    names = [f"f{n}" for n in range(9_000)]
    wide = RecordType(tuple((name, U8 if n % 2 else STRING) for n, name in enumerate(names)))
    value: Value = {name: n % 256 if n % 2 else name for n, name in enumerate(names)}
    assert guest.through_parameters(wide, value, "utf8") == value
    cases = VariantType(tuple((name, TupleType((U8, STRING))) for name in names[:3_000]))
    assert guest.through_parameters(cases, {"f2999": [1, "x"]}, "utf8") == {"f2999": [1, "x"]}


def test_names_of_a_binary_are_constants_and_nothing_else(guest: FakeGuest) -> None:
    evil = "'] + __import__('os').abort() #\n\"\"\" \\ {x} %s"
    record = RecordType(((evil, U8),))
    assert guest.through_parameters(record, {evil: 1}, "utf8") == {evil: 1}
    assert guest.through_parameters(EnumType((evil, "b")), evil, "utf8") == evil
    assert guest.through_parameters(FlagsType((evil,)), [evil], "utf8") == [evil]
    assert guest.through_parameters(VariantType(((evil, U8),)), {evil: 1}, "utf8") == {evil: 1}
    table = VariantType(((evil, HandleType("own", 0, evil)), *((f"c{n}", None) for n in range(20))))
    assert guest.through_parameters(table, {evil: THING}, "utf8") == {evil: THING}


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("around", [lambda inner: TupleType((inner,) * 16), lambda inner: FixedListType(inner, 16)])
def test_the_source_of_a_function_does_not_grow_with_its_types(guest: FakeGuest, around: Any, levels: int) -> None:
    wit_type: WitType = around(U16)
    value: Any = [7] * 16
    for _ in range(levels):
        wit_type, value = around(wit_type), [value] * 16
    how = codec(signature(wit_type, result=wit_type), "utf8")
    guest.fresh()
    assert how.lift_parameters(guest.lower(how, [value]), guest) == [value]
    functions: tuple[Any, ...] = (how.pack_parameters, how.lift_parameters, how._lower_result, how.lift_result)
    for function in functions:
        assert len(function.__code__.co_code) < 10_000
