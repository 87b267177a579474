"""What a guest may say that is no value: every pointer, length, alignment, number of a case and character."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest

from crossings import ENCODINGS, PAGE, FakeGuest, open_guest, signature
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, LimitError, TrapError
from polycall.wasm_runtime.canonical.codec import codec
from polycall.wasm_runtime.engine.native import SLOT_BYTES
from polycall.wasm_runtime.engine.pace import MAX_LIFTED_BYTES
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

BOOL, U8, U16, U32, U64, F64, CHAR, STRING = (
    Primitive(name) for name in ("bool", "u8", "u16", "u32", "u64", "f64", "char", "string")
)
AT = 1024
"""Where the result lies."""


@pytest.fixture(name="guest")
def _guest() -> Iterator[FakeGuest]:
    with open_guest() as guest:
        yield guest


def _lift(guest: FakeGuest, wit_type: WitType, image: bytes, encoding: str = "utf8") -> Any:
    """Lifts a result, from memory if it lies there, else from its slot; and the same as a parameter of many."""
    how = codec(signature(result=wit_type), encoding)
    if not how.returns_pointer:
        return how.lift_result(bytearray(image.ljust(SLOT_BYTES, b"\0")), guest)
    guest.write(AT, image)
    return how.lift_result(bytearray(struct.pack("<I12x", AT)), guest)


def _pair(at: int, length: int) -> bytes:
    return struct.pack("<II", at, length)


OUTSIDE = [(PAGE - 1, 2), (PAGE, 1), (2**32 - 1, 1), (2**32 - 1, 2**28), (0, PAGE + 1), (2**31, 2**20)]


@pytest.mark.parametrize(("at", "length"), OUTSIDE)
def test_a_string_outside_of_the_memory(guest: FakeGuest, at: int, length: int) -> None:
    with pytest.raises(TrapError, match="a string is outside of the guest's memory"):
        _lift(guest, STRING, _pair(at, length))
    for encoding in ENCODINGS[1:]:
        with pytest.raises(TrapError, match="a string is outside of the guest's memory"):
            _lift(guest, STRING, _pair(at & ~1, length + 1), encoding)
    with pytest.raises(TrapError, match="a string is outside of the guest's memory"):
        _lift(guest, STRING, _pair(at & ~1, length | 1 << 31), "latin1+utf16")


@pytest.mark.parametrize(("at", "length"), OUTSIDE)
@pytest.mark.parametrize("element", [U8, U16, U64, BOOL, STRING, TupleType((U8, U64)), OptionType(U8), CHAR], ids=str)
def test_a_list_outside_of_the_memory(guest: FakeGuest, element: WitType, at: int, length: int) -> None:
    with pytest.raises(TrapError, match="a list is outside of the guest's memory"):
        _lift(guest, ListType(element), _pair(at & ~7, length + 8))
    with pytest.raises(TrapError, match="a list is outside of the guest's memory"):
        _lift(guest, MapType(U64, element), _pair(at & ~7, length + 8))


def test_lengths_count_what_they_count(guest: FakeGuest) -> None:
    """The last byte is in reach, the next one is not: lengths are of elements, of code units, of bytes."""
    guest.write(0, b"a\0" * (PAGE // 2))
    assert _lift(guest, STRING, _pair(PAGE - 8, 8)) == "a\0a\0a\0a\0"
    assert _lift(guest, STRING, _pair(PAGE - 8, 4), "utf16") == "aaaa"
    assert _lift(guest, STRING, _pair(PAGE - 8, 8), "latin1+utf16") == "a\0a\0a\0a\0"
    assert _lift(guest, STRING, _pair(PAGE - 8, 4 | 1 << 31), "latin1+utf16") == "aaaa"
    assert _lift(guest, ListType(U32), _pair(PAGE - 8, 2)) == [0x610061] * 2
    for wit_type, length, encoding in (
        (STRING, 9, "utf8"),
        (STRING, 5, "utf16"),
        (STRING, 9, "latin1+utf16"),
        (STRING, 5 | 1 << 31, "latin1+utf16"),
        (ListType(U32), 3, "utf8"),
    ):
        with pytest.raises(TrapError, match="outside"):
            _lift(guest, wit_type, _pair(PAGE - 8, length), encoding)


@pytest.mark.parametrize("encoding", ["utf16", "latin1+utf16"])
@pytest.mark.parametrize("length", [0, 1, 1 << 31])
def test_a_string_of_wide_units_is_aligned(guest: FakeGuest, encoding: str, length: int) -> None:
    with pytest.raises(TrapError, match="a string is not aligned" if length < 2 else "."):
        _lift(guest, STRING, _pair(2049, length), encoding)


@pytest.mark.parametrize(("element", "boundary"), [(U16, 2), (U32, 4), (F64, 8), (STRING, 4), (OptionType(U64), 8)])
@pytest.mark.parametrize("length", [0, 1])
def test_a_list_is_aligned(guest: FakeGuest, element: WitType, boundary: int, length: int) -> None:
    for misplaced in range(1, boundary):
        with pytest.raises(TrapError, match=f"a list is not aligned: .* is no multiple of {boundary}"):
            _lift(guest, ListType(element), _pair(2048 + misplaced, length))
    assert _lift(guest, ListType(element), _pair(2048, 0)) == []


@pytest.mark.parametrize("pointer", [PAGE - 7, PAGE, 2**32 - 4])
def test_a_result_outside_of_the_memory(guest: FakeGuest, pointer: int) -> None:
    how = codec(signature(result=TupleType((U32, U32))), "utf8")
    with pytest.raises(TrapError, match=r"the result is (outside|not aligned)"):
        how.lift_result(bytearray(struct.pack("<I12x", pointer)), guest)
    with pytest.raises(TrapError, match="the result is not aligned"):
        how.lift_result(bytearray(struct.pack("<I12x", AT + 2)), guest)
    how.lift_result(bytearray(struct.pack("<I12x", PAGE - 8)), guest)


@pytest.mark.parametrize("pointer", [PAGE - 67, PAGE, 2**32 - 4])
def test_parameters_outside_of_the_memory(guest: FakeGuest, pointer: int) -> None:
    how = codec(signature(*[U32] * 17), "utf8")
    with pytest.raises(TrapError, match="the place of the parameters is"):
        how.lift_parameters(bytearray(struct.pack("<I12x", pointer)), guest)
    with pytest.raises(TrapError, match="not aligned"):
        how.lift_parameters(bytearray(struct.pack("<I12x", AT + 2)), guest)
    how.lift_parameters(bytearray(struct.pack("<I12x", PAGE - 68)), guest)


@pytest.mark.parametrize(
    ("data", "encoding", "name"),
    [
        (b"\xff", "utf8", "UTF-8"),
        (b"a\xc3", "utf8", "UTF-8"),
        (b"\xc0\x80", "utf8", "UTF-8"),
        (b"\xed\xa0\x80", "utf8", "UTF-8"),
        (b"\xf4\x90\x80\x80", "utf8", "UTF-8"),
        (b"\x00\xd8", "utf16", "UTF-16"),
        (b"\x00\xdc\x00\xd8", "utf16", "UTF-16"),
        (b"a\x00\x00\xd8", "utf16", "UTF-16"),
    ],
)
@pytest.mark.parametrize("before", [0, 600])
def test_a_string_that_is_none(guest: FakeGuest, data: bytes, encoding: str, name: str, before: int) -> None:
    image = ("a" * before).encode("utf-16-le" if encoding == "utf16" else "utf-8") + data
    guest.write(2048, image)
    length = len(image) // (2 if encoding == "utf16" else 1)
    for wit_type in (STRING, ListType(STRING)):
        guest.write(8192, _pair(2048, length))
        with pytest.raises(TrapError, match=f"a string is not {name}"):
            _lift(guest, wit_type, _pair(2048, length) if wit_type == STRING else _pair(8192, 1), encoding)
    if encoding == "utf16":
        with pytest.raises(TrapError, match="a string is not UTF-16"):
            _lift(guest, STRING, _pair(2048, length | 1 << 31), "latin1+utf16")
    how = codec(signature(STRING), encoding)
    with pytest.raises(TrapError, match=f"a string is not {name}"):
        how.lift_parameters(bytearray(struct.pack("<I12xI12x", 2048, length)), guest)


def test_any_byte_is_latin_1(guest: FakeGuest) -> None:
    guest.write(2048, bytes(range(256)))
    assert _lift(guest, STRING, _pair(2048, 256), "latin1+utf16") == bytes(range(256)).decode("latin-1")


@pytest.mark.parametrize("code", [0xD800, 0xDFFF, 0x110000, 2**32 - 1])
def test_a_char_that_is_none(guest: FakeGuest, code: int) -> None:
    image = code.to_bytes(4, "little")
    guest.write(2048, image)
    for wit_type, data in ((CHAR, image), (ListType(CHAR), _pair(2048, 1)), (TupleType((CHAR, CHAR)), image * 2)):
        with pytest.raises(TrapError, match=r"a char is 0x.*, which is no Unicode scalar value"):
            _lift(guest, wit_type, data)
    for good in (0, 0xD7FF, 0xE000, 0x10FFFF):
        assert _lift(guest, CHAR, good.to_bytes(4, "little")) == chr(good)


CASES: list[tuple[WitType, int]] = [
    (EnumType(("a", "b")), 2),
    (EnumType(tuple(f"c{n}" for n in range(256))), 256),
    (EnumType(tuple(f"c{n}" for n in range(257))), 257),
    (OptionType(STRING), 2),
    (OptionType(OptionType(U8)), 2),
    (ResultType(U8, STRING), 2),
    (ResultType(None, None), 2),
    (VariantType((("a", None), ("b", U64), ("c", STRING))), 3),
    (VariantType(tuple((f"c{n}", U8) for n in range(20))), 20),
    (VariantType(tuple((f"c{n}", STRING if n else None) for n in range(300))), 300),
]


@pytest.mark.parametrize(("wit_type", "count"), CASES, ids=[str(each)[:30] for each, _ in CASES])
def test_a_case_that_is_none(guest: FakeGuest, wit_type: WitType, count: int) -> None:
    """In memory the number is as wide as it must be, in a slot it is 32 bits."""
    width = 1 if count <= 256 else 2
    for number in {count, count + 1, 2 ** (8 * width) - 1}:
        if number >= 2 ** (8 * width) or number < count:
            continue
        guest.write(2048, number.to_bytes(width, "little") + bytes(30))
        with pytest.raises(TrapError, match=f"a discriminant is {number}, and .* has the cases 0 to {count - 1}"):
            _lift(guest, ListType(wit_type), _pair(2048, 1))
    how = codec(signature(wit_type), "utf8")
    for number in (count, count + 256, 2**32 - 1):
        with pytest.raises(TrapError, match=f"a discriminant is {number}, and"):
            how.lift_parameters(bytearray(struct.pack("<I12x", number)) + bytes(200), guest)
    guest.write(2048, (count - 1).to_bytes(width, "little") + bytes(30))
    _lift(guest, ListType(wit_type), _pair(2048, 1))


def test_a_handle_that_is_none(guest: FakeGuest) -> None:
    for mode in ("own", "borrow"):
        with pytest.raises(TrapError, match="unknown handle index 7"):
            _lift(guest, HandleType(mode, 0), struct.pack("<I", 7))
    number = guest.lower_handles([(HandleType("own", 1), object())])[0]
    with pytest.raises(TrapError):
        _lift(guest, HandleType("own", 2), struct.pack("<I", number))
    _lift(guest, HandleType("own", 1), struct.pack("<I", number))
    with pytest.raises(TrapError):
        _lift(guest, HandleType("own", 1), struct.pack("<I", number))


def test_upper_bits_of_shared_slots_say_nothing(guest: FakeGuest) -> None:
    how = codec(signature(ResultType(U8, U64)), "utf8")
    raw = bytearray(struct.pack("<I12xQ8x", 0, 0xFFFFFFFF_FFFFFF07))
    assert how.lift_parameters(raw, guest) == [{"ok": 7}]
    raw = bytearray(struct.pack("<I12xQ8x", 0, 0xFFFFFFFF_3FC00000))
    assert codec(signature(ResultType(Primitive("f32"), U64)), "utf8").lift_parameters(raw, guest) == [{"ok": 1.5}]


# --- more than a call may bring: pointers may name one region as often as they like -----------------------------------


def _overlapping(guest: FakeGuest, count: int, at: int, length: int) -> bytes:
    """Fills memory with pairs that all name one region; returns the pair that names all of them."""
    guest.grow(-(-count * 8 // PAGE))
    guest.write(PAGE, _pair(at, length) * count)
    return _pair(PAGE, count)


BOMBS: list[tuple[WitType, int, str]] = [
    (STRING, 60_000, "utf8"),
    (STRING, 512, "utf8"),
    (STRING, 30_000, "utf16"),
    (STRING, 60_000, "latin1+utf16"),
    (ListType(U8), 60_000, "utf8"),
    (ListType(U32), 10_000, "utf8"),
    (ListType(BOOL), 60_000, "utf8"),
    (ListType(TupleType((U8, U8))), 10_000, "utf8"),
    (ListType(FixedListType(U8, 40)), 1_000, "utf8"),
    (ListType(FixedListType(BOOL, 40)), 1_000, "utf8"),
    (ListType(RecordType((("a", U8),))), 10_000, "utf8"),
    (ListType(ResultType(None, None)), 10_000, "utf8"),
    (ListType(FlagsType(("a",))), 10_000, "utf8"),
    (ListType(EnumType(("a",))), 10_000, "utf8"),
    (MapType(U8, U8), 10_000, "utf8"),
]


@pytest.mark.parametrize(("element", "length", "encoding"), BOMBS, ids=[f"{e} of {n} in {c}" for e, n, c in BOMBS])
def test_what_is_lifted_is_bounded(guest: FakeGuest, element: WitType, length: int, encoding: str) -> None:
    guest.write(0, bytes(PAGE))
    with pytest.raises(LimitError, match="larger than"):
        _lift(guest, ListType(element), _overlapping(guest, 500_000, 2048, length), encoding)


def test_long_fixed_lists_of_strings_are_bounded(guest: FakeGuest) -> None:
    """They are part of what holds them; but each of their strings is not."""
    guest.write(0, "ü".encode() * (PAGE // 2))
    count = 300_000
    _overlapping(guest, count, 2048, 500)
    how = codec(signature(result=FixedListType(STRING, count)), "utf8")
    with pytest.raises(LimitError, match="larger than"):
        how.lift_result(bytearray(struct.pack("<I12x", PAGE)), guest)
    with pytest.raises(LimitError, match="larger than"):
        _lift(guest, ListType(FixedListType(STRING, count)), _pair(PAGE, 1))
    few = codec(signature(result=FixedListType(STRING, 100)), "utf8")
    guest.fresh()
    assert few.lift_result(bytearray(struct.pack("<I12x", PAGE)), guest) == ["ü" * 250] * 100


def test_text_counts_as_what_python_makes_of_it(guest: FakeGuest) -> None:
    """One character beyond the basic plane makes all of a string's characters take four bytes."""
    size = MAX_LIFTED_BYTES // 3
    guest.grow(-(-size // PAGE) + 1)
    guest.write(2048, b"a" * size)
    assert len(_lift(guest, STRING, _pair(2048, size))) == size
    guest.write(2048, "😀".encode())
    guest.fresh()
    with pytest.raises(LimitError, match="larger than"):
        _lift(guest, STRING, _pair(2048, size))


@pytest.mark.parametrize(
    "element", [U32, BOOL, STRING, TupleType((U8, U8)), FixedListType(U8, 40), OptionType(U8), ListType(U8)], ids=str
)
def test_long_lists_look_at_the_clock(guest: FakeGuest, element: WitType) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    guest.write(0, bytes(PAGE))
    guest.grow(64)
    guest.pace.begin(CallContext("app:guest", "wasm", None, cancellation=cancellation))
    with pytest.raises(CancelledError):
        _lift(guest, ListType(element), _pair(PAGE, 100_000))


def test_memory_that_just_grew_is_no_way_around(guest: FakeGuest) -> None:
    guest.memory.fence(0, 8, "x")
    guest.grow(1)
    with pytest.raises(TrapError, match="outside"):
        _lift(guest, STRING, _pair(2 * PAGE - 1, 2))
    guest.write(2 * PAGE - 2, b"ok")
    assert _lift(guest, STRING, _pair(2 * PAGE - 2, 2)) == "ok"
