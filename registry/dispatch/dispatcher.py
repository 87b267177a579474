"""Makes calls: finds the route of an entry, makes the frame, and sends the call down the route."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from polycall.interop.call_gate import refuse_call
from polycall.interop.context import CallContext, Cancellation, deadline_in
from polycall.interop.forks import new_lock, watch_forks
from polycall.interop.observer import Observer
from polycall.interop.protocols import Function
from polycall.interop.resources import ResourceHandle, wrong_with
from polycall.interop.stack import StackRoom
from polycall.interop.values import Value
from polycall.registry.dispatch.hold_watch import HoldWatch
from polycall.registry.dispatch.janitor import Janitor
from polycall.registry.dispatch.python_functions import current_context
from polycall.registry.dispatch.route_table import RouteTable
from polycall.registry.dispatch.routes import Route
from polycall.registry.dispatch.runtimes import Runtimes
from polycall.registry.entries.index import Index
from polycall.registry.services.services import GuestServices

if TYPE_CHECKING:  # at run time, what a plain call does not need is imported where it is used: a cold start pays for it
    from polycall.registry.dispatch.command_call import CommandCall
    from polycall.registry.dispatch.held_call import HeldCall
    from polycall.registry.dispatch.holds import Hold
    from polycall.registry.dispatch.narrowing import Narrowing
    from polycall.registry.dispatch.own_instance import OwnInstance
    from polycall.registry.entries.changes import Changes
    from polycall.wasm_runtime.wasi.console import Console

__all__ = ["Dispatcher"]


class Dispatcher:
    """Makes the calls of a registry; the `Invoker` through which guests call each other.

    Args:
        index: The entries.
        cache_directory: Where compiled WebAssembly is kept; None for the user's cache folder.
        max_depth: Hops of one chain of calls, or None for what the project's settings say.
        observers: Who is told of all calls.
        has_files: Whether the entries are those of a folder, and can be read again.

    Attributes:
        table: The entries at the moment, and the routes to them.
        watch: Looks after holds that may be forgotten.
        closing: Goes on when new calls are refused, and nobody may wait for an event loop any more.
    """

    def __init__(
        self,
        index: Index,
        *,
        cache_directory: Path | None,
        max_depth: int | None,
        observers: Sequence[Observer] = (),
        has_files: bool = True,
    ) -> None:
        self._given_max_depth = max_depth
        self._take_settings(index)
        stack_bytes = index.settings.max_stack_bytes
        self._runtimes = Runtimes(
            self,
            GuestServices(lambda: self.table.index, cache_directory),
            cache_directory,
            stack_bytes=stack_bytes,
            cache_bytes=index.settings.max_cache_bytes,
        )
        self._janitor = Janitor()
        self.table = RouteTable(
            index,
            has_files=has_files,
            runtimes=self._runtimes,
            janitor=self._janitor,
            stack=StackRoom(stack_bytes),
            dispatcher=self,
        )
        self._routes = self.table.by_id  # a call looks here without a step between
        self.watch = HoldWatch()
        self.closing = Cancellation()
        self._observer = _told(*observers) if observers else None
        self._lock = new_lock()
        self._holds: weakref.WeakSet[Hold] = weakref.WeakSet()  # those that are Python's
        watch_forks(self)

    def call(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        """Calls an entry on behalf of a guest; see `polycall.interop.protocols.Invoker`."""
        if caller.callees is not None or caller.ceiling:
            refuse_call(target, caller)
        try:
            route = self._routes[target]
        except KeyError:
            route = self.table.route(CallContext(target, "", caller))
        context = CallContext(target, route.language, caller, None, None, None, route.callees)
        return route.run(arguments, context, self._max_depth)

    def call_linked(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        """Calls an entry that serves a component's import; see `polycall.interop.protocols.Invoker`."""
        if target not in self._routes:
            target = self.table.index.linked(target)
        return self.call(target, arguments, caller)

    def call_payload(self, target: str, payload: str | bytes, caller: CallContext) -> Value:
        """Calls an entry with one text or byte string for a guest; see `polycall.interop.protocols.Invoker`."""
        if caller.callees is not None or caller.ceiling:
            refuse_call(target, caller)
        try:
            route = self._routes[target]
        except KeyError:
            route = self.table.route(CallContext(target, "", caller))
        context = CallContext(target, route.language, caller, None, None, None, route.callees)
        if route.payload_is_argument and context.observer is None:  # `Route.run_payload`
            return route.run((payload,), context, self._max_depth)
        return route.run_payload(payload, context, self._max_depth)

    def call_from_outside(  # noqa: PLR0917  # by position, which is faster: every call comes through here
        self,
        target: str,
        arguments: Sequence[Value],
        parent: CallContext | None,
        deadline: float | None,
        cancellation: Cancellation | None,
        values: dict[str, Value] | None,
        observer: Observer | None,
        narrowing: Narrowing | None = None,
    ) -> Value:
        """Calls an entry from Python; a registered function that calls on hands in its own frame as `parent`."""
        if parent is not None:
            return self._call_below(parent, target, arguments, deadline, cancellation, values, observer, narrowing)
        try:
            route = self._routes[target]
        except KeyError:
            route = self.table.route(CallContext(target, "", None, deadline, cancellation))
        context = CallContext(target, route.language, None, deadline, cancellation, values, route.callees)
        context.observer = self._observer  # nested calls inherit it
        if observer is not None:
            _add_observer(context, observer)
        value: Value = None
        try:
            if narrowing is None:
                value = route.run(arguments, context, self._max_depth)
            else:
                taken = self._narrowed(context, route, narrowing)
                value = route.run(arguments, context, self._max_depth, False, taken)
            return value
        finally:
            if context.holds is not None:
                try:  # here, not in a function of its own: a handler that raises may do so before that has begun
                    from polycall.registry.dispatch.holds import end_chain  # noqa: PLC0415  # see TYPE_CHECKING

                    end_chain(context, value)
                except BaseException:
                    context.holds = None  # Ctrl-C: nobody has them any more, so their instances are given up
                    raise

    def _call_below(  # noqa: PLR0917  # as `call_from_outside`
        self,
        parent: CallContext,
        target: str,
        arguments: Sequence[Value],
        deadline: float | None,
        cancellation: Cancellation | None,
        values: dict[str, Value] | None,
        observer: Observer | None,
        narrowing: Narrowing | None,
    ) -> Value:
        if parent.restricted:
            refuse_call(target, parent)
        with ExitStack() as ended:
            if parent.cancellation is not None and cancellation is not None:
                cancellation, forget = parent.cancellation.joined(cancellation)
                ended.callback(forget)
            call = CallContext(target, "", parent, deadline, cancellation)
            route = self._routes.get(target) or self.table.route(call)
            context = route.frame(parent, deadline, cancellation, values)
            taken = None if narrowing is None else self._narrowed(context, route, narrowing)
            if observer is not None:
                _add_observer(context, observer)
            return route.run(arguments, context, self._max_depth, False, taken)

    def _narrowed(self, context: CallContext, route: Route, narrowing: Narrowing) -> OwnInstance | None:
        narrowing.begin(context)
        if not narrowing.needs_instance:
            return None
        from polycall.registry.dispatch.own_instance import OwnInstance  # noqa: PLC0415  # see TYPE_CHECKING

        return OwnInstance(route, self._function_of(route, narrowing))

    def run_command(  # noqa: PLR0917  # as `call_from_outside`
        self,
        target: str,
        console: Console,
        timeout: float | None,
        cancellation: Cancellation | None,
        observer: Observer | None,
        narrowing: Narrowing | None = None,
    ) -> int:
        """Runs a command from Python, in an instance of its own, and returns its exit status."""
        parent = current_context()
        if parent is not None and parent.restricted:
            refuse_call(target, parent)
        deadline = None if timeout is None else deadline_in(timeout)
        route = self._routes.get(target)
        if route is None:
            route = self.table.route(CallContext(target, "", parent, deadline, cancellation))
        from polycall.registry.dispatch.command_call import CommandCall  # noqa: PLC0415  # see TYPE_CHECKING

        taken = CommandCall(route, self._function_of(route, narrowing), console)
        status = self.call_taken(route, taken, (), timeout, cancellation, observer, narrowing)
        return status if isinstance(status, int) else 0

    def _function_of(self, route: Route, narrowing: Narrowing | None) -> Callable[[CallContext], Function]:
        limits = narrowing.limits if narrowing is not None and narrowing.needs_instance else None
        if limits is None:
            return lambda _context: route.function
        from polycall.registry.dispatch.narrowing import limited_function  # noqa: PLC0415  # see TYPE_CHECKING

        return lambda context: limited_function(route, limits, self.table.index, self._runtimes, context)

    def call_taken(  # noqa: PLR0917  # as `call_from_outside`
        self,
        route: Route,
        taken: HeldCall | CommandCall,
        arguments: Sequence[Value],
        timeout: float | None = None,
        cancellation: Cancellation | None = None,
        observer: Observer | None = None,
        narrowing: Narrowing | None = None,
    ) -> Value:
        """Makes a call from Python whose instance is not the pool's; the rest is as in `call_from_outside`."""
        parent, forget = current_context(), None
        if parent is not None and parent.cancellation is not None and cancellation is not None:
            cancellation, forget = parent.cancellation.joined(cancellation)
        deadline = None if timeout is None else deadline_in(timeout)
        context = route.frame(parent, deadline, cancellation)
        if narrowing is not None:
            narrowing.begin(context)
        if parent is None:
            context.observer = self._observer
        if observer is not None:
            _add_observer(context, observer)
        value: Value = None
        try:
            value = route.run(arguments, context, self._max_depth, False, taken)
            return value
        finally:
            try:
                if parent is None and context.holds is not None:
                    from polycall.registry.dispatch.holds import end_chain  # noqa: PLC0415  # see TYPE_CHECKING

                    end_chain(context, value)
            except BaseException:
                context.holds = None  # as above
                raise
            finally:
                if forget is not None:
                    forget()

    @property
    def max_depth(self) -> int:
        """Hops that a chain of calls may have."""
        return self._max_depth

    @property
    def closed(self) -> bool:
        """Whether new calls are refused."""
        return self.table.closed

    def admits(self, handle: ResourceHandle) -> str | None:
        """Says what is wrong with a resource that comes from Python, or None; see `polycall.interop.values.plain`."""
        return wrong_with(handle, self)

    def keep(self, hold: Hold) -> None:
        """Has a hold, which is Python's from now on, closed with the registry."""
        with self._lock:
            self._holds.add(hold)

    def ready(self) -> None:
        """Has everything ready for `soon`."""
        self._janitor.ready()

    @property
    def soon(self) -> Callable[[Callable[[], object]], None]:
        """Has something done in another thread; see `Janitor.soon`."""
        return self._janitor.soon

    def prepared(self, target: str, deadline: float | None, cancellation: Cancellation | None) -> Function:
        """Returns the function of an entry, as its first call would prepare it; see `RouteTable.route`."""
        route = self._routes.get(target) or self.table.route(CallContext(target, "", None, deadline, cancellation))
        return route.function

    def reload(self, read: Callable[[], Index]) -> Changes:
        """Puts another index in the place of the present one, with its settings; see `RouteTable.reload`."""
        return self.table.reload(read, self._take_settings)

    def _take_settings(self, index: Index) -> None:
        self._max_depth = self._given_max_depth or index.settings.max_depth

    def after_fork(self) -> None:
        """Gives up, in a forked child, the calls and preparations of the threads that are not there.

        If a Python function forked, the call that it belongs to goes on in the child, with the instances that it holds.
        """
        own, frame = set(), current_context()
        while frame is not None:
            own.add(frame)
            frame = frame.parent
        own.update(filter(None, [hold.after_fork(own) for hold in self._holds]))
        self.table.after_fork(own)

    def close(self) -> None:
        """Closes every pool and the engines' threads; new calls are refused. Harmless when repeated."""
        routes = self.table.close()
        with self._lock:
            holds = list(self._holds)
        self.closing.cancel()
        self._janitor.close()
        for hold in holds:
            hold.close()
        for route in routes:
            route.pool.close()
        self._runtimes.close()


def _add_observer(context: CallContext, observer: Observer) -> None:
    context.observer = _told(*filter(None, (context.observer, observer)))


def _told(*observers: Observer) -> Observer:
    from polycall.registry.observers.observe import Observers  # noqa: PLC0415  # see TYPE_CHECKING

    return Observers(*observers)
