"""The log of Python's, loaded when something is first said.

A command that only calls says nothing, and to load `logging` takes it as long as the call. So every module takes its
logger from here, when it has something to say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from polycall.interop.forks import new_lock

if TYPE_CHECKING:
    import logging

__all__ = ["CRITICAL", "DEBUG", "ERROR", "INFO", "WARNING", "is_wanted", "logger", "once_loaded"]

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50
"""Levels, as `logging` has them."""

_set_ups: list[Callable[[], object]] = []
"""By process, as the log is."""

_lock = new_lock()


def logger(name: str) -> logging.Logger:
    """Returns a logger; loads the log, and has it set up as `once_loaded` was told."""
    import logging  # noqa: PLC0415  # see above

    if _set_ups:
        with _lock:  # nobody says anything before all is set up
            while _set_ups:
                _set_ups[0]()
                del _set_ups[0]
    return logging.getLogger(name)


def is_wanted(name: str, level: int) -> bool:
    """Says whether somebody listens: nobody can who has not loaded the log."""
    return "logging" in sys.modules and logger(name).isEnabledFor(level)


def once_loaded(set_up: Callable[[], object]) -> None:
    """Has something done to the log before anything is said to it: at once if it is loaded.

    Args:
        set_up: Takes its loggers from `logging` itself.
    """
    if "logging" in sys.modules:
        set_up()
    else:
        _set_ups.append(set_up)
