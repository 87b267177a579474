"""Who looks after holds that Ctrl-C makes everybody forget."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from polycall.interop.context import CallContext
from polycall.interop.pool import Pool
from polycall.interop.protocols import Instance
from polycall.registry.dispatch.janitor import Lost

if TYPE_CHECKING:
    from polycall.registry.dispatch.holds import Hold

__all__ = ["HoldWatch"]


class _Place:
    """Where the instance of a hold is, for who looks after it.

    Attributes:
        holders: The frame by which the pool knows it now, and the one before.
    """

    __slots__ = ("_instance", "_pool", "holders")

    def __init__(self, hold: Hold) -> None:
        self._pool: Pool[Instance] = hold.route.pool
        self._instance = hold.instance
        self.holders: tuple[CallContext, ...] = (hold.maker,)

    def give_up(self) -> None:
        """Has the instance closed, if it is still held."""
        self._pool.release(cast("Instance", self._instance), self.holders, broken=True)


_PLACES: dict[Lost, _Place] = {}
"""By process: with a registry that nobody closed, the instance would be garbage together with its hold. The collector,
which keeps to no order, may then free the store before a destructor runs in it."""


class HoldWatch:
    """Looks after holds that Ctrl-C makes everybody forget: their instances are closed.

    What tells of them is a weak reference whose callback is a queue's own `put`: no handler of a signal can break that
    off, as it can a finalizer that is Python's. The thread at the queue's other end calls `found`.
    """

    def add(self, hold: Hold, tell: Callable[[Any], object]) -> tuple[Lost, _Place]:
        """Begins to look after a hold."""
        watched, place = Lost(hold, tell), _Place(hold)
        watched.found = self.found
        _PLACES[watched] = place
        return watched, place

    def discard(self, watched: Lost) -> None:
        """Ends it: its instance is back."""
        _PLACES.pop(watched, None)

    def found(self, watched: Lost) -> None:
        """Is told of a hold that is no more."""
        place = _PLACES.pop(watched, None)
        if place is not None:
            place.give_up()
