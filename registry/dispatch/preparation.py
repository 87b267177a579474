"""Making an entry ready to call: once at a time, however many calls wait for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from polycall.interop.waiting import Happening

if TYPE_CHECKING:
    from polycall.interop.context import CallContext
    from polycall.registry.dispatch.routes import Route

__all__ = ["Preparation"]


class Preparation:
    """An entry that one thread prepares while others wait for it, each no longer than its own call may.

    It is no lock: start-up code cannot call, so nobody who prepares waits for another preparation.

    Attributes:
        route: What came of it; None until then, and if it failed.
    """

    def __init__(self) -> None:
        self.route: Route | None = None
        self._thread = threading.get_ident()
        self._ended = Happening()

    @property
    def is_worth_waiting(self) -> bool:
        """Whether this thread may wait for it: a signal handler that calls must not wait for what it interrupted."""
        return not self._ended.happened and self._thread != threading.get_ident()

    def end(self) -> None:
        """Wakes all who wait; harmless when repeated."""
        self._ended.happen()

    def wait(self, call: CallContext) -> Route | None:
        """Returns what came of it, as soon as it ends.

        Raises:
            DeadlineError, CancelledError: The call is over.
        """
        self._ended.wait(call, f'"{call.entry_id}" to be prepared')
        return self.route
