"""A call whose result or arguments may hold resources: those keep its instance, or say which one it can only be."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from polycall.interop.context import CallContext
from polycall.interop.errors import CallError, ConversionError
from polycall.interop.protocols import Instance, ResourceInstance
from polycall.interop.resources import handles_in, states_in
from polycall.interop.values import Value
from polycall.registry.dispatch.held_call import HeldCall
from polycall.registry.dispatch.holds import Hold

if TYPE_CHECKING:
    from polycall.registry.dispatch.dispatcher import Dispatcher
    from polycall.registry.dispatch.resource_route import ResourceRoute

__all__ = ["KeptCall"]


class KeptCall:
    """A call on an instance of the pool, which stays with the chain if there are resources in the result."""

    def __init__(self, route: ResourceRoute, dispatcher: Dispatcher, arguments: Sequence[Value]) -> None:
        self._route = route
        self._dispatcher = dispatcher
        self._arguments = arguments
        self._held: HeldCall | None = None
        self._instance: Instance | None = None
        self._hold: Hold | None = None

    @property
    def poisoned(self) -> bool:
        """That of the instance."""
        return self._instance is None or self._instance.poisoned

    @poisoned.setter
    def poisoned(self, value: bool) -> None:
        if self._instance is not None:
            self._instance.poisoned = value

    def check_out(self, context: CallContext) -> KeptCall | HeldCall:
        """Takes an instance from the pool; if there are resources among the arguments, it can only be theirs."""
        hold = _hold_of(self._arguments)
        if hold is None:
            self._instance = self._route.pool.check_out(context)
            return self
        function = self._route.function
        if not function.shares_instances_with(hold.route.function):
            self._route.count_beside()
            raise _foreign(self._arguments)
        self._held = HeldCall(hold, self._route, functools.partial(hold.instance.call, export=function.export))
        return self._held.check_out(context)

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        """Makes the call."""
        instance = self._instance
        if instance is None:
            raise CallError("a call had no instance")
        value = instance.call(arguments, context)
        if handles_in(value):
            self._hold = Hold(self._route, cast("ResourceInstance", instance), self._dispatcher, context)
            self._hold.adopt(value, context)
        return value

    def give_back(self, _instance: object) -> None:
        """Gives the instance back to the pool, or leaves it to its resources."""
        if self._held is not None:
            self._held.give_back(self._held)
        elif self._hold is not None:
            self._hold.vacate(self._hold.maker)
        elif self._instance is not None:
            self._route.pool.give_back(self._instance)

    def take_back(self, context: CallContext) -> None:
        """Closes what the call still has after Python has broken it off."""
        if self._held is not None:
            self._held.take_back(context)
        if self._hold is not None:
            self._hold.give_up(self._hold.maker)
        self._route.pool.take_back(context)

    def close(self) -> None:
        """Does nothing: the instance is its pool's."""


def _hold_of(arguments: Sequence[Value]) -> Hold | None:
    """Returns what keeps the instance of the resources among the arguments of a call; None if there are none.

    Raises:
        ConversionError: One is gone, or they are of several instances.
    """
    holds: dict[object, None] = {}
    for index, argument in enumerate(arguments):
        for state in states_in(argument):
            if state.gone:
                got = f"a {state.name} that is gone: {state.gone}"
                raise ConversionError(f"$.args[{index}]", "lower", "a resource", got)
            holds[state.keeper] = None
    if len(holds) > 1:
        raise _foreign(arguments)
    return cast("Hold | None", next(iter(holds), None))


def _foreign(arguments: Sequence[Value]) -> ConversionError:
    """Returns the error of resources that meet another instance than their own."""
    index, state = next((at, state) for at, each in enumerate(arguments) for state in states_in(each))
    return ConversionError(
        f"$.args[{index}]",
        "lower",
        "a resource of the instance that is called",
        f"a {state.name} of another instance",
        hint="a resource can be used only with the instance that made it: by its methods, and by entries of the same "
        "component that are granted the same",
    )
