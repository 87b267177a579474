"""Lowering: what is exact goes fast, what only fits is made exact, what does not fit leaves the guest as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crossings import ENCODINGS, PAGE, FakeGuest, open_guest, signature
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, ConversionError, LimitError, TrapError
from polycall.wasm_runtime.canonical.codec import codec
from polycall.wasm_runtime.canonical.pieces import MAX_BYTES, Pieces
from polycall.wasm_runtime.engine.native import SLOT_BYTES
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

BOOL, U8, U32, S32, F32, F64, CHAR, STRING = (
    Primitive(name) for name in ("bool", "u8", "u32", "s32", "f32", "f64", "char", "string")
)
USER = RecordType((("id", U32), ("name", STRING)))
CART = HandleType("own", 3, "cart")
TABLE = VariantType(tuple((f"c{n}", STRING if n % 2 else None) for n in range(20)))
EVERY_INTEGER = tuple(map(Primitive, INTEGER_RANGES))


@pytest.fixture(name="guest")
def _guest() -> Iterator[FakeGuest]:
    with open_guest() as guest:
        yield guest


MISFITS: list[tuple[WitType, Any, str]] = [
    *((each, INTEGER_RANGES[each.name].start - 1, "") for each in EVERY_INTEGER),
    *((each, INTEGER_RANGES[each.name].stop, "") for each in EVERY_INTEGER),
    *((each, True, "") for each in EVERY_INTEGER),
    *((each, 2.5, "") for each in EVERY_INTEGER),
    *((ListType(each), [1, INTEGER_RANGES[each.name].stop], "[1]") for each in EVERY_INTEGER if each != U8),
    *((ListType(each), [1, True], "[1]") for each in EVERY_INTEGER if each != U8),
    (ListType(U32), [1, "x"], "[1]"),
    (ListType(U32), "x", ""),
    (ListType(U32), {"a": 1}, ""),
    (ListType(U8), [1, 256], "[1]"),
    (ListType(BOOL), [True, 1], "[1]"),
    (ListType(F64), [1.0, None], "[1]"),
    (ListType(F32), [1.0, 1e39], "[1]"),
    (ListType(USER), [{"id": 1, "name": "x"}, {"id": -1, "name": "x"}], "[1].id"),
    (BOOL, 1, ""),
    (F64, True, ""),
    (F32, 1e39, ""),
    (CHAR, "", ""),
    (CHAR, "ab", ""),
    (CHAR, "\ud800", ""),
    (CHAR, 65, ""),
    (STRING, "\ud800", ""),
    (STRING, 5, ""),
    (STRING, b"\xff", ""),
    (USER, {"id": 1}, ".name"),
    (USER, {"id": 1, "name": "x", "more": 1}, ""),
    (USER, {"id": 1, "nome": "x"}, ""),
    (USER, [1, "x"], ""),
    (TupleType((U8, U8)), [1], ""),
    (TupleType((U8, U8)), [1, 2, 3], ""),
    (TupleType((U8,) * 300), [1] * 299 + [256], "[299]"),
    (RecordType(tuple((f"f{n}", U8) for n in range(300))), {f"f{n}": n // 299 * 256 for n in range(300)}, ".f299"),
    (FixedListType(U8, 3), b"ab", ""),
    (FixedListType(U8, 40), b"ab", ""),
    (FixedListType(U32, 2), [1, 2, 3], ""),
    (FixedListType(U32, 2), [1, -1], "[1]"),
    (FixedListType(U32, 40), [1] * 39 + [-1], "[39]"),
    (FixedListType(STRING, 40), [""] * 39 + [1], "[39]"),
    (EnumType(("a", "b")), "c", ""),
    (EnumType(("a", "b")), 2, ""),
    (EnumType(("a", "b")), [], ""),
    (FlagsType(("a", "b")), ["a", "c"], "[1]"),
    (FlagsType(("a", "b")), "a", ""),
    (FlagsType(("a", "b")), [["a"]], "[0]"),
    (OptionType(U8), "x", ""),
    (OptionType(OptionType(U8)), {"some": "x"}, ".some"),
    (ResultType(U8, STRING), {"ok": 1, "err": "x"}, ""),
    (ResultType(U8, STRING), {"ok": "x"}, ".ok"),
    (ResultType(U8, STRING), {"yes": 1}, ""),
    (ResultType(U8, STRING), None, ""),
    (ResultType(None, STRING), {"ok": 1}, ".ok"),
    (TABLE, {"c1": 1}, ".c1"),
    (TABLE, {"c2": 1}, ".c2"),
    (TABLE, {"c20": True}, ""),
    (MapType(STRING, U8), {"a": 256}, ".a"),
    (MapType(STRING, U8), [["a"]], "[0]"),
    (MapType(U8, U8), [[1, 2], [256, 1]], "[1][0]"),
    (MapType(U8, U8), [[1, 2, 3]], "[0]"),
    (CART, None, ""),
    (CART, 1, ""),
    (CART, "cart", ""),
    (ListType(CART), [object(), {}], "[1]"),
]


@pytest.mark.parametrize(("wit_type", "value", "path"), MISFITS, ids=[str(each)[:30] for each, _, _ in MISFITS])
def test_what_does_not_fit_is_named_and_touches_nothing(
    guest: FakeGuest, wit_type: WitType, value: Any, path: str
) -> None:
    before = guest.read(0, PAGE)
    for encoding in ENCODINGS:
        for count in (0, 16):
            pieces = Pieces()
            raw = bytearray(SLOT_BYTES * 20)
            how = codec(signature(STRING, wit_type, *[U8] * count), encoding)
            with pytest.raises(ConversionError, match="expected") as caught:
                how.lower_parameters(["before", value, *range(count)], raw, pieces, guest)
            assert str(caught.value).startswith(f"$.args[1]{path}: ")
            assert not pieces.pieces
            assert not pieces.handles
        with pytest.raises(ConversionError) as caught:
            guest.lower_result(codec(signature(result=wit_type), encoding), value, 1024)
        assert str(caught.value).startswith(f"$.result{path}: ")
    assert guest.read(0, PAGE) == before
    assert not guest.allocated
    assert not guest.handles


@pytest.mark.parametrize(("values", "got"), [([], "0"), ([1], "1"), ([1, "x", None, 4], "4")])
def test_the_number_of_arguments_is_checked(guest: FakeGuest, values: list[Any], got: str) -> None:
    some: list[list[WitType]] = [[U8, STRING, OptionType(U8)], [U8, STRING, *[U8] * 15, OptionType(U8)]]
    for params in some:
        with pytest.raises(ConversionError, match=rf"\$\.args: expected \d+ arguments .* got {got}"):
            guest.lower(codec(signature(*params), "utf8"), values)


def test_trailing_options_may_be_left_out(guest: FakeGuest) -> None:
    how = codec(signature(U8, OptionType(U8), OptionType(STRING)), "utf8")
    assert how.lift_parameters(guest.lower(how, [1]), guest) == [1, None, None]
    assert how.lift_parameters(guest.lower(how, (1, 2)), guest) == [1, 2, None]


def test_a_second_try_leaves_nothing_of_the_first(guest: FakeGuest) -> None:
    how = codec(signature(STRING, ListType(STRING), CART, U8), "utf8")
    thing = object()
    raw = guest.lower(how, ["a", ["b", b"c"], thing, 2.0])
    assert guest.allocated == [(1, 1), (16, 4), (1, 1), (1, 1)]
    assert how.lift_parameters(raw, guest) == ["a", ["b", "c"], thing, 2]


def test_room_is_asked_for_once(guest: FakeGuest) -> None:
    asked = []
    guest.before_allocation = lambda: asked.append(1)
    guest.lower(codec(signature(ListType(STRING), STRING), "utf8"), [["a"] * 100, "b"])
    assert len(asked) == 1
    assert len(guest.allocated) == 102


def test_nothing_is_asked_for_where_nothing_is_needed(guest: FakeGuest) -> None:
    guest.before_allocation = lambda: pytest.fail("nothing to allocate")
    guest.lower(codec(signature(S32, F64, OptionType(STRING), FlagsType(("a",))), "utf8"), [1, 1.0, None, []])


def test_memory_may_grow_while_room_is_made(guest: FakeGuest) -> None:
    how = codec(signature(ListType(STRING)), "utf8")
    values = ["x" * 1_000] * 200
    assert how.lift_parameters(guest.lower(how, [values]), guest) == [values]
    assert guest.size > 3 * PAGE


def test_the_place_of_a_result_is_still_there_when_memory_grew(guest: FakeGuest) -> None:
    how = codec(signature(result=TupleType((U32, STRING))), "utf8")
    guest.lower_result(how, [7, "x" * PAGE], PAGE - 12)
    assert guest.read(PAGE - 12, 4) == b"\7\0\0\0"


@pytest.mark.parametrize("answer", [PAGE - 3, PAGE, 2**32 - 1, 2**31])
def test_room_outside_of_the_memory_is_a_trap(guest: FakeGuest, answer: int) -> None:
    guest.answers = [answer]
    with pytest.raises(TrapError, match="what the guest's allocator returned is outside"):
        guest.lower(codec(signature(STRING), "utf8"), ["four"])


@pytest.mark.parametrize(
    ("wit_type", "value", "encoding", "boundary"),
    [
        (STRING, "x", "utf16", 2),
        (STRING, "x", "latin1+utf16", 2),
        (STRING, "", "utf16", 2),
        (ListType(U32), [1], "utf8", 4),
        (ListType(U32), [], "utf8", 4),
        (ListType(F64), [1.0], "utf8", 8),
        (ListType(Primitive("u16")), [1], "utf8", 2),
    ],
)
def test_room_that_is_not_aligned_is_a_trap(
    guest: FakeGuest, wit_type: WitType, value: Any, encoding: str, boundary: int
) -> None:
    for misplaced in range(1, boundary):
        guest.answers = [1024 + misplaced]
        with pytest.raises(TrapError, match="not aligned"):
            guest.lower(codec(signature(wit_type), encoding), [value])
    guest.answers = [1024 + boundary]
    guest.lower(codec(signature(wit_type), encoding), [value])


@pytest.mark.parametrize("pointer", [PAGE - 7, PAGE, 2**32 - 4, 1022])
def test_a_result_goes_nowhere_but_into_the_memory(guest: FakeGuest, pointer: int) -> None:
    how = codec(signature(result=STRING), "utf8")
    before = guest.read(0, PAGE)
    with pytest.raises(TrapError, match="the place of the result"):
        guest.lower_result(how, "x", pointer)
    assert guest.read(0, PAGE) == before
    guest.lower_result(how, "x", PAGE - 8)


def test_what_is_too_large_is_refused_before_anything_is_built(guest: FakeGuest) -> None:
    huge = FixedListType(Primitive("u64"), 2**32 - 1)
    for params in ([huge], [ListType(huge)], [FixedListType(huge, 2**31)]):
        for _ in range(2):
            with pytest.raises((LimitError, ConversionError)):
                guest.lower(codec(signature(*params), "utf8"), [[[1]]])
    with pytest.raises(LimitError, match=str(MAX_BYTES)):
        guest.lower(codec(signature(ListType(FixedListType(F64, 2**25))), "utf8"), [[[]]])
    with pytest.raises((LimitError, TrapError)):
        guest.lower_result(codec(signature(result=huge), "utf8"), [1], 0)
    assert not guest.allocated


def test_a_limit_leaves_no_pieces_behind(guest: FakeGuest) -> None:
    pieces = Pieces()
    how = codec(signature(STRING, ListType(FixedListType(F64, 2**25))), "utf8")
    with pytest.raises(LimitError):
        how.lower_parameters(["a", [[]]], bytearray(SLOT_BYTES * 4), pieces, guest)
    assert not pieces.pieces


def test_a_refused_handle_leaves_no_pieces_behind(guest: FakeGuest) -> None:
    pieces = Pieces()
    how = codec(signature(STRING, CART), "utf8")
    things: list[Any] = ["a", ValueError()]
    how.lower_parameters(things, bytearray(SLOT_BYTES * 4), pieces, guest)
    with pytest.raises(ConversionError, match="expected own<cart>"):
        pieces.place(guest)
    assert not pieces.pieces
    assert not pieces.handles
    assert not guest.allocated


@pytest.mark.parametrize(
    ("wit_type", "value"),
    [
        (ListType(U32), [1] * 200_000),
        (ListType(BOOL), [True] * 200_000),
        (ListType(STRING), ["x"] * 5_000),
        (ListType(TupleType((U8, U8))), [[1, 2]] * 5_000),
        (FixedListType(U32, 200_000), [1] * 200_000),
        (FixedListType(STRING, 5_000), ["x"] * 5_000),
        (MapType(U8, U8), [[1, 2]] * 5_000),
    ],
    ids=str,
)
def test_long_lists_look_at_the_clock(guest: FakeGuest, wit_type: WitType, value: Any) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    guest.pace.begin(CallContext("app:guest", "wasm", None, cancellation=cancellation))
    with pytest.raises(CancelledError):
        guest.lower(codec(signature(wit_type), "utf8"), [value])
    assert not guest.allocated
