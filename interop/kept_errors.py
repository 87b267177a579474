"""Errors of nested calls that a running call may still pass on as they were."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from types import TracebackType

from polycall.interop.budget import Budget, count
from polycall.interop.errors import ConversionError, PolycallError

__all__ = ["KEPT_BYTES", "KeptErrors"]

KEPT_BYTES = 4 << 20
"""What the errors that one call keeps may come to; an older one, or one that is larger by itself, is passed on as a
copy of what the guest was told."""

_NOTE = "Raised at:"
_MOST_PLACES = 20
_ERROR_BYTES = 2048  # of an error beside what it carries: objects of ours, and frames to come when it is raised again


class KeptErrors:
    """Errors by number, bounded by what they hold: messages, details and tracebacks, with those of their causes."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[PolycallError, int]] = {}
        self._numbers = itertools.count(1)
        self._bytes = 0

    def keep(self, error: PolycallError) -> int:
        """Keeps an error and returns its number.

        Its traceback goes, and those of what led to it: frames hold the frames that called them, and all of these what
        is in their variables, such as the arguments and the results of calls, which has no bound.
        """
        for each in _chain(error):
            _let_go_of_frames(each)
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


def _let_go_of_frames(error: BaseException) -> None:
    """Takes the traceback off; what a foreign exception passed, such as a registered function, is noted as text."""
    trace, error.__traceback__ = error.__traceback__, None
    if trace is None or isinstance(error, PolycallError):
        return
    if not any(note.startswith(_NOTE) for note in getattr(error, "__notes__", ())):
        error.add_note(_NOTE + "".join(f"\n  {place}" for place in islice(_places(trace), _MOST_PLACES)))


def _places(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield f'File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}'
        trace = trace.tb_next


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
