"""The clock and the budget of values on their way between host and guest.

The engine's clock stands still while the host reads a guest's result or writes its arguments, and a guest can name a
gigabyte by one pointer. So whoever lifts or lowers says here how many values it is about to handle.
"""

from __future__ import annotations

from polycall.interop.context import CallContext
from polycall.interop.errors import LimitError, raise_if

__all__ = ["AT_ONCE", "MAX_LIFTED_BYTES", "VALUE_COST_BYTES", "Pace"]

MAX_LIFTED_BYTES = 128 * 1024 * 1024
"""What the values lifted for one result, or for one call of a host function, may take."""

VALUE_COST_BYTES = 100
"""What a value of Python takes, with its place in a list: more for small ones, less for none."""

AT_ONCE = 2_000
"""How many values are handled between two looks at the clock; a few milliseconds at most."""


class Pace:
    """What one call has left. Used by one thread at a time; `begin` starts anew.

    Attributes:
        call: The call, or None.
        bytes_left: What may still be built.
        values_left: How many values may still be handled before the clock is looked at.
    """

    __slots__ = ("bytes_left", "call", "values_left")

    def __init__(self, call: CallContext | None = None) -> None:
        self.begin(call)

    def begin(self, call: CallContext | None) -> None:
        """Starts to count for a call."""
        self.call = call
        self.bytes_left = MAX_LIFTED_BYTES
        self.values_left = AT_ONCE

    def step(self, values: int) -> None:
        """Says that so many values are handled next; not more than `AT_ONCE`, or the clock is looked at too late.

        Raises:
            DeadlineError, CancelledError: The call is over.
        """
        self.values_left -= values
        if self.values_left <= 0:
            self.values_left = AT_ONCE
            if self.call is not None:
                raise_if(self.call.interruption())

    def take(self, values: int, size: int = 0) -> None:
        """Says that so many values, and so many bytes beside, are built next.

        Raises:
            LimitError: One result takes more than the host is willing to build.
        """
        self.bytes_left -= values * VALUE_COST_BYTES + size
        if self.bytes_left < 0:
            raise LimitError(
                f"the guest's result is larger than {MAX_LIFTED_BYTES} bytes",
                hint=f"return less at once: each element of a list counts as {VALUE_COST_BYTES} bytes, "
                "and so do the fields of a record; a variant or result counts twice",
            )
