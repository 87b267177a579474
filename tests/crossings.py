"""A guest of our own for lifting and lowering: a real memory of the engine's, a bump allocator, a table of handles.

What is lowered into it can be lifted from it again without any WebAssembly: the slots that a core function would be
called with are taken for those of its results or of a call that it makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ctypes import addressof
from typing import Any

import wasmtime

from polycall.interop.errors import ConversionError, TrapError
from polycall.wasm_runtime.canonical.codec import Codec, codec
from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.canonical.pieces import Pieces
from polycall.wasm_runtime.engine.native import SLOT_BYTES, address_of
from polycall.wasm_runtime.engine.pace import Pace
from polycall.wasm_runtime.engine.wasm_engine import _configure
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import HandleType, WitType

__all__ = ["ENCODINGS", "PAGE", "FakeGuest", "open_guest", "signature"]

ENCODINGS = ("utf8", "utf16", "latin1+utf16")
PAGE = 65_536
_SLOTS = 20
_DIRT = b"\xa5"


def signature(*params: WitType, result: WitType | None = None) -> Signature:
    """Returns a signature whose parameters are called a, b, ..."""
    return Signature(tuple((chr(ord("a") + index), each) for index, each in enumerate(params)), result)


class FakeGuest:
    """A `Crossing`.

    Attributes:
        memory: One page at first.
        free: Where the allocator goes on.
        allocated: All that it was asked for: (size, alignment).
        answers: What it answers instead, one after the other.
        handles: The table: number to (mode, slot, object).
    """

    def __init__(self) -> None:
        self._engine = wasmtime.Engine(_configure())
        self._store = wasmtime.Store(self._engine)
        limits = wasmtime.Limits(1, None)
        self._memory = wasmtime.Memory(self._store, wasmtime.MemoryType(limits))
        where = self._memory._memory
        self.memory = GuestMemory(address_of(self._store._context()), addressof(where))
        self.pace = Pace()
        self.short = 0
        self.free = 16
        self.allocated: list[tuple[int, int]] = []
        self.answers: list[int] = []
        self.handles: dict[int, tuple[str, int, object]] = {}
        self._numbers = 0
        self.before_allocation: Callable[[], None] = lambda: None
        self.write(0, _DIRT * PAGE)  # what nobody has written must never be read

    def close(self) -> None:
        """Lets go of the memory."""
        self.memory.close()
        self._store.close()

    # --- the memory, as the guest sees it ---

    @property
    def size(self) -> int:
        """How large the memory is now."""
        return int(self._memory.data_len(self._store))

    def grow(self, pages: int) -> None:
        """Grows the memory; nobody tells the host."""
        self._memory.grow(self._store, pages)

    def write(self, at: int, data: bytes) -> None:
        """Writes into the memory, past all checks of ours."""
        self._memory.write(self._store, bytearray(data), at)

    def read(self, at: int, size: int) -> bytes:
        """Reads from the memory, past all checks of ours."""
        return bytes(self._memory.read(self._store, at, at + size))

    # --- Crossing ---

    def allocate(self, wanted: Sequence[tuple[int, int]]) -> list[int]:
        """Bumps; grows the memory when it must."""
        self.before_allocation()
        self.allocated += wanted
        return [self._allocated(size, boundary) for size, boundary in wanted]

    def allocate_one(self, size: int, boundary: int) -> int:
        """As `allocate`."""
        return self.allocate([(size, boundary)])[0]

    def _allocated(self, size: int, boundary: int) -> int:
        if self.answers:
            address = self.answers.pop(0)
        else:
            address = -(-self.free // boundary) * boundary
            self.free = address + size
            missing = self.free - self.size
            if missing > 0:
                self.grow(-(-missing // PAGE))
        self.memory.fence(address, size, "what the guest's allocator returned", boundary)
        return address

    def lower_handles(self, handles: Sequence[tuple[HandleType, object]]) -> list[int]:
        """Numbers handles from 1; refuses everything but instances of `object` itself."""
        for wit_type, value in handles:
            if type(value) is not object:
                raise ConversionError("$", "lower", str(wit_type), type(value).__name__)
        numbers = []
        for wit_type, value in handles:
            self._numbers += 1
            self.handles[self._numbers] = (wit_type.mode, wit_type.resource, value)
            numbers.append(self._numbers)
        return numbers

    def lift_handle(self, wit_type: HandleType, number: int) -> object:
        """Takes what `lower_handles` has put."""
        mode, resource, value = self.handles.get(number, ("", 0, None))
        if (mode, resource) != (wit_type.mode, wit_type.resource):
            raise TrapError(f"unknown handle index {number}")
        if mode == "own":
            del self.handles[number]
        return value

    # --- there and back ---

    def lower(self, how: Codec, values: Sequence[Any]) -> bytearray:
        """Lowers the arguments of a call of the guest; returns the slots that its core function is called with."""
        raw, pieces = bytearray(_DIRT * SLOT_BYTES * _SLOTS), Pieces()
        how.lower_parameters(values, raw, pieces, self)
        pieces.place(self)
        return raw

    def lower_result(self, how: Codec, value: Any, pointer: int | None = None) -> bytearray:
        """Lowers the result of a call that the guest makes; `pointer` is its last core parameter."""
        raw, pieces = bytearray(_DIRT * SLOT_BYTES * _SLOTS), Pieces()
        at = SLOT_BYTES * (len(how.lowered_core_type[0]) - 1)
        if pointer is not None:
            raw[at : at + 4] = pointer.to_bytes(4, "little")
        placed = how.lower_result(value, raw, pieces, self)
        pieces.place(self)
        if placed is not None:
            at, image = placed
            self.memory.view[at : at + len(image)] = image
        return raw

    def through_parameters(self, wit_type: WitType, value: Any, encoding: str) -> object:
        """Lowers a parameter and lifts it again."""
        how = codec(signature(wit_type), encoding)
        self.fresh()
        (lifted,) = how.lift_parameters(self.lower(how, [value]), self)
        return lifted

    def through_result(self, wit_type: WitType, value: Any, encoding: str) -> object:
        """Lowers a result and lifts it again."""
        how = codec(signature(result=wit_type), encoding)
        self.fresh()
        raw = self.lower_result(how, value, 1024)
        if how.returns_pointer:
            raw[:4] = (1024).to_bytes(4, "little")
        return how.lift_result(raw, self)

    def fresh(self) -> None:
        """Begins another call: with a new budget, and all of the memory free behind the place of the result."""
        self.pace.begin(None)
        self.free = 32 * 1024
        self.short = 0


@contextmanager
def open_guest() -> Iterator[FakeGuest]:
    """Opens a guest."""
    guest = FakeGuest()
    try:
        yield guest
    finally:
        guest.close()
