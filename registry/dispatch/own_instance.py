"""A call with an instance of its own, which stands in for the pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from polycall.interop.context import CallContext
from polycall.interop.protocols import Function, Instance

if TYPE_CHECKING:
    from polycall.registry.dispatch.routes import Route

__all__ = ["OwnInstance"]


class OwnInstance:
    """One call; see `polycall.registry.dispatch.routes.Taken`."""

    def __init__(self, route: Route, function: Callable[[CallContext], Function]) -> None:
        """Prepares a call.

        Args:
            route: Where it goes.
            function: Gives what the instance is made of, for the frame of the call.
        """
        self._route = route
        self._function = function
        self._instance: Instance | None = None

    def check_out(self, context: CallContext) -> Instance:
        """Makes the instance."""
        self._route.count_beside()
        self._instance = self.instance(self._function(context), context)
        return self._instance

    def instance(self, function: Function, context: CallContext) -> Instance:
        """Returns an instance of a function."""
        return function.instantiate(context)

    def give_back(self, instance: Instance) -> None:
        """Frees it."""
        instance.close()

    def take_back(self, _context: CallContext) -> None:
        """Frees what Python has broken off."""
        if self._instance is not None:
            self._instance.close()
