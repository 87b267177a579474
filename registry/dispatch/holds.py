"""What keeps an instance for the resources that it has handed out, until the last of them is gone.

A resource lives in the instance that made it. So a call that gives one does not give its instance back: a `Hold` does.
While the chain of calls runs that got the resources, the hold belongs to the chain, and ends with it: destructors run,
then the instance goes back to its pool. Resources that the outermost call returns are Python's from then on, and the
hold ends when the last of them is dropped or its handle is collected.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Collection, Iterable, Sequence, Set
from typing import TYPE_CHECKING, cast

from polycall.interop.call_gate import refuse_call
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CallError, LimitError
from polycall.interop.forks import new_lock
from polycall.interop.ids import cut, suggestion
from polycall.interop.logs import logger
from polycall.interop.pool_queue import Outside
from polycall.interop.protocols import Instance, ResourceInstance
from polycall.interop.resources import ResourceState, states_in
from polycall.interop.values import Value, plain_all
from polycall.registry.dispatch.async_calls import owner_thread
from polycall.registry.dispatch.held_call import FAILED, HeldCall
from polycall.registry.dispatch.python_functions import current_context

if TYPE_CHECKING:
    from polycall.registry.dispatch.dispatcher import Dispatcher
    from polycall.registry.dispatch.resource_route import ResourceRoute

__all__ = ["Hold", "end_chain"]

_LOG = "polycall.resources"

_MOST_RESOURCES = 100_000
"""What one instance may have handed out: as many as it may have itself."""

_MOST_HOLDS = 1_000
"""Instances that one chain may keep."""

_END_SECONDS = 10.0
"""For all destructors at the end of a chain: as long as start-up code may run."""

_ENDED = "the call that got it has ended"
_CLOSED = "its registry was closed"
_DROPPED = "it was dropped"
_FORKED = "the process forked while it was in use"


class Hold:
    """An instance that its resources keep. One call at a time uses it, from whatever thread.

    Attributes:
        instance: The instance.
        route: That of its entry, as it was when the first resource was handed out.
        root: The outermost frame of the chain that it belongs to; None if it is Python's.
        maker: The call that took the instance from its pool.
    """

    def __init__(
        self, route: ResourceRoute, instance: ResourceInstance, dispatcher: Dispatcher, user: CallContext
    ) -> None:
        """Makes one that is in use, by the call that took the instance from its pool."""
        self.instance = instance
        self.route = route
        self.maker = user
        self.root: CallContext | None = None
        self._dispatcher = dispatcher
        self._lock = new_lock()
        self._states: dict[ResourceState, None] = {}
        self._user: CallContext | None = user  # the call that is in it
        self._ended = ""  # why, once it cannot be used any more
        self._returned = False
        self._is_pythons = False
        self._abandoned: list[ResourceState] = []
        self._outside = Outside(route.entry_id, 0)
        dispatcher.ready()
        self._watched, self._place = dispatcher.watch.add(self, dispatcher.soon)

    @property
    def home(self) -> Dispatcher:
        """The dispatcher whose entry the instance is of."""
        return self._dispatcher

    # Its use by calls ----------------------------------------------------------------------------------------------

    def occupy(self, context: CallContext) -> None:
        """Takes the instance for a call; `vacate` must follow.

        Raises:
            CallError: It is in use, has ended, or belongs to another chain.
        """
        with self._lock:
            if self._ended:
                raise CallError(f"a resource of {self.route.entry_id} is gone: {self._ended}")
            if self.root is not None and context.outermost() is not self.root:
                raise CallError(
                    f"a resource of {self.route.entry_id} belongs to another chain of calls",
                    hint="what a function gets from a call can be used until that chain ends, by its functions",
                )
            if self._user is not None:
                raise CallError(
                    f"a resource of {self.route.entry_id} is in use by another call",
                    hint="one call at a time can use the resources of an instance; an instance cannot call itself",
                )
            self._user = context
        if self.root is None:
            self._hold_by(context)

    def _hold_by(self, frame: CallContext) -> None:
        holders = self._place.holders
        if frame is not holders[0]:
            self._place.holders = (frame, holders[0])
            self.route.pool.hold(cast("Instance", self.instance), frame)

    def adopt(self, value: Value, context: CallContext) -> None:
        """Keeps the resources among what the instance gave.

        Raises:
            LimitError: They are too many; the instance is poisoned.
        """
        fresh = [state for state in states_in(value) if state.keeper is None]
        if not fresh:
            return
        with self._lock:
            for state in fresh:
                state.keeper = self
                self._states[state] = None
            too_many = len(self._states) > _MOST_RESOURCES and sum(not each.gone for each in self._states)
        if too_many and too_many > _MOST_RESOURCES:
            self.instance.poisoned = True
            raise LimitError(f"an instance has handed out more than {_MOST_RESOURCES} resources", hint="drop some")
        if self.root is None and not self._is_pythons:
            self._join(context.outermost())

    def _join(self, root: CallContext) -> None:
        holds = root.holds
        if holds is None:
            holds = root.holds = {}
        if len(holds) >= _MOST_HOLDS:
            self.instance.poisoned = True
            raise LimitError(f"a chain of calls keeps more than {_MOST_HOLDS} instances by resources", hint="drop some")
        holds[self] = None
        self.root = root

    def vacate(self, user: CallContext) -> None:
        """Ends the use by a call; the instance goes back if nothing keeps it any more. Harmless when repeated.

        Ctrl-C may come between any two lines here: what was done is done again, then, when the call is taken back.
        """
        with self._lock:
            if self._user is not user:
                return
            if self.instance.poisoned:
                self._ended = self._ended or FAILED
            left = _left(self._states)  # not here: see there
            if not left:
                self._ended = self._ended or _DROPPED
            elif self._ended:
                self.instance.poisoned = True  # they are still in there
            _mark(left, self._ended)
            self._states = dict.fromkeys([] if self._ended else left)
        if self._ended:
            self._release()
        else:
            self._hold_by(self.root or self._outside)
        with self._lock:
            self._user = None
        if self._abandoned and not self._ended:
            self._dispatcher.soon(self._sweep)

    def _release(self) -> None:
        if self.root is not None and self.root.holds is not None:
            self.root.holds.pop(self, None)
        if not self._returned:
            self.route.pool.release(cast("Instance", self.instance), self._place.holders)
            self._returned = True
            self._dispatcher.watch.discard(self._watched)

    # What handles ask for ------------------------------------------------------------------------------------------

    def methods(self, state: ResourceState) -> Collection[str]:
        """Returns the methods that a resource has."""
        return self.instance.methods(state)

    def call(self, state: ResourceState, name: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        """Calls a method on behalf of a guest; see `polycall.interop.resources.Keeper`."""
        if caller.restricted:
            refuse_call(self.route.entry_id, caller)
        taken, values = self._method(state, name, arguments)
        context = self.route.frame(caller)
        return self.route.run(values, context, self._dispatcher.max_depth, taken=taken)

    def call_from_python(
        self,
        state: ResourceState,
        name: str,
        arguments: Sequence[object],
        timeout: float | None,
        cancellation: Cancellation | None,
    ) -> Value:
        """Calls a method from Python; see `polycall.interop.resources.Keeper`."""
        caller = current_context()
        if caller is not None and caller.restricted:
            refuse_call(self.route.entry_id, caller)
        taken, values = self._method(state, name, plain_all(arguments, "$.args", self._dispatcher.admits))
        return self._dispatcher.call_taken(self.route, taken, values, timeout, cancellation)

    def _method(self, state: ResourceState, name: str, arguments: Sequence[Value]) -> tuple[HeldCall, Sequence[Value]]:
        """Returns the call of a method, whose arguments begin with the resource."""
        names = self.instance.methods(state)
        found = names.get(name.replace("-", "_"))
        if found is None:
            listed = f"its methods are {', '.join(sorted(names))}" if names else "it has none"
            raise CallError(
                f'a {state.name} has no method "{cut(name)}"; {listed}',
                entry_id=self.route.entry_id,
                hint=suggestion(name, names),
            )
        if state.gone:
            raise _gone(state)
        export, takes_self = found
        taken = HeldCall(self, self.route, functools.partial(self.instance.call, export=export))
        return taken, arguments if takes_self else arguments[1:]

    def drop(self, state: ResourceState, caller: CallContext) -> None:
        """Drops a resource on behalf of a guest; see `polycall.interop.resources.Keeper`."""
        context = self.route.frame(caller)
        self.route.run((), context, self._dispatcher.max_depth, taken=self._dropping(state))

    def drop_from_python(self, state: ResourceState) -> None:
        """Drops a resource from Python; see `polycall.interop.resources.Keeper`."""
        self._dispatcher.call_taken(self.route, self._dropping(state), (), None, None)

    def _dropping(self, state: ResourceState) -> HeldCall:
        def drop(_arguments: Sequence[Value], context: CallContext) -> None:
            if state.gone:  # meanwhile
                raise _gone(state)
            self.instance.drop(state, context)

        if state.gone:
            raise _gone(state)
        return HeldCall(self, self.route, drop)

    # Its end -------------------------------------------------------------------------------------------------------

    def end(self, kept: Set[ResourceState], root: CallContext, deadline: float) -> None:
        """Ends what the chain has got of it; see `polycall.interop.resources.Keeper`."""
        with self._lock:
            states = list(self._states)
            if self._user is not None:  # a thread that the chain has left behind is in it, and gives it back
                self._ended = self._ended or _ENDED
                _mark(states, self._ended)
                return
            self._user = root
        for state in states:
            if state not in kept and not state.gone:
                self._destroy(state, root, deadline)
        if kept and not self.instance.poisoned:
            self._become_outside()
        self.vacate(root)

    def _destroy(self, state: ResourceState, root: CallContext | None, deadline: float | None = None) -> None:
        """Runs a destructor in the name of nobody: what goes wrong is logged."""
        deadline = time.monotonic() + _END_SECONDS if deadline is None else deadline
        context = self.route.frame(root, deadline)
        if self.instance.poisoned or context.interruption() is not None:
            self.instance.poisoned = True
        else:
            try:
                self.route.on_its_stack(context, lambda: self.instance.drop(state, context))
                if root is None:
                    end_chain(context, None)
            except Exception as error:  # noqa: BLE001  # there is nobody to hear of it
                self.instance.poisoned = True
                logger(_LOG).warning("a %s of %s could not be dropped: %s", state.name, self.route.entry_id, error)
        state.gone = _ENDED

    def _become_outside(self) -> None:
        self._outside = Outside(self.route.entry_id, owner_thread())
        self.root, self._is_pythons = None, True
        self._dispatcher.keep(self)
        if self._dispatcher.closed:
            self.instance.poisoned, self._ended = True, _CLOSED

    def abandon(self, state: ResourceState) -> None:
        """Has a resource dropped, of which there is no handle any more; see `polycall.interop.resources.Keeper`.

        Not at once if there are others: the thread that uses those must not find the instance in use. So its next call
        does it. If there are none, nobody can call, and the dispatcher's own thread does.
        """
        if self.root is None and not self._ended:  # what a chain has got, its end drops
            self._abandoned.append(state)
            self._dispatcher.soon(self._sweep)

    def _sweep(self) -> None:
        with self._lock:
            if self._user is not None or self._ended or not self._states.keys() <= set(self._abandoned):
                return
            self._user = self._outside
        self.drop_abandoned(None)
        self.vacate(self._outside)

    def drop_abandoned(self, context: CallContext | None) -> None:
        """Drops what was abandoned, in the name of a call that uses the instance, or of nobody."""
        while self._abandoned:
            state = self._abandoned.pop()
            if not state.gone:
                self._destroy(state, context)

    def give_up(self, user: CallContext | None) -> None:
        """Ends it with a call that Python has broken off in the middle, if that is in it."""
        if user is not None and self._user is user:
            self._ended = self._ended or FAILED
            _mark(self._states, self._ended)
            self._place.give_up()
            self.vacate(user)

    def close(self) -> None:
        """Ends it without destructors: its registry is closed."""
        with self._lock:
            self._ended = self._ended or _CLOSED
            if self._user is not None:
                _mark(self._states, self._ended)
                return
            self._user = self._outside
        self.vacate(self._outside)

    def after_fork(self, own: Set[CallContext]) -> CallContext | None:
        """Returns, in a forked child, the frame that holds the instance; None if a thread of the parent is in it.

        Args:
            own: The frames of the call that goes on in the child.
        """
        if self._user in own:
            return self._user
        if self._user is not None:
            self._ended = _FORKED
            _mark(self._states, _FORKED)
            return None
        return self._outside


def end_chain(root: CallContext, value: Value) -> None:
    """Ends what a chain has got, but for the resources in its result. Raises nothing of a guest.

    Args:
        root: The outermost frame.
        value: What the caller gets; None if the call failed.
    """
    kept = set(states_in(value))
    deadline = time.monotonic() + _END_SECONDS
    while root.holds:  # a destructor may call functions that give resources
        hold, _ = root.holds.popitem()
        hold.end({state for state in kept if state.keeper is hold}, root, deadline)


def _gone(state: ResourceState) -> CallError:
    return CallError(f"a {state.name} is gone: {state.gone}")


def _left(states: Iterable[ResourceState]) -> list[ResourceState]:
    """Returns those that are not gone.

    A function of its own, for with Python 3.13 nothing around a loop of the same function sees what a signal's handler
    raises at the end of a turn: a lock that was taken around it would stay held.
    """
    return [each for each in states if not each.gone]


def _mark(states: Iterable[ResourceState], why: str) -> None:
    for state in states:
        state.gone = state.gone or why
