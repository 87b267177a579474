"""Making an entry ready to call: once at a time, however many calls wait for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from interop.waiting import Wakeup

if TYPE_CHECKING:
    from interop.context import CallContext
    from registry.routes import Route

__all__ = ["Preparation"]


class Preparation:
    """An entry that one thread prepares while others wait for it, each no longer than its own call may.

    It is no lock: start-up code cannot call, so nobody who prepares waits for another preparation.

    Attributes:
        thread: Who prepares.
        route: What came of it; None until then, and if it failed.
    """

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.route: Route | None = None
        self._lock = threading.Lock()
        self._ended = False
        self._waiting: list[Wakeup] = []

    def end(self) -> None:
        """Wakes all who wait."""
        with self._lock:
            self._ended = True
            waiting, self._waiting = self._waiting, []
        for wakeup in waiting:
            wakeup.notify()

    def wait(self, call: CallContext) -> Route | None:
        """Returns what came of it, as soon as it ends.

        Raises:
            DeadlineError, CancelledError: The call is over.
        """
        wakeup = Wakeup()
        with self._lock:
            if not self._ended:
                self._waiting.append(wakeup)
        if not self._ended:
            wakeup.wait(call, f'"{call.entry_id}" to be prepared')
        return self.route
