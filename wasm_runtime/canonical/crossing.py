"""What lifting and lowering need of the call in which values cross."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.engine.pace import Pace
from polycall.wasm_runtime.wit.wit_types import HandleType

__all__ = ["Crossing"]


class Crossing(Protocol):
    """One border between host and guest, during one call.

    Attributes:
        short: The bytes of short strings that were read and are not yet counted in `pace`.
    """

    short: int

    @property
    def memory(self) -> GuestMemory:
        """The memory that the border's options name."""
        ...

    @property
    def pace(self) -> Pace:
        """The clock and the budget of the call."""
        ...

    def allocate(self, wanted: Sequence[tuple[int, int]]) -> list[int]:
        """Has the guest make room; for each size and alignment an address inside of `memory`, whose view reaches there.

        Raises:
            PolycallError: The guest's allocator failed, or answered with what cannot be.
        """
        ...

    def allocate_one(self, size: int, boundary: int) -> int:
        """Does what `allocate` does, for one size and alignment: most calls need no more."""
        ...

    def lower_handles(self, handles: Sequence[tuple[HandleType, object]]) -> list[int]:
        """Puts handles into the guest's table, all or none, and returns their numbers.

        Raises:
            ConversionError: One is none, of another type or instance, or gone.
        """
        ...

    def lift_handle(self, wit_type: HandleType, number: int) -> object:
        """Takes (own) or looks up (borrow) a handle in the guest's table.

        Raises:
            TrapError: There is none of that number, type and kind.
        """
        ...
