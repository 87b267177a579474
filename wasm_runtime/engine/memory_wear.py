"""When an instance has grown so far that a fresh one should take its place.

A guest that never frees, such as one with a bump allocator, fills its instance until calls fail, for a memory never
shrinks. So an instance is good for as long as a call like those before it still has room, and then it is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["WORN_BYTES", "Wear"]

WORN_BYTES = 64 * 1024 * 1024
"""What all memories of an instance may grow to where nothing limits them."""


class Wear:
    """What the memories of an instance may grow to: half of what is theirs, each for itself and all together.

    A call that took no more than half of a memory, together with all before it, finds room once more.

    Attributes:
        bounds: For each memory, and for all of them together, what tells how many bytes there are, and the bound.
    """

    __slots__ = ("_limit", "_share", "bounds")

    def __init__(self, limit: int | None, share_bytes: int) -> None:
        """Makes one that knows no memory.

        Args:
            limit: The entry's ``max_memory_bytes``, or None.
            share_bytes: What each of its memories may grow to; looked at only where there is a limit.
        """
        self._limit = limit
        self._share = None if limit is None else share_bytes
        self.bounds: tuple[tuple[Callable[[], int], int], ...] = ()

    def watch(self, meters: Sequence[Callable[[], int]]) -> None:
        """Says which memories there are, once the instance has started; they are as it starts.

        Args:
            meters: For each memory, what tells how many bytes it holds.
        """
        self.bounds = tuple((meter, _bound(self._share, meter())) for meter in meters)
        if len(meters) > 1:

            def together() -> int:
                return sum(meter() for meter in meters)

            self.bounds += ((together, _bound(self._limit, together())),)

    @property
    def worn(self) -> bool:
        """Whether the instance has grown past a bound."""
        return any(held() > bound for held, bound in self.bounds)


def _bound(limit: int | None, starting_bytes: int) -> int:
    half = WORN_BYTES if limit is None else limit // 2
    if starting_bytes <= half // 2:
        return half
    # One that starts large is not replaced whenever it grows by a page: it has half of what was left to it then.
    return starting_bytes + (WORN_BYTES if limit is None else max(0, limit - starting_bytes) // 2)
