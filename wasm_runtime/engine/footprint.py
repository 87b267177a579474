"""What a binary says of the memory that its instances take: memories, tables, and whether they have a GC heap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["MOST_UNWATCHED", "Footprint", "Table", "together"]

MOST_UNWATCHED = 64 * 1024
"""How much may be filled (`Footprint.filling`) with nobody looking at the clock: it takes some three milliseconds."""


class Table(NamedTuple):
    """A table as declared.

    Attributes:
        elements: How many it starts with.
        most: How many it may have at most, or None where nothing is declared.
    """

    elements: int
    most: int | None


class Footprint(NamedTuple):
    """The memories and tables of a binary's modules, each module counted once.

    Attributes:
        memories: The bytes that each memory starts with.
        tables: The tables.
        has_gc: Whether its code may allocate on the GC heap.
        busy_at_start: Whether anything may run or allocate before the instance is complete; True also where a number
            only looks like it.
        is_exact: Whether there is one instance of all this: a core module. A component may make several of each module.
        filling: How much work it is to fill what an instance starts with: the bytes of tables, globals and elements,
            of which each may be a value that is made, and a sixteenth of what is only copied. No code of the guest's
            runs, but a component may make a thousand instances of a module: it can take minutes.
    """

    memories: tuple[int, ...] = ()
    tables: tuple[Table, ...] = ()
    has_gc: bool = False
    busy_at_start: bool = False
    is_exact: bool = False
    filling: int = 0


def together(parts: Sequence[Footprint]) -> Footprint:
    """Returns the footprint of a component's modules."""
    return Footprint(
        tuple(size for part in parts for size in part.memories),
        tuple(table for part in parts for table in part.tables),
        any(part.has_gc for part in parts),
        any(part.busy_at_start for part in parts),
        filling=sum(part.filling for part in parts),
    )
