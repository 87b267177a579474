"""Finds the route of an entry, preparing it when it is first needed, and sends calls down it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from interop.context import CallContext, Cancellation
from interop.errors import NotFoundError, PolycallError, PoolClosedError, PreparationError
from interop.ids import EntryId
from interop.limits import LimitsSpec
from interop.pool import Pool
from interop.pool_spec import PoolSpec
from interop.protocols import Function, Instance
from interop.values import Value
from interop.waiting import WaitGraph
from lua_runtime.spec import LuaFunctionSpec, LuaLibrarySpec
from registry.entries import Entry
from registry.filesystems import FileSystems
from registry.index import Index
from registry.janitor import Janitor
from registry.programs import lua_program, wasm_program
from registry.python_functions import PYTHON_KIND, PythonFunction
from registry.routes import Route
from wasm_runtime.spec import WasmFunctionSpec, WatFunctionSpec

if TYPE_CHECKING:
    from lua_runtime.runtime import LuaRuntime
    from wasm_runtime.runtime import WasmRuntime

__all__ = ["Dispatcher", "is_callable"]

_CALLABLE = (LuaFunctionSpec, WasmFunctionSpec, WatFunctionSpec)


def is_callable(entry: Entry) -> bool:
    """Says whether an entry is of a kind that can be called."""
    return isinstance(entry.spec, _CALLABLE) or entry.kind == PYTHON_KIND


class Dispatcher:
    """Runs entries by id; the `Invoker` through which guests call each other.

    Routes are prepared without a lock around the engines: two threads that need the same new entry may both prepare it,
    and the first to finish wins. A lock would be held while guest code starts up, and could deadlock.

    Args:
        index: The entries.
        cache_directory: Where compiled WebAssembly is kept; None for the user's cache folder.
        max_depth: Hops of one chain of calls.
    """

    def __init__(self, index: Index, *, cache_directory: Path | None, max_depth: int) -> None:
        self.index = index
        self._file_systems = FileSystems(index)
        self._cache_directory = cache_directory
        self._max_depth = max_depth
        self._waits = WaitGraph()
        self._janitor = Janitor()
        self._python: dict[str, PythonFunction] = {}
        self._routes: dict[str, Route] = {}
        self._lock = threading.Lock()
        self._lua: LuaRuntime | None = None
        self._wasm: WasmRuntime | None = None
        self._closed = threading.Event()

    def call(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        """Calls an entry on behalf of a guest; see `interop.protocols.Invoker`."""
        route = self._routes.get(target) or self._nested_route(target, caller)
        return route.run(arguments, route.context(caller))

    def call_payload(self, target: str, payload: str | bytes, caller: CallContext) -> Value:
        """Calls an entry with one text or byte string on behalf of a guest; see `interop.protocols.Invoker`."""
        route = self._routes.get(target) or self._nested_route(target, caller)
        context = route.context(caller)
        try:
            arguments = route.function.payload_arguments(payload)
        except PolycallError as error:
            error.frames = error.frames or context.frames()
            raise
        return route.run(arguments, context)

    def call_from_outside(
        self,
        target: str,
        arguments: Sequence[Value],
        *,
        parent: CallContext | None,
        deadline: float | None,
        cancellation: Cancellation | None,
        values: dict[str, Value] | None,
    ) -> Value:
        """Calls an entry from Python; a registered function that calls on hands in its own frame as `parent`."""
        route = self._routes.get(target) or self.route(target)
        return route.run(arguments, route.context(parent, deadline, cancellation, values))

    def _nested_route(self, target: str, caller: CallContext) -> Route:
        try:
            return self.route(target)
        except PolycallError as error:
            error.frames = error.frames or caller.frames()
            raise

    def route(self, target: str) -> Route:
        """Returns the route of an entry, preparing it if need be.

        Raises:
            NotFoundError: There is no such entry; near names are in the hint.
            PreparationError: The entry cannot be made ready to call, or is of a kind that is not called.
            PoolClosedError: The registry is closed.
        """
        if self._closed.is_set():
            raise PoolClosedError("the registry is closed", entry_id=target)
        route = self._routes.get(target)
        if route is not None:
            return route
        route = self._prepare(target)
        with self._lock:
            lost = self._closed.is_set() or self._routes.setdefault(target, route) is not route
        if lost:
            route.pool.close()
            return self.route(target)
        route.pool.start()
        if route.shrinks:
            self._janitor.watch(route.pool)
        return route

    def _prepare(self, target: str) -> Route:
        python = self._python.get(target)
        if python is not None:
            return self._routed(python, PoolSpec(type="inline"), LimitsSpec())
        try:
            entry = self.index.get(EntryId.parse(target))
        except ValueError as error:
            raise NotFoundError(str(error), entry_id=target) from error
        spec = entry.spec
        if not isinstance(spec, _CALLABLE):
            raise _not_callable(entry)
        try:
            return self._routed(self.prepare(entry), spec.pool, spec.limits)
        except PolycallError as error:
            error.entry_id = error.entry_id or target
            raise

    def _routed(self, function: Function, pool: PoolSpec, limits: LimitsSpec) -> Route:
        policy = pool.policy()
        instances: Pool[Instance] = Pool(function.entry_id, policy, function.instantiate, self._waits)
        return Route(function, instances, policy, limits.max_execution_ms, self._max_depth)

    def prepare(self, entry: Entry) -> Function:
        """Compiles and checks one Lua or WebAssembly function, without routing calls to it.

        Raises:
            PreparationError: It cannot be made ready to call.
        """
        if isinstance(entry.spec, LuaFunctionSpec):
            return self._lua_runtime().prepare(lua_program(entry, self.index))
        return self._wasm_runtime().prepare(wasm_program(entry, self._file_systems))

    def inspect(self, entry: Entry) -> Function | None:
        """Prepares any entry for a look at it: a function, or a library as far as it compiles; None for other kinds.

        Raises:
            PreparationError: It cannot be made ready.
        """
        if isinstance(entry.spec, LuaLibrarySpec):
            self._lua_runtime().compile(lua_program(entry, self.index))
            return None
        return self.prepare(entry) if isinstance(entry.spec, _CALLABLE) else None

    def _lua_runtime(self) -> LuaRuntime:
        # Imported when the first Lua entry is needed: listing a project must not pay for an engine.
        from lua_runtime.runtime import LuaRuntime  # noqa: PLC0415

        with self._lock:
            self._lua = self._lua or LuaRuntime(self)
            return self._lua

    def _wasm_runtime(self) -> WasmRuntime:
        from wasm_runtime.runtime import WasmRuntime  # noqa: PLC0415  # as above

        with self._lock:
            self._wasm = self._wasm or WasmRuntime(self, self._cache_directory)
            return self._wasm

    def add_python(self, function: PythonFunction, entry: Entry) -> None:
        """Makes a Python function callable under its id.

        Raises:
            ValueError: The id is taken.
        """
        with self._lock:
            self.index = self.index.with_entry(entry)
            self._python[function.entry_id] = function

    def close(self) -> None:
        """Closes every pool and the engines' threads; new calls are refused. Harmless when repeated."""
        with self._lock:
            self._closed.set()
            routes, self._routes = self._routes, {}
        self._janitor.close()
        for route in routes.values():
            route.pool.close()
        if self._wasm is not None:
            self._wasm.close()


def _not_callable(entry: Entry) -> PreparationError:
    return PreparationError(
        f'an entry of kind "{entry.kind}" cannot be called',
        entry_id=str(entry.id),
        hint="only function.lua, function.wasm, function.wat and registered Python functions can",
    )
