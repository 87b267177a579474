"""The fence around a guest's memory, on a memory of the engine's."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from crossings import PAGE, FakeGuest, open_guest, signature
from polycall.interop.errors import TrapError
from polycall.wasm_runtime.canonical.codec import codec
from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.wit.wit_types import ListType, Primitive, TupleType

STRING, U8, U32 = Primitive("string"), Primitive("u8"), Primitive("u32")


@pytest.fixture(name="guest")
def _guest() -> Iterator[FakeGuest]:
    with open_guest() as guest:
        yield guest


@pytest.mark.parametrize(("at", "size"), [(0, 0), (0, PAGE), (PAGE, 0), (PAGE - 1, 1), (PAGE - 4, 4)])
def test_what_lies_in_it_is_seen(guest: FakeGuest, at: int, size: int) -> None:
    guest.write(0, bytes(range(256)) * 256)
    view = guest.memory.fence(at, size, "x")
    assert view[at : at + size].tobytes() == guest.read(at, size)


@pytest.mark.parametrize(
    ("at", "size"),
    [(PAGE, 1), (PAGE + 1, 0), (PAGE - 1, 2), (2**32 - 1, 1), (2**32 - 1, 2**32 - 1), (0, PAGE + 1), (0, 2**64)],
)
def test_what_does_not_is_a_trap(guest: FakeGuest, at: int, size: int) -> None:
    with pytest.raises(TrapError, match="outside of the guest's memory"):
        guest.memory.fence(at, size, "x")


def test_alignment_counts_for_nothing_at_all_too(guest: FakeGuest) -> None:
    with pytest.raises(TrapError, match="x is not aligned: 0x2 is no multiple of 4"):
        guest.memory.fence(2, 0, "x", 4)
    guest.memory.fence(4, 0, "x", 4)


def test_growth_is_noticed_when_it_matters(guest: FakeGuest) -> None:
    guest.memory.fence(0, 1, "x")
    guest.grow(1)
    assert guest.memory.size == PAGE  # nobody has looked
    assert len(guest.memory.fence(PAGE, 1, "x")) == guest.memory.size == 2 * PAGE


def test_whoever_reads_goes_on_reading_when_the_memory_is_seen_to_have_grown(guest: FakeGuest) -> None:
    """A list in the part that was known, with items in the part that was not."""
    guest.memory.fence(0, 1, "x")
    guest.grow(1)
    guest.write(PAGE + 100, b"beyondUUUU")
    guest.write(1024, struct.pack("<II", 2048, 2))
    guest.write(2048, struct.pack("<IIIIII", PAGE + 100, 6, 7, 1024, 1, 8))
    guest.write(1024, struct.pack("<II", 2048, 2))
    how = codec(signature(result=ListType(TupleType((STRING, U32)))), "utf8")
    lifted = how.lift_result(bytearray(struct.pack("<I12x", 1024)), guest)
    assert lifted == [["beyond", 7], [guest.read(1024, 1).decode("latin-1"), 8]]


def test_an_item_further_out_than_a_memory_that_just_grew_is_a_trap(guest: FakeGuest) -> None:
    guest.memory.fence(0, 1, "x")
    guest.grow(1)
    guest.write(PAGE + 100, b"beyond")
    guest.write(1024, struct.pack("<II", 2048, 3))
    guest.write(2048, struct.pack("<IIIIII", PAGE + 100, 6, 2 * PAGE, 1, 0, 0))
    how = codec(signature(result=ListType(STRING)), "utf8")
    with pytest.raises(TrapError, match="a string is outside"):
        how.lift_result(bytearray(struct.pack("<I12x", 1024)), guest)


def test_growing_for_ever_keeps_two_views_at_most(guest: FakeGuest) -> None:
    views = []
    for page in range(1, 20):
        guest.grow(1)
        views.append(guest.memory.fence(page * PAGE, 1, "x"))
    for view in views[:-2]:
        with pytest.raises(ValueError, match="released"):
            view[0]
    assert views[-1][0] == views[-2][0]


def test_a_closed_memory_has_nothing_and_its_views_are_released(guest: FakeGuest) -> None:
    first = guest.memory.fence(0, 1, "x")
    guest.grow(1)
    second = guest.memory.fence(PAGE, 1, "x")
    guest.memory.close()
    for view in (first, second):
        with pytest.raises(ValueError, match="released"):
            view[0]
    with pytest.raises(TrapError, match="outside"):
        guest.memory.fence(0, 1, "x")
    guest.memory.close()


def test_no_memory_is_an_empty_one() -> None:
    memory = GuestMemory(0, 0)
    memory.fence(0, 0, "x")
    with pytest.raises(TrapError, match="outside"):
        memory.fence(0, 1, "x")
