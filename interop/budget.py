"""How much one step may take, build or walk through, and when it asks whether it may go on: the one such count."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from polycall.interop.errors import ConversionError

__all__ = ["CROSSING_BYTES", "VALUE_BYTES", "Budget", "count"]

VALUE_BYTES = 128
"""What a value counts besides its text: about what an object of Python's and its place in a container take."""

CROSSING_BYTES = 128 << 20
"""What the values of one crossing between guest and host may come to: a million small ones, or text. As in
``lua/values/values.lua``."""

_STEPS_BETWEEN_CHECKS = 2048
_STEP_BYTES = 512
"""Bytes of text that count as a step: a mebibyte takes about as long as the values between two checks."""


def _never() -> None:
    return None


class Budget:
    """Counts the values of one step down to nothing.

    Args:
        most_bytes: What they may come to, each with `VALUE_BYTES` and its text.
        path: Where they stand, for the message.
        direction: ``lower`` or ``lift``, for the error.
        check: Called every few thousand values or mebibyte of text, before they are worked on: that is a few
            milliseconds; raises to end the work.
    """

    __slots__ = ("_check", "_direction", "_left", "_most", "_path", "_steps")

    def __init__(
        self, most_bytes: int, path: str = "$", direction: str = "lower", check: Callable[[], None] | None = None
    ) -> None:
        self._most = self._left = most_bytes
        self._path = path
        self._direction = direction
        self._check = check or _never
        self._steps = _STEPS_BETWEEN_CHECKS

    @property
    def taken(self) -> int:
        """What has been counted so far."""
        return self._most - self._left

    def take(self, text_length: int = 0, values: int = 1) -> None:
        """Counts a value, or some.

        Args:
            text_length: Bytes or characters of their text.
            values: How many.

        Raises:
            ConversionError: There is no room for it.
        """
        self._left -= text_length + values * VALUE_BYTES
        if self._left < 0:
            expected = f"at most {self._most} bytes in all, each value counting {VALUE_BYTES}"
            raise ConversionError(self._path, self._direction, expected, "more")
        self._steps -= values + text_length // _STEP_BYTES
        if self._steps <= 0:
            self._steps = _STEPS_BETWEEN_CHECKS
            self._check()


def count(value: object, budget: Budget) -> None:
    """Takes a value and all that is in it from a budget.

    Raises:
        ConversionError: There is no room for it.
    """
    ahead = [value]
    while ahead:
        each = ahead.pop()
        budget.take(len(each) if isinstance(each, (str, bytes)) else 0)
        if isinstance(each, Mapping):
            ahead += (*each.keys(), *each.values())
        elif isinstance(each, (list, tuple)):
            ahead += each
