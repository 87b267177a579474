"""A call on an instance that resources keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from polycall.interop.context import CallContext
from polycall.interop.errors import CallError
from polycall.interop.values import Value

if TYPE_CHECKING:
    from polycall.registry.dispatch.holds import Hold
    from polycall.registry.dispatch.resource_route import ResourceRoute

__all__ = ["FAILED", "HeldCall"]

FAILED = "its instance ended with an error"
"""Why a resource is gone whose instance is poisoned."""


class HeldCall:
    """A call on an instance that is held, in the shape of both a pool and an instance, for `Route.run`."""

    def __init__(self, hold: Hold, route: ResourceRoute, work: Callable[[Sequence[Value], CallContext], Any]) -> None:
        self._hold = hold
        self._route = route
        self._work = work
        self._user: CallContext | None = None

    @property
    def poisoned(self) -> bool:
        """That of the instance."""
        return self._hold.instance.poisoned

    @poisoned.setter
    def poisoned(self, value: bool) -> None:
        self._hold.instance.poisoned = value

    def check_out(self, context: CallContext) -> HeldCall:
        """Takes the instance for the call."""
        self._route.count_beside()
        self._user = context
        self._hold.occupy(context)
        return self

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        """Makes the call."""
        self._hold.drop_abandoned(context)
        if self.poisoned:
            raise CallError(f"a resource of {self._hold.route.entry_id} is gone: {FAILED}")
        value: Value = self._work(arguments, context)
        self._hold.adopt(value, context)
        return value

    def give_back(self, _instance: object) -> None:
        """Ends the use of the instance."""
        if self._user is not None:
            self._hold.vacate(self._user)

    def take_back(self, _context: CallContext) -> None:
        """Ends it after Python has broken the call off."""
        self._hold.give_up(self._user)

    def close(self) -> None:
        """Does nothing: the instance is its pool's."""
