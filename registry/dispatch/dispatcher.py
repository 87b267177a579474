"""Finds the route of an entry, preparing it when it is first needed, and sends calls down it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from polycall.interop.call_gate import refuse_call
from polycall.interop.callees import Callees
from polycall.interop.context import CallContext, Cancellation, deadline_in
from polycall.interop.errors import Frame, NotFoundError, PolycallError, PoolClosedError
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
from polycall.registry.dispatch.hold_watch import HoldWatch
from polycall.registry.dispatch.janitor import Janitor
from polycall.registry.dispatch.preparation import Preparation
from polycall.registry.dispatch.python_functions import PYTHON_KIND, current_context
from polycall.registry.dispatch.routes import Route
from polycall.registry.dispatch.runtimes import FUNCTION_KINDS, Runtimes
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.services.services import GuestServices

if TYPE_CHECKING:  # at run time, what a plain call does not need is imported where it is used: a cold start pays for it
    from polycall.registry.dispatch.additions import Additions, Put
    from polycall.registry.dispatch.command_call import CommandCall
    from polycall.registry.dispatch.held_call import HeldCall
    from polycall.registry.dispatch.holds import Hold
    from polycall.registry.dispatch.narrowing import Narrowing
    from polycall.registry.dispatch.own_instance import OwnInstance
    from polycall.registry.entries.changes import Changes
    from polycall.wasm_runtime.wasi.console import Console

__all__ = ["Dispatcher", "is_callable"]


def is_callable(entry: Entry) -> bool:
    """Says whether an entry is of a kind that can be called."""
    return entry.kind in FUNCTION_KINDS or entry.kind == PYTHON_KIND


class Dispatcher:
    """Runs entries by id; the `Invoker` through which guests call each other.

    The first call of an entry prepares it, in its own thread; those that come meanwhile wait for it.

    A reload puts another index and another set of routes in the place of the old ones, and so does Python for single
    entries. A call goes on with the route that it has, or that was being prepared when it came; an entry that did not
    change keeps both for the calls to come.

    Args:
        index: The entries.
        cache_directory: Where compiled WebAssembly is kept; None for the user's cache folder.
        max_depth: Hops of one chain of calls, or None for what the project's settings say.
        observers: Who is told of all calls.
        has_files: Whether the entries are those of a folder, and can be read again.

    Attributes:
        index: The entries at the moment.
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
        self.closing = Cancellation()
        self._janitor = Janitor()
        self._has_files = has_files
        self._additions: Additions | None = None  # nothing yet
        self._routes: dict[str, Route] = {}
        self._preparations: dict[str, Preparation] = {}
        self._lock = new_lock()
        self._reloading = new_lock()
        self._closed = False
        self._observer = _told(*observers) if observers else None
        self._holds: weakref.WeakSet[Hold] = weakref.WeakSet()  # those that are Python's
        watch_forks(self)

    def call(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        """Calls an entry on behalf of a guest; see `polycall.interop.protocols.Invoker`."""
        if caller.callees is not None or caller.ceiling:
            refuse_call(target, caller)
        try:
            route = self._routes[target]
        except KeyError:
            route = self._first_route(CallContext(target, "", caller))
        context = CallContext(target, route.language, caller, None, None, None, route.callees)
        return route.run(arguments, context, self._max_depth)

    def call_linked(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        """Calls an entry that serves a component's import; see `polycall.interop.protocols.Invoker`."""
        if target not in self._routes:
            target = self.index.linked(target)
        return self.call(target, arguments, caller)

    def call_payload(self, target: str, payload: str | bytes, caller: CallContext) -> Value:
        """Calls an entry with one text or byte string for a guest; see `polycall.interop.protocols.Invoker`."""
        if caller.callees is not None or caller.ceiling:
            refuse_call(target, caller)
        try:
            route = self._routes[target]
        except KeyError:
            route = self._first_route(CallContext(target, "", caller))
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
            route = self._first_route(CallContext(target, "", None, deadline, cancellation))
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
            route = self._routes.get(target) or self._first_route(call)
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
            route = self._first_route(CallContext(target, "", parent, deadline, cancellation))
        from polycall.registry.dispatch.command_call import CommandCall  # noqa: PLC0415  # see TYPE_CHECKING

        taken = CommandCall(route, self._function_of(route, narrowing), console)
        status = self.call_taken(route, taken, (), timeout, cancellation, observer, narrowing)
        return status if isinstance(status, int) else 0

    def _function_of(self, route: Route, narrowing: Narrowing | None) -> Callable[[CallContext], Function]:
        limits = narrowing.limits if narrowing is not None and narrowing.needs_instance else None
        if limits is None:
            return lambda _context: route.function
        from polycall.registry.dispatch.narrowing import limited_function  # noqa: PLC0415  # see TYPE_CHECKING

        return lambda context: limited_function(route, limits, self.index, self._runtimes, context)

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
            caller = call.parent
            if (
                isinstance(error, NotFoundError)
                and caller is not None
                and (caller.callees is not None or caller.ceiling)
            ):
                error.hint = None  # near names may be those of entries that it may not call, and need not know of
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
                self._add_route(route)
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
        entry = index.get(target)
        python = None if self._additions is None else self._additions.function(entry)
        if python is not None:
            return self._routed(python, PoolSpec(type="inline"))
        try:
            function = self._runtimes.prepare(entry, index, call)
        except PolycallError as error:
            error.entry_id = error.entry_id or target
            raise
        return self._routed(function, entry.spec.pool, entry.spec.calls)

    def _routed(self, function: Function, pool: PoolSpec, calls: Iterable[str] | None = None) -> Route:
        policy = pool.policy()
        callees = None if calls is None else Callees(calls)
        instances: Pool[Instance] = Pool(function.entry_id, policy, function.instantiate, self._waits)
        if function.has_resources:
            from polycall.registry.dispatch.resource_route import ResourceRoute  # noqa: PLC0415  # few functions have any

            return ResourceRoute(function, instances, policy, self._stack, callees, dispatcher=self)
        return Route(function, instances, policy, self._stack, callees)

    def inspect(self, entry: Entry, index: Index) -> Function | None:
        """Prepares an entry of `index` for a look at it, without routing calls to it; see `Runtimes.inspect`."""
        return self._stack.run(CallContext(str(entry.id), ""), lambda: self._runtimes.inspect(entry, index))

    def put(self, declare: Callable[[Index], Put], *, replace: bool, prepare: bool = False) -> Entry:
        """Puts an entry of Python's there: another one, or in the place of the one that is there.

        Args:
            declare: Reads it, with the settings of an index.
            replace: Whether there may be one.
            prepare: Whether it must be ready to call before it is there.

        Returns:
            The entry.

        Raises:
            ValueError: The id is taken.
            DeclarationError: It is wrong, or does not go with the others.
            PolycallError: It is to be prepared, and cannot be.
            PoolClosedError: The registry is closed.
        """
        while True:
            index = self.index
            put = declare(index)
            route = self._prepared(put, index, replace=replace) if prepare else None
            retired = [] if route is None else [route]
            with self._lock:
                self._check_open(str(put.entry.id))
                is_present = self.index.settings is index.settings and self.index.has_below(put.entry, index)
                if is_present:  # else it was read with other settings, or made of entries that are others by now
                    retired = self._replace(*self._added().put(self.index, put, replace=replace))
                    self._add_route(route)
            _retire(retired)
            if is_present:
                return put.entry

    def _added(self) -> Additions:
        """Returns, with the lock held, what Python has put there."""
        if self._additions is None:
            from polycall.registry.dispatch.additions import Additions  # noqa: PLC0415  # see TYPE_CHECKING

            self._additions = Additions(self._has_files)
        return self._additions

    def _prepared(self, put: Put, index: Index, *, replace: bool) -> Route | None:
        """Returns a route for an entry that is not there yet; None if it is of a kind that is not called."""
        with self._lock:
            changed = self._added().check(index, put, replace=replace)
        if not is_callable(put.entry):
            self.inspect(put.entry, changed)
            return None
        call = CallContext(str(put.entry.id), "")
        return self._stack.run(call, lambda: self._new_route(str(put.entry.id), changed, call))

    def _add_route(self, route: Route | None) -> None:
        """Sends calls down a route from now on, with the lock held."""
        if route is not None:
            self._routes[route.entry_id] = route
            if route.shrinks:
                self._janitor.watch(route.pool)

    def remove(self, entry_id: EntryId) -> None:
        """Takes an entry away that Python has put there.

        Raises:
            NotFoundError: There is none.
            ValueError: It is one of the files.
            DeclarationError: Others refer to it.
            PoolClosedError: The registry is closed.
        """
        with self._lock:
            self._check_open(str(entry_id))
            retired = self._replace(*self._added().remove(self.index, entry_id))
        _retire(retired)

    def _replace(self, index: Index, affected: Iterable[EntryId]) -> list[Route]:
        """Takes an index in which some entries are others, with the lock held; returns the routes that are no more."""
        self.index = index
        targets = [str(each) for each in affected]
        for target in targets:
            self._preparations.pop(target, None)
        retired = [self._routes.pop(target) for target in targets if target in self._routes]
        for route in retired:
            self._janitor.forget(route.pool)
        return retired

    def reload(self, read: Callable[[], Index]) -> Changes:
        """Puts another index in the place of the present one; reloads from several threads follow each other.

        Args:
            read: Reads the index; what it raises leaves everything as it is.

        Returns:
            What is different now.

        Raises:
            DeclarationError: The entries do not go with those that Python has put there.
            PoolClosedError: The registry is closed.
        """
        from polycall.registry.entries.changes import changes_between  # noqa: PLC0415  # one call does not need it

        with self._reloading:
            declared = read()
            with self._lock:
                self._check_open()
                index, puts = self._added().over(declared, self.index)
                changes = changes_between(self.index, index)
                self._added().take(puts)
                retired = self._swap(index, changes)
        _retire(retired)
        return changes

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
        self.closing.cancel()
        self._janitor.close()
        for hold in holds:
            hold.close()
        for route in routes.values():
            route.pool.close()
        self._runtimes.close()


def _add_observer(context: CallContext, observer: Observer) -> None:
    context.observer = _told(*filter(None, (context.observer, observer)))


def _told(*observers: Observer) -> Observer:
    from polycall.registry.observers.observe import Observers  # noqa: PLC0415  # see TYPE_CHECKING

    return Observers(*observers)


def _retire(routes: Iterable[Route]) -> None:
    """Ends routes for the calls to come: every one of them, even if closing an instance of another fails."""
    with ExitStack() as retiring:
        for route in routes:
            retiring.callback(route.pool.retire)
