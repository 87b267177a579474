"""When an instance has grown so far that a fresh one should take its place.

A guest that never frees, such as one with a bump allocator, fills its instance until calls fail, for a memory never
shrinks. So an instance is good for as long as a call like those before it still has room, and then it is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

__all__ = ["WORN_BYTES", "Bound", "wear_bounds"]

WORN_BYTES = 64 * 1024 * 1024
"""What all memories of an instance may grow to where nothing limits them."""


Bound: TypeAlias = tuple[Callable[[], int], int]
"""What tells how many bytes there are, and how many there may be."""


def wear_bounds(limit: int | None, share_bytes: int, meters: Sequence[Callable[[], int]]) -> tuple[Bound, ...]:
    """Returns what the memories of an instance may grow to: half of what is theirs, each for itself and all together.

    A call that took no more than half of a memory, together with all before it, finds room once more.

    Args:
        limit: The entry's ``max_memory_bytes``, or None.
        share_bytes: What each of its memories may grow to; looked at only where there is a limit.
        meters: For each memory, what tells how many bytes it holds. The instance has started: they are as it starts.
    """
    share = None if limit is None else share_bytes
    bounds: tuple[Bound, ...] = tuple((meter, _bound(share, meter())) for meter in meters)
    if len(meters) < 2:
        return bounds

    def together() -> int:
        return sum(meter() for meter in meters)

    return (*bounds, (together, _bound(limit, together())))


def _bound(limit: int | None, starting_bytes: int) -> int:
    half = WORN_BYTES if limit is None else limit // 2
    if starting_bytes <= half // 2:
        return half
    # One that starts large is not replaced whenever it grows by a page: it has half of what was left to it then.
    return starting_bytes + (WORN_BYTES if limit is None else max(0, limit - starting_bytes) // 2)
