"""How ``limits.max_memory_bytes`` is shared out among a guest's memories, its tables and its GC heap.

The engine caps each memory, and the GC heap, at one number of bytes, and each table at one number of elements. The
entry caps all of them together. So the numbers are chosen such that all at their caps are within the entry's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from polycall.interop.errors import MemoryLimitError
from polycall.wasm_runtime.engine.footprint import Footprint

__all__ = ["ELEMENT_BYTES", "FREE_TABLE_BYTES", "MOST_MEMORIES", "Shares", "shares"]

ELEMENT_BYTES = 8
FREE_TABLE_BYTES = 64 * 1024
"""Tables of so many bytes in all do not count: nearly every guest keeps its function pointers in one."""

MOST_MEMORIES = 1_000
"""How many memories a guest may have at all."""

_MOST_ELEMENTS = 100_000
_MOST_TABLES = 100
_TABLES_PART = 8
"""Tables that may grow get this part of what the memories leave at the start."""


class Shares(NamedTuple):
    """What the engine is told.

    Attributes:
        memories: How many memories there may be.
        tables: How many tables there may be.
        elements: How many elements each table may have.
        starting_bytes: What each memory may hold, and the GC heap, until the instance is complete. -1: no cap.
        running_bytes: The same from then on.
    """

    memories: int
    tables: int
    elements: int
    starting_bytes: int
    running_bytes: int


_UNLIMITED = Shares(MOST_MEMORIES, _MOST_TABLES, _MOST_ELEMENTS, -1, -1)


def shares(limit: int | None, footprint: Footprint, times: int = 1) -> Shares:
    """Shares out a limit.

    Args:
        limit: The entry's ``max_memory_bytes``, or None.
        footprint: What the binary says.
        times: How many instances of each of its modules there may be.

    Raises:
        MemoryLimitError: What it starts with is more than the limit.
    """
    if limit is None:
        return _UNLIMITED
    memories, tables = len(footprint.memories) * times, len(footprint.tables) * times
    elements = _elements(max(0, limit - sum(footprint.memories) * times), footprint, tables)
    room = limit - max(0, tables * elements * ELEMENT_BYTES - FREE_TABLE_BYTES)
    heaps = memories + footprint.has_gc
    even = room // max(1, heaps)
    if room < 0 or sum(footprint.memories) > room:
        raise _does_not_fit(limit, footprint, limit - room)
    if footprint.is_exact and not footprint.busy_at_start:
        # Nothing grows before the instance is complete, so each memory may start as large as it wants.
        most = max(footprint.memories, default=0)
        running = _level(room, [*footprint.memories, *[0] * footprint.has_gc])
        return Shares(memories, tables, elements, max(most, even), running)
    return Shares(memories, tables, elements, even, even)


def _elements(left: int, footprint: Footprint, tables: int) -> int:
    """Returns how many elements each table may have, where the memories that there are leave so many bytes."""
    if not tables:
        return 0
    largest = max(table.elements for table in footprint.tables)
    grows = any(table.most is None or table.most > table.elements for table in footprint.tables)
    spare = (FREE_TABLE_BYTES + left // _TABLES_PART) // ELEMENT_BYTES // tables if grows else 0
    return min(_MOST_ELEMENTS, max(largest, spare))


def _level(room: int, sizes: Sequence[int]) -> int:
    """Returns the level up to which all of these may grow, the larger ones staying as they are, within `room`."""
    ordered = sorted(sizes, reverse=True)
    for index, size in enumerate(ordered):
        level = room // (len(ordered) - index)
        if size <= level:
            return level
        room -= size
    return 0


def _does_not_fit(limit: int, footprint: Footprint, table_bytes: int) -> MemoryLimitError:
    tables = f", its tables with {table_bytes} more" if table_bytes else ""
    hint = f"raise limits.max_memory_bytes, which is {limit} for all its memories together"
    return MemoryLimitError(
        f"the guest's memories start with {sum(footprint.memories)} bytes{tables}: beyond its limit", hint=hint
    )
