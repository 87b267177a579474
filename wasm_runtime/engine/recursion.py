"""Room on Python's stack for the engine's callbacks.

ctypes has nobody to tell when a callback cannot even begin, because Python's recursion limit is reached: the engine
would take that for success, with whatever lies in the slots, and a deadline would pass unseen. A guest that calls out
often enough comes to that limit. So before the engine is entered, Python goes as deep as callbacks must be able to.
"""

from __future__ import annotations

import sys

from polycall.interop.errors import DepthError

__all__ = ["reach", "reach_far", "too_deep"]

_FAR = 30


def reach() -> None:
    """Goes as deep as a callback needs to begin, and to say that it failed; to be called where the engine is entered.

    Raises:
        RecursionError: Python's recursion limit leaves no room for that.
    """
    # Calls of functions that do nothing are the cheapest way down. The engine takes one level, its callback the next,
    # a function of the engine's in there another one; one is left for a signal handler that comes just then.
    _second()


def _second() -> None:
    _third()


def _third() -> None:
    _fourth()


def _fourth() -> None:
    return


def reach_far(levels: int = _FAR) -> None:
    """Goes deeper than what takes a few calls, and must not fail between two of them.

    Raises:
        RecursionError: Python's recursion limit leaves no room for that.
    """
    if levels:
        reach_far(levels - 1)


def too_deep() -> DepthError:
    """Returns the error for a call that is nested too deeply for that."""
    return DepthError(f"calls are nested deeper than Python's recursion limit, which is {sys.getrecursionlimit()}")
