"""Core WebAssembly of the project's own, for other runtimes; see `polycall.interop.core_engine`.

The modules are trusted as Python code of polycall's is; what they run is not. So they run as all WebAssembly does here:
each instance in a store of its own, with the limits and the interruption of any guest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from polycall.interop.context import CallContext
from polycall.interop.core_engine import CoreModule, HostFunction
from polycall.wasm_runtime.component.memory_image import memory_image
from polycall.wasm_runtime.core_guest import WasmCoreGuest
from polycall.wasm_runtime.core_links import link
from polycall.wasm_runtime.engine import DEFAULT_CACHE_BYTES
from polycall.wasm_runtime.engine.cache_folder import default_cache_directory
from polycall.wasm_runtime.engine.compile_cache import CompileCache
from polycall.wasm_runtime.engine.compiler import Compiler, SharedModule
from polycall.wasm_runtime.engine.memory_shares import Shares
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

__all__ = ["WasmCoreEngine", "WasmCoreProgram"]

_MOST_MEMORIES = _MOST_TABLES = 4
_MOST_ELEMENTS = 10_000
"""What each table may have: those of C code hold its function pointers, and do not grow."""


class WasmCoreEngine:
    """See `polycall.interop.core_engine.CoreEngine`. Shared by threads."""

    def __init__(
        self, engine: WasmEngine, cache_directory: Path | None = None, cache_bytes: int = DEFAULT_CACHE_BYTES
    ) -> None:
        """Compiles nothing yet.

        Args:
            engine: Where programs run, or in what it names for many guests; others may run there as well.
            cache_directory: Where compiled code is kept between runs; None for the user's cache directory.
            cache_bytes: How much is kept there.
        """
        self._engine = engine.sparing()
        cache = CompileCache(cache_directory or default_cache_directory(), cache_bytes)
        self._compiler = Compiler(self._engine, cache)

    def module(self, digest: str, binary: bytes) -> SharedModule:
        """Returns a module; see `polycall.interop.core_engine.CoreEngine.module`."""
        return self._compiler.module(digest, binary)

    def image(self, memory: bytes | memoryview) -> SharedModule:
        """Returns a memory as a module; see `polycall.interop.core_engine.CoreEngine.image`."""
        return SharedModule(self._engine.compiled_here(memory_image(memory)))

    def program(self, *modules: CoreModule) -> WasmCoreProgram:
        """Links modules; see `polycall.interop.core_engine.CoreEngine.program`."""
        return WasmCoreProgram(self._engine, modules)


class WasmCoreProgram:
    """See `polycall.interop.core_engine.CoreProgram`. Shared by threads."""

    def __init__(self, engine: WasmEngine, modules: Sequence[CoreModule]) -> None:
        """Links modules of an engine.

        Raises:
            PreparationError: Something is imported that nobody gives.
        """
        self._engine = engine
        self.most_bytes = engine.reservation
        self._shared = modules  # for as long as this lives, nobody compiles them anew
        self._links = link(each.module for each in modules)

    def start(self, host: HostFunction, context: CallContext, *, memory_bytes: int | None = None) -> WasmCoreGuest:
        """Makes a guest, in which a call has begun; see `polycall.interop.core_engine.CoreProgram.start`."""
        each_bytes = -1 if memory_bytes is None else memory_bytes
        shares = Shares(_MOST_MEMORIES, _MOST_TABLES, _MOST_ELEMENTS, each_bytes, each_bytes)
        store = self._engine.new_store(memory_bytes, shares)
        guest = WasmCoreGuest(self._engine, store, self._links, host)
        try:
            guest.begin(context)
            self._instantiated(guest)
        except BaseException:
            guest.close()
            raise
        return guest

    @staticmethod
    def _instantiated(guest: WasmCoreGuest) -> None:
        try:
            guest.instantiate()
        except BaseException:
            guest.end()
            raise
