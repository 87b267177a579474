"""What a binary says of the memory that its instances take: memories, tables, and whether they have a GC heap.

Specification: WebAssembly core 3.0, "Modules" in the binary format. Only what the engine has compiled comes here, so it
is well-formed; what is skipped is skipped by its length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Footprint", "Table", "footprint_of"]

_CORE_HEADER = b"\0asm\x01\0\0\0"
_HEADER_BYTES = 8
_PAGE_LOG2 = 16

_TYPE, _TABLE, _MEMORY, _GLOBAL, _START, _ELEMENT, _TAG = 1, 4, 5, 6, 8, 9, 13
_INNER_MODULE, _INNER_COMPONENT = 1, 4
_GC_TYPES = (b"\x5e", b"\x5f")  # array, struct
_GC_OPCODES = b"\xfb"
_TABLE_WITH_VALUE = 0x40
_REFERENCE_TO_TYPE = (0x63, 0x64)


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
        has_gc: Whether its code may allocate on the GC heap. True also where a type index only looks like such a type.
        busy_at_start: Whether anything may run or allocate before the instance is complete; True also where a number
            only looks like it.
        is_exact: Whether there is one instance of all this: a core module. A component may make several of each module.
    """

    memories: tuple[int, ...] = ()
    tables: tuple[Table, ...] = ()
    has_gc: bool = False
    busy_at_start: bool = False
    is_exact: bool = False


def footprint_of(binary: bytes) -> Footprint:
    """Returns what a compiled binary's instances take."""
    parts = [_module(module) for module in _core_modules(memoryview(binary))]
    return Footprint(
        tuple(size for part in parts for size in part.memories),
        tuple(table for part in parts for table in part.tables),
        any(part.has_gc for part in parts),
        any(part.busy_at_start for part in parts),
        is_exact=binary[:_HEADER_BYTES] == _CORE_HEADER,
    )


def _core_modules(binary: memoryview) -> Iterator[memoryview]:
    """Yields the core modules of a binary, which may be one itself."""
    waiting = [binary]  # and no recursion: components nest as deep as their author likes
    while waiting:
        found = waiting.pop()
        if found[:_HEADER_BYTES] == _CORE_HEADER:
            yield found
        else:
            inner = (_INNER_MODULE, _INNER_COMPONENT)
            waiting += [content for number, content in _sections(found) if number in inner]


def _sections(binary: memoryview) -> list[tuple[int, memoryview]]:
    found: list[tuple[int, memoryview]] = []
    at = _HEADER_BYTES
    while at < len(binary):
        size, start = _number(binary, at + 1)
        found.append((binary[at], binary[start : start + size]))
        at = start + size
    return found


def _module(binary: memoryview) -> Footprint:
    sections = dict(_sections(binary))
    types = bytes(sections.get(_TYPE, b"\0"))
    types = types[_number(memoryview(types), 0)[1] :]  # without their count
    constants = (bytes(sections.get(number, b"")) for number in (_TABLE, _GLOBAL, _ELEMENT))
    return Footprint(
        memories=tuple(_memories(sections.get(_MEMORY))),
        tables=tuple(_tables(sections.get(_TABLE))),
        has_gc=_TAG in sections or any(each in types for each in _GC_TYPES),
        busy_at_start=_START in sections or any(_GC_OPCODES in each for each in constants),
    )


def _memories(section: memoryview | None) -> list[int]:
    if section is None:
        return []
    count, at = _number(section, 0)
    found: list[int] = []
    for _ in range(count):
        least, _most, page_log2, at = _limits(section, at)
        found.append(least << page_log2)
    return found


def _tables(section: memoryview | None) -> list[Table]:
    if section is None:
        return []
    count, at = _number(section, 0)
    found: list[Table] = []
    while len(found) < count:
        if section[at] == _TABLE_WITH_VALUE:
            # How long the value is would take a decoder of expressions; these tables are taken for ones without bounds.
            return [*found, *[Table(0, None)] * (count - len(found))]
        at = _number(section, at + 1)[1] if section[at] in _REFERENCE_TO_TYPE else at + 1
        least, most, _, at = _limits(section, at)
        found.append(Table(least, most))
    return found


def _limits(section: memoryview, at: int) -> tuple[int, int | None, int, int]:
    """Returns the minimum, the maximum, the page size (its binary logarithm), and what comes next."""
    flags = section[at]
    least, at = _number(section, at + 1)
    most, page_log2 = None, _PAGE_LOG2
    if flags & 1:
        most, at = _number(section, at)
    if flags & 8:
        page_log2, at = _number(section, at)
    return least, most, page_log2, at


def _number(data: memoryview, at: int) -> tuple[int, int]:
    """Returns the unsigned LEB128 number at an offset, and the offset behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
