"""Bytes as a row of choices, and plain values built by them: so a fuzzer that only knows bytes reaches every shape."""

from __future__ import annotations

import struct

from polycall.interop.values import Value

__all__ = ["Choices"]

_KEYS = ("a", "b", "some", "ok", "err", "tag-count", "x1", "none", "", "é", "\0", "1")
_NUMBERS = (-1, 0, 1, 2**8, 2**16, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1)
_MAX_NESTING = 90


class Choices:
    """Takes choices off some bytes; when those are used up, every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, count: int) -> int:
        """Returns a number from 0 to `count` - 1."""
        return self.take(1)[0] % count

    def take(self, size: int) -> bytes:
        """Returns that many bytes."""
        self._at += size
        return self._data[self._at - size : self._at].ljust(size, b"\0")

    def value(self, nesting: int = 0) -> Value:
        """Returns a value of one of the plain types."""
        match self.below(9 if nesting < _MAX_NESTING else 7):
            case 0:
                return None
            case 1:
                return self.below(2) == 1
            case 2:
                return self.below(256) - 128
            case 3:
                return _NUMBERS[self.below(len(_NUMBERS))]
            case 4:
                number: float = struct.unpack("<d", self.take(8))[0]
                return number
            case 5:
                return self.take(self.below(16)).decode("utf-8", "surrogateescape")
            case 6:
                return self.take(self.below(16))
            case 7:
                return [self.value(nesting + 1) for _ in range(self.below(5))]
        return {_KEYS[self.below(len(_KEYS))]: self.value(nesting + 1) for _ in range(self.below(4))}
