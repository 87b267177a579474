"""Errors of nested calls that a running call may still pass on as they were."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Iterator
from contextlib import suppress

from polycall.interop.budget import Budget, count
from polycall.interop.errors import ConversionError, PolycallError

__all__ = ["KEPT_BYTES", "KeptErrors"]

KEPT_BYTES = 4 << 20
"""What the errors that one call keeps may come to; an older one, or one that is larger by itself, is passed on as a
copy of what the guest was told."""

_ERROR_BYTES = 2048  # of an error beside what it carries: its place in the chain, and its traceback


class KeptErrors:
    """Errors by number, bounded by what they hold: messages, details and tracebacks, with those of their causes."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[PolycallError, int]] = {}
        self._numbers = itertools.count(1)
        self._bytes = 0

    def keep(self, error: PolycallError) -> int:
        """Keeps an error and returns its number.

        The frames that it passed are cleared: they are done, and what their variables hold, such as the arguments and
        the results of the calls, has no bound.
        """
        for each in _chain(error):
            traceback.clear_frames(each.__traceback__)
        number = next(self._numbers)
        with suppress(ConversionError):
            size = _size(error)
            self._kept[number] = error, size
            self._bytes += size
        while self._bytes > KEPT_BYTES:
            _, oldest = self._kept.pop(next(iter(self._kept)))
            self._bytes -= oldest
        return number

    def get(self, number: int) -> PolycallError | None:
        """Returns the error of a number, or None if it is not kept any more."""
        kept = self._kept.get(number)
        return kept[0] if kept else None

    def clear(self) -> None:
        """Forgets all of them; their numbers are not given again."""
        self._kept.clear()
        self._bytes = 0


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and what led to it, each once."""
    seen: set[int] = set()
    ahead: list[BaseException | None] = [error]
    while ahead:
        each = ahead.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            ahead += (each.__cause__, each.__context__)


def _size(error: BaseException) -> int:
    """Returns about how many bytes an error holds.

    Raises:
        ConversionError: They are more than `KEPT_BYTES`.
    """
    budget = Budget(KEPT_BYTES)
    for each in _chain(error):
        budget.take(_ERROR_BYTES)
        count([each.args, *vars(each).values()], budget)
    return budget.taken
