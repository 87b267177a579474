"""The runtimes of a registry: each is loaded when the first entry needs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from polycall.interop.context import CallContext
from polycall.interop.errors import PreparationError
from polycall.interop.forks import new_lock
from polycall.interop.isolation import in_process
from polycall.interop.protocols import Function, Invoker
from polycall.interop.services import Services
from polycall.registry.dispatch.programs import lua_program
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index

if TYPE_CHECKING:
    from polycall.lua_runtime.runtime import LuaRuntime
    from polycall.lua_runtime.sandbox.snapshot import Sandbox
    from polycall.registry.isolation import IsolationRuntime
    from polycall.wasm_runtime.engine.wasm_engine import WasmEngine
    from polycall.wasm_runtime.runtime import WasmRuntime

__all__ = ["FUNCTION_KINDS", "Runtimes"]

FUNCTION_KINDS: Mapping[str, str] = MappingProxyType(
    {"function.lua": "lua", "function.wasm": "wasm", "function.wat": "wasm"}
)
"""The kinds of entry that a runtime makes callable, and their languages."""


class Runtimes:
    """Makes functions of entries. Shared by threads."""

    def __init__(
        self,
        invoker: Invoker,
        services: Services,
        cache_directory: Path | None,
        *,
        stack_bytes: int,
        cache_bytes: int,
    ) -> None:
        """Loads nothing yet: listing a project must not pay for an engine.

        Args:
            invoker: How guests reach other entries.
            services: What else they may ask of the registry.
            cache_directory: Where compiled WebAssembly is kept; None for the user's cache folder.
            stack_bytes: What a guest of WebAssembly may use of the native stack in one call.
            cache_bytes: How much compiled WebAssembly is kept.
        """
        self._stack_bytes = stack_bytes
        self._cache_bytes = cache_bytes
        self._invoker = invoker
        self._services = services
        self._cache_directory = cache_directory
        self._lock = new_lock()
        self._lua: LuaRuntime | None = None
        self._wasm: WasmRuntime | None = None
        self._engine: WasmEngine | None = None
        self._isolation: IsolationRuntime | None = None

    def prepare(self, entry: Entry, index: Index, context: CallContext | None = None) -> Function:
        """Makes an entry of `index` ready to call.

        Args:
            entry: Its kind is one of `FUNCTION_KINDS`.
            index: Where the entries are to which it refers.
            context: The call that waits for it, if there is one.

        Raises:
            PreparationError: It cannot be made ready.
            DeadlineError, CancelledError: The call is over.
        """
        if entry.kind not in FUNCTION_KINDS:
            raise PreparationError(
                f'an entry of kind "{entry.kind}" cannot be called',
                entry_id=str(entry.id),
                hint="only function.lua, function.wasm, function.wat and registered Python functions can",
            )
        isolated = in_process(entry.spec.isolation)
        if FUNCTION_KINDS[entry.kind] == "lua":
            lua = self._isolation_runtime() if isolated else self._lua_runtime()
            return lua.prepare(lua_program(entry, index), context)
        from polycall.registry.dispatch.wasm_programs import wasm_program  # noqa: PLC0415  # as the engines
        from polycall.registry.services.filesystems import FileSystems  # noqa: PLC0415  # the same

        wasm = self._isolation_runtime() if isolated else self._wasm_runtime()
        return wasm.prepare(wasm_program(entry, FileSystems(index)), context)

    def inspect(self, entry: Entry, index: Index) -> Function | None:
        """Prepares an entry of `index` for a look at it.

        Returns:
            A function; None for a library, which is compiled, and for other kinds.

        Raises:
            PreparationError: It cannot be made ready.
        """
        if entry.kind == "library.lua":
            self._lua_runtime().compile(lua_program(entry, index))
            return None
        return self.prepare(entry, index) if entry.kind in FUNCTION_KINDS else None

    def _lua_runtime(self) -> LuaRuntime:
        from polycall.lua_runtime.runtime import LuaRuntime  # noqa: PLC0415  # loads the engine
        from polycall.registry.services.guest_yaml import GuestYaml  # noqa: PLC0415  # as above

        with self._lock:
            self._lua = self._lua or LuaRuntime(self._invoker, GuestYaml(), self._services, self._sandbox)
            return self._lua

    def _sandbox(self) -> Sandbox:
        """Gives Lua what sandboxed entries run in."""
        from polycall.lua_runtime.sandbox.snapshot import Sandbox  # noqa: PLC0415  # as above
        from polycall.wasm_runtime.core_engine import WasmCoreEngine  # noqa: PLC0415  # as above

        with self._lock:
            return Sandbox(WasmCoreEngine(self._wasm_engine(), self._cache_directory, self._cache_bytes))

    def _wasm_engine(self) -> WasmEngine:
        """Returns the one engine of all guests in WebAssembly, with the lock held."""
        from polycall.wasm_runtime.engine.wasm_engine import WasmEngine  # noqa: PLC0415  # as above

        self._engine = self._engine or WasmEngine(self._stack_bytes)
        return self._engine

    def _wasm_runtime(self) -> WasmRuntime:
        from polycall.wasm_runtime.runtime import WasmRuntime  # noqa: PLC0415  # as above

        with self._lock:
            self._wasm = self._wasm or WasmRuntime(
                self._invoker,
                self._cache_directory,
                cache_bytes=self._cache_bytes,
                services=self._services,
                engine=self._wasm_engine(),
            )
            return self._wasm

    def _isolation_runtime(self) -> IsolationRuntime:
        from polycall.registry.isolation import IsolationRuntime  # noqa: PLC0415  # as above

        with self._lock:
            self._isolation = self._isolation or IsolationRuntime(
                self._invoker,
                self._services,
                self._cache_directory,
                stack_bytes=self._stack_bytes,
                cache_bytes=self._cache_bytes,
            )
            return self._isolation

    def close(self) -> None:
        """Ends what belongs to no instance, threads and processes among it; harmless when repeated."""
        if self._lua is not None:
            self._lua.close()
        if self._wasm is not None:
            self._wasm.close()
        if self._engine is not None:
            self._engine.ticker.close()
        if self._isolation is not None:
            self._isolation.close()
