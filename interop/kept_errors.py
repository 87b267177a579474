"""Errors of nested calls that a running call may still pass on as they were."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Iterator

from polycall.interop.budget import VALUE_BYTES
from polycall.interop.errors import PolycallError

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
        number, size = next(self._numbers), _size(error)
        if size <= KEPT_BYTES:
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
    """Returns about how many bytes an error holds; once they are too many, no more are counted."""
    size = 0
    for each in _chain(error):
        size += _ERROR_BYTES
        ahead: list[object] = [each.args, *vars(each).values()]
        while ahead and size <= KEPT_BYTES:
            value = ahead.pop()
            size += VALUE_BYTES
            if isinstance(value, (str, bytes)):
                size += len(value)
            elif isinstance(value, (list, tuple)):
                ahead += value
            elif isinstance(value, dict):
                ahead += (*value.keys(), *value.values())
    return size
