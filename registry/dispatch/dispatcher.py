"""Finds the route of an entry, preparing it when it is first needed, and sends calls down it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from polycall.interop.context import CallContext, Cancellation, deadline_in
from polycall.interop.errors import DeclarationError, Frame, NotFoundError, PolycallError, PoolClosedError
from polycall.interop.forks import new_lock, watch_forks
from polycall.interop.ids import EntryId, cut
from polycall.interop.observer import Observer
from polycall.interop.pool import Pool
from polycall.interop.pool_spec import PoolSpec
from polycall.interop.protocols import Function, Instance
from polycall.interop.resources import ResourceHandle, wrong_with
from polycall.interop.stack import StackRoom
from polycall.interop.values import Value
from polycall.interop.waiting import WaitGraph
from polycall.registry.dispatch.command_call import CommandCall
from polycall.registry.dispatch.held_call import HeldCall
from polycall.registry.dispatch.hold_watch import HoldWatch
from polycall.registry.dispatch.holds import Hold, end_chain
from polycall.registry.dispatch.janitor import Janitor
from polycall.registry.dispatch.preparation import Preparation
from polycall.registry.dispatch.python_functions import PYTHON_KIND, PythonFunction, current_context
from polycall.registry.dispatch.routes import ResourceRoute, Route
from polycall.registry.dispatch.runtimes import FUNCTION_KINDS, Runtimes
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.observers.observe import Observers
from polycall.registry.services.services import GuestServices

if TYPE_CHECKING:
    from polycall.registry.entries.changes import Changes
    from polycall.wasm_runtime.wasi.console import Console

__all__ = ["Dispatcher", "is_callable"]


def is_callable(entry: Entry) -> bool:
    """Says whether an entry is of a kind that can be called."""
    return entry.kind in FUNCTION_KINDS or entry.kind == PYTHON_KIND


class Dispatcher:
    """Runs entries by id; the `Invoker` through which guests call each other.

    The first call of an entry prepares it, in its own thread; those that come meanwhile wait for it.

    A reload puts another index and another set of routes in the place of the old ones. A call goes on with the route
    that it has, or that was being prepared when it came; an entry that did not change keeps both for the calls to come.

    Args:
        index: The entries.
        cache_directory: Where compiled WebAssembly is kept; None for the user's cache folder.
        max_depth: Hops of one chain of calls, or None for what the project's settings say.
        observers: Who is told of all calls.

    Attributes:
        index: The entries at the moment.
        watch: Looks after holds that may be forgotten.
    """

    def __init__(
        self,
        index: Index,
        *,
        cache_directory: Path | None,
        max_depth: int | None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.index = index
        self._given_max_depth = max_depth
        self._max_depth = max_depth or index.settings.max_depth
        stack_bytes = index.settings.max_stack_bytes
        self._stack = StackRoom(stack_bytes)
        self._runtimes = Runtimes(
            self,
            GuestServices(lambda: self.index, cache_directory),
            cache_directory,
            stack_bytes=stack_bytes,
            cache_bytes=index.settings.max_cache_bytes,
        )
        self._waits = WaitGraph()
        self.watch = HoldWatch()
        self._janitor = Janitor(lost=self.watch.found)
        self._python: dict[str, PythonFunction] = {}
        self._routes: dict[str, Route] = {}
        self._preparations: dict[str, Preparation] = {}
        self._lock = new_lock()
        self._reloading = new_lock()
        self._closed = False
        self._observer = Observers(*observers) if observers else None
        self._holds: weakref.WeakSet[Hold] = weakref.WeakSet()  # those that are Python's
        watch_forks(self)

    def call(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        """Calls an entry on behalf of a guest; see `polycall.interop.protocols.Invoker`."""
        route = self._routes.get(target) or self._first_route(CallContext(target, "", caller))
        return route.run(arguments, CallContext(target, route.language, caller), self._max_depth)

    def call_linked(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        """Calls an entry that serves a component's import; see `polycall.interop.protocols.Invoker`."""
        if target not in self._routes:
            target = self.index.linked(target)
        return self.call(target, arguments, caller)

    def call_payload(self, target: str, payload: str | bytes, caller: CallContext) -> Value:
        """Calls an entry with one text or byte string for a guest; see `polycall.interop.protocols.Invoker`."""
        route = self._routes.get(target) or self._first_route(CallContext(target, "", caller))
        return route.run_payload(payload, CallContext(target, route.language, caller), self._max_depth)

    def call_from_outside(  # noqa: PLR0917  # by position, which is faster: every call comes through here
        self,
        target: str,
        arguments: Sequence[Value],
        parent: CallContext | None,
        deadline: float | None,
        cancellation: Cancellation | None,
        values: dict[str, Value] | None,
        observer: Observer | None,
    ) -> Value:
        """Calls an entry from Python; a registered function that calls on hands in its own frame as `parent`."""
        forget = None
        if parent is not None and parent.cancellation is not None and cancellation is not None:
            cancellation, forget = parent.cancellation.joined(cancellation)
        try:
            route = self._routes.get(target)
            if route is None:
                route = self._first_route(CallContext(target, "", parent, deadline, cancellation))
            context = CallContext(target, route.language, parent, deadline, cancellation, values)
            if parent is None:  # nested calls inherit it
                context.observer = self._observer
            if observer is not None:
                context.observer = Observers(*filter(None, (context.observer, observer)))
            value: Value = None
            try:
                value = route.run(arguments, context, self._max_depth)
                return value
            finally:
                if parent is None and context.holds is not None:
                    try:
                        end_chain(context, value)
                    except BaseException:
                        context.holds = None  # Ctrl-C: nobody has them any more, so their instances are given up
                        raise
        finally:
            if forget is not None:
                forget()

    def run_command(
        self,
        target: str,
        console: Console,
        timeout: float | None,
        cancellation: Cancellation | None,
        observer: Observer | None,
    ) -> int:
        """Runs a command from Python, in an instance of its own, and returns its exit status."""
        deadline = None if timeout is None else deadline_in(timeout)
        route = self._routes.get(target)
        if route is None:
            route = self._first_route(CallContext(target, "", current_context(), deadline, cancellation))
        taken = CommandCall(route.function, console)
        status = self.call_taken(route, taken, (), timeout, cancellation, observer)
        return status if isinstance(status, int) else 0

    def call_taken(  # noqa: PLR0917  # as `call_from_outside`
        self,
        route: Route,
        taken: HeldCall | CommandCall,
        arguments: Sequence[Value],
        timeout: float | None = None,
        cancellation: Cancellation | None = None,
        observer: Observer | None = None,
    ) -> Value:
        """Makes a call from Python whose instance is not the pool's; the rest is as in `call_from_outside`."""
        parent, forget = current_context(), None
        if parent is not None and parent.cancellation is not None and cancellation is not None:
            cancellation, forget = parent.cancellation.joined(cancellation)
        deadline = None if timeout is None else deadline_in(timeout)
        context = CallContext(route.entry_id, route.language, parent, deadline, cancellation)
        if parent is None:
            context.observer = self._observer
        if observer is not None:
            context.observer = Observers(*filter(None, (context.observer, observer)))
        value: Value = None
        try:
            value = route.run(arguments, context, self._max_depth, taken=taken)
            return value
        finally:
            if forget is not None:
                forget()
            if parent is None and context.holds is not None:
                try:
                    end_chain(context, value)
                except BaseException:
                    context.holds = None  # as above
                    raise

    @property
    def max_depth(self) -> int:
        """Hops that a chain of calls may have."""
        return self._max_depth

    @property
    def closed(self) -> bool:
        """Whether new calls are refused."""
        return self._closed

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

    def _first_route(self, call: CallContext) -> Route:
        """Prepares the entry that `call` is about to run; its language is not known before."""
        try:
            return self.route(call.entry_id, call)
        except PolycallError as error:
            if not error.frames:
                callers = () if call.parent is None else call.parent.frames()
                error.frames = (*callers, *self._callee(call.entry_id))
            raise

    def _callee(self, target: str) -> Iterator[Frame]:
        """Yields the frame of an entry that could not be prepared, if there is such an entry and it can be called."""
        index = self.index
        kind = index.get(target).kind if target in index else ""
        if kind in FUNCTION_KINDS:
            yield Frame(target, FUNCTION_KINDS[kind])

    def prepared(self, target: str, deadline: float | None, cancellation: Cancellation | None) -> Function:
        """Returns the function of an entry, as its first call would prepare it; see `route`."""
        route = self._routes.get(target)
        if route is None:
            route = self._first_route(CallContext(target, "", None, deadline, cancellation))
        return route.function

    def route(self, target: str, call: CallContext | None = None) -> Route:
        """Returns the route of an entry, preparing it if need be.

        Args:
            target: ``namespace:name``.
            call: The call that needs it, if there is one: its deadline holds while the entry is prepared.

        Raises:
            NotFoundError: There is no such entry; near names are in the hint.
            PreparationError: The entry cannot be made ready to call, or is of a kind that is not called.
            PoolClosedError: The registry is closed.
            DeadlineError, CancelledError: The call is over.
        """
        call = call or CallContext(target, "")
        return self._stack.run(call, lambda: self._route(target, call))

    def _route(self, target: str, call: CallContext) -> Route:
        while True:
            own = Preparation()
            try:
                with self._lock:
                    self._check_open(target)
                    route = self._routes.get(target)
                    if route is not None:
                        return route
                    index, other = self.index, self._preparations.get(target)
                    if other is None or not other.is_worth_waiting:
                        other, self._preparations[target] = None, own
                route = self._prepare(target, index, call, own) if other is None else other.wait(call)
            finally:
                try:
                    own.end()
                except BaseException:  # Ctrl-C at this very moment: those who wait would do so for ever
                    own.end()
                    raise
            if route is not None:
                if other is None:
                    route.pool.start(call)
                return route

    def _prepare(self, target: str, index: Index, call: CallContext, preparation: Preparation) -> Route | None:
        """Prepares a route; None if that failed, but a reload has changed the entry meanwhile."""
        try:
            route = self._new_route(target, index, call)
        except PolycallError:
            with self._lock:
                if self._is_present(target, preparation):
                    raise
            return None
        else:
            self._publish(target, route, preparation)
        finally:
            with self._lock:
                if self._is_present(target, preparation):
                    del self._preparations[target]
        return route

    def _is_present(self, target: str, preparation: Preparation) -> bool:
        """Says, with the lock held, whether no reload has changed what is being prepared."""
        return self._preparations.get(target) is preparation

    def _publish(self, target: str, route: Route, preparation: Preparation) -> None:
        """Sends calls down a route; one that a reload has outrun serves only those who wait for it already."""
        with self._lock:
            present = self._is_present(target, preparation)
            if present:
                self._routes[target] = route
                if route.shrinks:
                    self._janitor.watch(route.pool)
        if not present:
            route.pool.retire()
        if self._closed:
            route.pool.close()
        preparation.route = route

    def _check_open(self, target: str | None = None) -> None:
        if self._closed:
            raise PoolClosedError("the registry is closed", entry_id=target and cut(target))

    def routes(self) -> tuple[Route, ...]:
        """Returns the routes of all entries that were called or prepared so far."""
        with self._lock:
            return tuple(self._routes.values())

    def _new_route(self, target: str, index: Index, call: CallContext) -> Route:
        python = self._python.get(target)
        if python is not None:
            return self._routed(python, PoolSpec(type="inline"))
        try:
            entry = index.get(EntryId.parse(target))
        except ValueError as error:
            raise NotFoundError(str(error), entry_id=cut(target)) from error
        try:
            function = self._runtimes.prepare(entry, index, call)
        except PolycallError as error:
            error.entry_id = error.entry_id or target
            raise
        return self._routed(function, entry.spec.pool)

    def _routed(self, function: Function, pool: PoolSpec) -> Route:
        policy = pool.policy()
        instances: Pool[Instance] = Pool(function.entry_id, policy, function.instantiate, self._waits)
        if function.has_resources:
            return ResourceRoute(function, instances, policy, self._stack, self)
        return Route(function, instances, policy, self._stack)

    def inspect(self, entry: Entry, index: Index) -> Function | None:
        """Prepares an entry of `index` for a look at it, without routing calls to it; see `Runtimes.inspect`."""
        return self._stack.run(CallContext(str(entry.id), ""), lambda: self._runtimes.inspect(entry, index))

    def add_python(self, function: PythonFunction, entry: Entry) -> None:
        """Makes a Python function callable under its id.

        Raises:
            ValueError: The id is taken.
            PoolClosedError: The registry is closed.
        """
        with self._lock:
            self._check_open(function.entry_id)
            self.index = self.index.with_entry(entry)
            self._python[function.entry_id] = function

    def reload(self, read: Callable[[], Index]) -> Changes:
        """Puts another index in the place of the present one; reloads from several threads follow each other.

        Args:
            read: Reads the index; what it raises leaves everything as it is.

        Returns:
            What is different now.

        Raises:
            DeclarationError: An entry has the id of a registered Python function.
            PoolClosedError: The registry is closed.
        """
        from polycall.registry.entries.changes import changes_between  # noqa: PLC0415  # one call does not need it

        with self._reloading:
            declared = read()
            with self._lock:
                self._check_open()
                index = self._with_python(declared)
                changes = changes_between(self.index, index)
                retired = self._swap(index, changes)
        with ExitStack() as retiring:  # retires every one of them, even if closing an instance of another fails
            for route in retired:
                retiring.callback(route.pool.retire)
        return changes

    def _with_python(self, index: Index) -> Index:
        taken = [entry for entry in index if str(entry.id) in self._python]
        if taken:
            message = "the id {} is taken: a Python function is registered under it"
            raise DeclarationError([entry.problem("", message.format(entry.id)) for entry in taken])
        python = [entry for entry in self.index if str(entry.id) in self._python]
        return Index((*index, *python), index.root, index.warnings, index.settings)

    def _swap(self, index: Index, changes: Changes) -> list[Route]:
        kept = {target: self._routes[target] for target in changes.kept if target in self._routes}
        going_on = {target: self._preparations[target] for target in changes.kept if target in self._preparations}
        retired = [route for target, route in self._routes.items() if target not in kept]
        for route in retired:
            self._janitor.forget(route.pool)
        self.index, self._routes, self._preparations = index, kept, going_on
        self._max_depth = self._given_max_depth or index.settings.max_depth
        return retired

    def after_fork(self) -> None:
        """Gives up, in a forked child, the calls and preparations of the threads that are not there.

        If a Python function forked, the call that it belongs to goes on in the child, with the instances that it holds.
        """
        self._preparations = {}
        self._waits.after_fork()
        own, frame = set(), current_context()
        while frame is not None:
            own.add(frame)
            frame = frame.parent
        own.update(filter(None, [hold.after_fork(own) for hold in self._holds]))
        for route in self._routes.values():
            route.pool.after_fork(own)

    def close(self) -> None:
        """Closes every pool and the engines' threads; new calls are refused. Harmless when repeated."""
        with self._lock:
            self._closed = True
            routes, self._routes, self._preparations = self._routes, {}, {}
            holds = list(self._holds)
        self._janitor.close()
        for hold in holds:
            hold.close()
        for route in routes.values():
            route.pool.close()
        self._runtimes.close()
