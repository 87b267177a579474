"""The table of routes: which entries there are at the moment, and which of them calls have a way to already."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from polycall.interop.callees import Callees
from polycall.interop.context import CallContext
from polycall.interop.errors import Frame, NotFoundError, PolycallError, PoolClosedError
from polycall.interop.forks import new_lock
from polycall.interop.ids import EntryId, cut
from polycall.interop.pool import Pool
from polycall.interop.pool_spec import PoolSpec
from polycall.interop.protocols import Function, Instance
from polycall.interop.stack import StackRoom
from polycall.interop.waiting import WaitGraph
from polycall.registry.dispatch.janitor import Janitor
from polycall.registry.dispatch.preparation import Preparation
from polycall.registry.dispatch.python_functions import PYTHON_KIND
from polycall.registry.dispatch.routes import Route
from polycall.registry.dispatch.runtimes import FUNCTION_KINDS, Runtimes
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index

if TYPE_CHECKING:  # at run time, what a plain call does not need is imported where it is used: a cold start pays for it
    from polycall.registry.dispatch.additions import Additions, Put
    from polycall.registry.dispatch.dispatcher import Dispatcher
    from polycall.registry.entries.changes import Changes

__all__ = ["RouteTable", "is_callable"]


def is_callable(entry: Entry) -> bool:
    """Says whether an entry is of a kind that can be called."""
    return entry.kind in FUNCTION_KINDS or entry.kind == PYTHON_KIND


class RouteTable:
    """The entries of a registry and the routes to them: prepared when first needed, replaced when entries change.

    The first call of an entry prepares it, in its own thread; those that come meanwhile wait for it.

    A reload changes the index and takes routes away, and so does Python for single entries. A call goes on with the
    route that it has, or that was being prepared when it came; an entry that did not change keeps both for the calls to
    come.

    Args:
        index: The entries.
        has_files: Whether they are those of a folder, and can be read again.
        runtimes: Make functions of entries.
        janitor: Looks after the pools.
        stack: Where there is room to prepare.
        dispatcher: Keeps the resources that calls give.

    Attributes:
        index: The entries at the moment.
        by_id: The routes. Calls look here without the lock, and who finds none goes to `route`, which takes it. It is
            changed only with the lock, in which all that has to go is gone before a new route is made: a call that
            has seen what is new finds nothing that is old.
        closed: Whether new calls are refused.
    """

    def __init__(
        self,
        index: Index,
        *,
        has_files: bool,
        runtimes: Runtimes,
        janitor: Janitor,
        stack: StackRoom,
        dispatcher: Dispatcher,
    ) -> None:
        self.index = index
        self.by_id: dict[str, Route] = {}
        self.closed = False
        self._runtimes = runtimes
        self._janitor = janitor
        self._stack = stack
        self._dispatcher = dispatcher
        self._waits = WaitGraph()
        self._has_files = has_files
        self._additions: Additions | None = None  # nothing yet
        self._preparations: dict[str, Preparation] = {}
        self._lock = new_lock()
        self._reloading = new_lock()

    def route(self, call: CallContext) -> Route:
        """Returns the route of the entry that a call is about to run, preparing it if need be.

        Args:
            call: Its frame, whose deadline holds meanwhile; the language is not known yet.

        Raises:
            NotFoundError: There is no such entry; near names are in the hint.
            PreparationError: The entry cannot be made ready to call, or is of a kind that is not called.
            PoolClosedError: The registry is closed.
            DeadlineError, CancelledError: The call is over.
        """
        try:
            return self._stack.run(call, lambda: self._route(call.entry_id, call))
        except PolycallError as error:
            caller = call.parent
            if isinstance(error, NotFoundError) and caller is not None and caller.restricted:
                error.hint = None  # near names may be those of entries that it may not call, and need not know of
            if not error.frames:
                callers = () if caller is None else caller.frames()
                error.frames = (*callers, *self._callee(call.entry_id))
            raise

    def _callee(self, target: str) -> Iterator[Frame]:
        """Yields the frame of an entry that could not be prepared, if there is such an entry and it can be called."""
        index = self.index
        kind = index.get(target).kind if target in index else ""
        if kind in FUNCTION_KINDS:
            yield Frame(target, FUNCTION_KINDS[kind])

    def _route(self, target: str, call: CallContext) -> Route:
        while True:
            own = Preparation()
            try:
                with self._lock:
                    self._check_open(target)
                    route = self.by_id.get(target)
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
        if self.closed:
            route.pool.close()
        preparation.route = route

    def _check_open(self, target: str | None = None) -> None:
        if self.closed:
            raise PoolClosedError("the registry is closed", entry_id=target and cut(target))

    def routes(self) -> tuple[Route, ...]:
        """Returns the routes of all entries that were called or prepared so far."""
        with self._lock:
            return tuple(self.by_id.values())

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

            return ResourceRoute(function, instances, policy, self._stack, callees, dispatcher=self._dispatcher)
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
                    retired = self._take(*self._added().put(self.index, put, replace=replace))
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
            self.by_id[route.entry_id] = route
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
            retired = self._take(*self._added().remove(self.index, entry_id))
        _retire(retired)

    def _take(self, index: Index, others: Iterable[EntryId | str]) -> list[Route]:
        """Takes an index in which some entries are others, with the lock held; returns the routes that are no more."""
        gone = {str(each) for each in others}
        for target in gone.intersection(self._preparations):
            del self._preparations[target]
        retired = [self.by_id.pop(target) for target in gone.intersection(self.by_id)]
        for route in retired:
            self._janitor.forget(route.pool)
        self.index = index
        return retired

    def reload(self, read: Callable[[], Index], taken: Callable[[Index], None]) -> Changes:
        """Puts another index in the place of the present one; reloads from several threads follow each other.

        Args:
            read: Reads the index; what it raises leaves everything as it is.
            taken: Is told of the index that is the present one now, before anybody else can change it.

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
                retired = self._take(index, {*self.by_id, *self._preparations}.difference(changes.kept))
                taken(index)
        _retire(retired)
        return changes

    def after_fork(self, own: Collection[CallContext]) -> None:
        """Gives up, in a forked child, the calls and preparations of the threads that are not there.

        Args:
            own: The frames of the call that goes on.
        """
        self._preparations.clear()
        self._waits.after_fork()
        for route in self.by_id.values():
            route.pool.after_fork(own)

    def close(self) -> list[Route]:
        """Refuses new calls; returns the routes that are no more, whose pools are still open."""
        with self._lock:
            self.closed = True
            self._preparations.clear()
            routes = list(self.by_id.values())
            self.by_id.clear()
        return routes


def _retire(routes: Iterable[Route]) -> None:
    """Ends routes for the calls to come: every one of them, even if closing an instance of another fails."""
    with ExitStack() as retiring:
        for route in routes:
            retiring.callback(route.pool.retire)
