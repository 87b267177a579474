"""Things that a guest can wait for."""

from __future__ import annotations

import time
from collections.abc import Callable

from polycall.interop.io_thread import Event, io_thread

__all__ = ["Readiness", "Timer", "nothing"]


def nothing() -> None:
    """Does nothing: calls off a watch that there is none of."""


class Readiness:
    """Something that is ready now, or will be. Ready at any time, unless a subclass says otherwise.

    Attributes:
        until: When it becomes ready by itself, in seconds of `time.monotonic`; None if it does not.
    """

    until: float | None = None

    def ready(self) -> bool:
        """Says whether it is; never blocks."""
        return True

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        """Has something called, in whatever thread, when this may have become ready.

        Args:
            call: Neither blocks nor raises. It may be called for nothing, and more than once.

        Returns:
            What calls it off.
        """
        return nothing


class Timer(Readiness):
    """A point in time."""

    def __init__(self, until: float) -> None:
        self.until = until

    def ready(self) -> bool:
        """Says whether it has come."""
        return self.until is not None and time.monotonic() >= self.until


def watch_descriptor(descriptor: int, event: Event, call: Callable[[], None]) -> Callable[[], None]:
    """Watches a socket or a pipe; see `IoThread.watch`."""
    return io_thread().watch(descriptor, event, call)
