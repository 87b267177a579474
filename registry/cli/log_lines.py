"""How the log looks on stderr; imported when something is first said to it."""

from __future__ import annotations

import logging
import sys

from polycall.interop.slow_work import SLOW_LOG
from polycall.registry.cli.printable import indented
from polycall.registry.cli.stderr import say

__all__ = ["configure", "show_guests"]


class _EchoHandler(logging.Handler):
    """Writes to what stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record."""
        say(indented(self.format(record)))


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage() if record.name == SLOW_LOG else super().format(record)


def configure(verbosity: int) -> None:
    """Sends the log to stderr; see `polycall.registry.cli.logs.configure_logging`."""
    handler = _EchoHandler()
    handler.setFormatter(_Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("polycall")
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if verbosity > 1 else logging.WARNING)
    # To who waits at a terminal it is said what takes long; a script has nothing from it.
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    logging.getLogger(SLOW_LOG).setLevel(logging.INFO if on_terminal or verbosity > 1 else logging.WARNING)
    logging.getLogger("polycall.entry").setLevel(logging.DEBUG if verbosity else logging.WARNING)


def show_guests() -> None:
    """Lets what guests print and log through, except for debugging."""
    guests = logging.getLogger("polycall.entry")
    guests.setLevel(min(guests.level, logging.INFO))
