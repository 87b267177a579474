"""Reads the numbers, names and vectors of a component's binary; every error knows its offset."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from polycall.interop.errors import PreparationError

__all__ = ["MAX_DEFINITIONS", "MAX_NAME_BYTES", "MAX_NESTING", "BinaryReader"]

MAX_DEFINITIONS = 200_000
"""Definitions, declarations, labels and arguments of one binary: what it makes the host build."""

MAX_NESTING = 64
"""Levels of components and of types inside each other; real ones have three."""

MAX_NAME_BYTES = 100_000
"""As core WebAssembly bounds names in every engine."""

_T = TypeVar("_T")


class BinaryReader:
    """A position in a binary.

    Attributes:
        data: The whole binary.
        offset: Where the next byte is.
        end: Where what is being read ends.
    """

    __slots__ = ("_budget", "_nesting", "data", "end", "offset")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.offset = start
        self.end = len(data) if end is None else end
        self._budget = MAX_DEFINITIONS
        self._nesting = 0

    def error(self, message: str, at: int | None = None) -> PreparationError:
        """Returns the error of a binary that is malformed, or wants what polycall does not have.

        Args:
            message: What is wrong.
            at: Where, in bytes; by default where the reader is.
        """
        where = self.offset if at is None else at
        return PreparationError(f"is not a component that polycall can run: {message}, at offset {where:#x}")

    def byte(self) -> int:
        """Returns the next byte."""
        if self.offset >= self.end:
            raise self.error("it ends in the middle of a definition")
        self.offset += 1
        return self.data[self.offset - 1]

    def peek(self) -> int:
        """Returns the next byte and stays where it is."""
        if self.offset >= self.end:
            raise self.error("it ends in the middle of a definition")
        return self.data[self.offset]

    def expect(self, byte: int, what: str) -> None:
        """Reads a byte that must be there."""
        at = self.offset
        if self.byte() != byte:
            raise self.error(f"{what} must be {byte:#04x}, and is {self.data[at]:#04x}", at)

    def flag(self, what: str) -> bool:
        """Reads a byte that is 0 or 1."""
        at = self.offset
        byte = self.byte()
        if byte > 1:
            raise self.error(f"{what} must be 0x00 or 0x01, and is {byte:#04x}", at)
        return bool(byte)

    def u32(self) -> int:
        """Reads an unsigned LEB128 number of 32 bits."""
        return self._unsigned(32)

    def u64(self) -> int:
        """Reads an unsigned LEB128 number of 64 bits."""
        return self._unsigned(64)

    def _unsigned(self, bits: int) -> int:
        at = self.offset
        value = 0
        for shift in range(0, bits + 3, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >= 1 << bits:
                    break
                return value
        raise self.error(f"a number has more than {bits} bits", at)

    def s33(self) -> int:
        """Reads a signed LEB128 number of 33 bits: an index, or below zero the code of a type."""
        at = self.offset
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte & 0x40:
                    value -= 1 << (shift + 7)
                if not -(1 << 32) <= value < 1 << 32:
                    break
                return value
        raise self.error("a number has more than 33 bits", at)

    def name(self) -> str:
        """Reads a length and so many bytes of UTF-8."""
        at = self.offset
        length = self.u32()
        if length > MAX_NAME_BYTES:
            raise self.error(f"a name has {length} bytes, more than {MAX_NAME_BYTES}", at)
        raw = self.data[self.offset : self.skip(length, "a name")]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self.error("a name is not UTF-8", at) from None

    def skip(self, length: int, what: str) -> int:
        """Passes over so many bytes; returns where the reader is then."""
        if length > self.end - self.offset:
            raise self.error(f"{what} reaches beyond the end")
        self.offset += length
        return self.offset

    def vector(self, read: Callable[[], _T]) -> list[_T]:
        """Reads a count and so many items."""
        return [read() for _ in range(self.count())]

    def count(self) -> int:
        """Reads how many items follow; counts them against what one binary may have."""
        at = self.offset
        count = self.u32()
        self._budget -= count
        if self._budget < 0:
            raise self.error(f"it has more than {MAX_DEFINITIONS} definitions", at)
        if count > self.end - self.offset:  # each item takes a byte at least
            raise self.error(f"{count} items reach beyond the end", at)
        return count

    def optional(self, read: Callable[[], _T], what: str) -> _T | None:
        """Reads an item that may be absent."""
        return read() if self.flag(what) else None

    def nested(self, read: Callable[[], _T]) -> _T:
        """Reads something that stands inside another of its kind, to a bounded depth."""
        if self._nesting == MAX_NESTING:
            raise self.error(f"components or types stand more than {MAX_NESTING} levels inside each other")
        self._nesting += 1
        try:
            return read()
        finally:
            self._nesting -= 1

    def within(self, length: int, what: str, read: Callable[[], _T]) -> _T:
        """Reads a part of so many bytes, which must be used up exactly."""
        outer = self.end
        if length > outer - self.offset:
            raise self.error(f"{what} reaches beyond the end")
        self.end = self.offset + length
        result = read()
        if self.offset != self.end:
            raise self.error(f"{what} has {self.end - self.offset} bytes too many")
        self.end = outer
        return result
