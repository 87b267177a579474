"""Core WebAssembly of the project's own, for other runtimes; see `polycall.interop.core_engine`.

The modules are trusted as Python code of polycall's is; what they run is not. So they run as all WebAssembly does here:
each instance in a store of its own, with the limits and the interruption of any guest.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from polycall.interop.context import CallContext
from polycall.interop.core_engine import CoreModule, HostFunction
from polycall.wasm_runtime.component.memory_image import memory_image
from polycall.wasm_runtime.core_engine.division import divided
from polycall.wasm_runtime.core_engine.guest import WasmCoreGuest
from polycall.wasm_runtime.core_engine.instance import Beginning, CoreInstance
from polycall.wasm_runtime.core_engine.links import link
from polycall.wasm_runtime.core_engine.rest import Rest
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

_MOST_RESTING_BYTES = 4 << 20
"""How large a memory may be to be kept for another guest; to wipe a larger one takes longer than to map one."""


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
        self._rest = Rest()

    def module(self, binary: bytes) -> SharedModule:
        """Returns a module; see `polycall.interop.core_engine.CoreEngine.module`."""
        return self._compiler.module(sha256(binary).hexdigest(), binary)

    def divided(self, binary: bytes) -> tuple[SharedModule, SharedModule]:
        """Returns a module as two; see `polycall.interop.core_engine.CoreEngine.divided`."""
        memory, code = divided(binary)
        return self.module(memory), self.module(code)

    def image(self, memory: bytes | memoryview) -> SharedModule:
        """Returns a memory as a module; see `polycall.interop.core_engine.CoreEngine.image`."""
        return SharedModule(self._engine.compiled_here(memory_image(memory)))

    def program(self, *modules: CoreModule, starts_over: bool = False) -> WasmCoreProgram:
        """Links modules; see `polycall.interop.core_engine.CoreEngine.program`."""
        # Where addresses are few, what rests would take them from who runs.
        rests = starts_over and self._engine.reservation is None
        return WasmCoreProgram(self._engine, self._rest if rests else None, modules)

    def close(self) -> None:
        """Lets go of what is kept for guests to come; harmless when repeated."""
        self._rest.close()


class WasmCoreProgram:
    """See `polycall.interop.core_engine.CoreProgram`. Shared by threads."""

    def __init__(self, engine: WasmEngine, rest: Rest | None, modules: Sequence[CoreModule]) -> None:
        """Links modules of an engine.

        Args:
            engine: Where they run.
            rest: Where instances rest between two guests; None if each guest gets one of its own.
            modules: What is linked, in the order in which they start.

        Raises:
            PreparationError: Something is imported that nobody gives.
        """
        self._engine = engine
        self._rest = rest
        self.most_bytes = engine.reservation
        self._shared = modules  # for as long as this lives, nobody compiles them anew
        self._links = link(each.module for each in modules)
        self._is_left = False
        self._beginning: Beginning | None = None

    def start(self, host: HostFunction, context: CallContext, *, memory_bytes: int | None = None) -> WasmCoreGuest:
        """Makes a guest, in which a call has begun; see `polycall.interop.core_engine.CoreProgram.start`."""

        def leave(instance: CoreInstance, is_fit: bool) -> None:
            if not (is_fit and self._rests(instance, memory_bytes)):
                instance.close()

        rested = None if self._rest is None else self._rest.take(self, memory_bytes)
        instance = rested or self._instance(memory_bytes)
        guest = WasmCoreGuest(instance, host, leave)
        try:
            guest.begin(context)
            if rested is None:
                self._instantiate(instance)
        except BaseException:
            guest.takes_calls = False
            guest.close()
            raise
        return guest

    def _instance(self, memory_bytes: int | None) -> CoreInstance:
        each_bytes = -1 if memory_bytes is None else memory_bytes
        shares = Shares(_MOST_MEMORIES, _MOST_TABLES, _MOST_ELEMENTS, each_bytes, each_bytes)
        return CoreInstance(self._engine.new_store(memory_bytes, shares), self._links)

    def _instantiate(self, instance: CoreInstance) -> None:
        try:
            instance.instantiate()
            if self._is_left and self._beginning is None:
                self._beginning = Beginning.of(bytes(instance.memory.whole()))
        except BaseException:
            instance.store.end()
            raise

    def _rests(self, instance: CoreInstance, memory_bytes: int | None) -> bool:
        """Has an instance rest, unless it is large or its guest the first one."""
        self._is_left = True  # the next guest finds out what the memory is to be like
        beginning = self._beginning
        if self._rest is None or beginning is None or instance.store.call is not None:  # a signal came before its end
            return False
        if len(instance.memory.whole()) > _MOST_RESTING_BYTES:
            return False
        instance.rewind(beginning)
        self._rest.put(self, memory_bytes, instance)
        return True
