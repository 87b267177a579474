"""The engine of a runtime: what guests are compiled for, and where the engine's callbacks come to Python."""

from __future__ import annotations

import itertools
import weakref
from typing import Any, NoReturn

import wasmtime

from polycall.interop.errors import InternalError
from polycall.interop.stack import DEFAULT_STACK_BYTES, MOST_STACK_BYTES
from polycall.wasm_runtime.engine import native
from polycall.wasm_runtime.engine.epoch_ticker import EpochTicker
from polycall.wasm_runtime.engine.memory_shares import Shares
from polycall.wasm_runtime.engine.native import CORE_CALLBACK, EPOCH_CALLBACK, address_of, as_pointer
from polycall.wasm_runtime.engine.reservations import GUARD_BYTES, sparing_reservation
from polycall.wasm_runtime.engine.signal_shield import SignalShield
from polycall.wasm_runtime.engine.store_ends import StoreEnds
from polycall.wasm_runtime.engine.stores import FUNCTION_BITS, NEVER, GuestStore

__all__ = ["WasmEngine"]

_SETTINGS = "epochs, no threads, no shared memory, no concurrency, memories stay where they are"

_FUNCTIONS = (1 << FUNCTION_BITS) - 1
_NO_SLOTS = memoryview(b"")

CoreType = tuple[tuple[str, ...], tuple[str, ...]]
_VALUE_TYPES = {
    "i32": wasmtime.ValType.i32,
    "i64": wasmtime.ValType.i64,
    "f32": wasmtime.ValType.f32,
    "f64": wasmtime.ValType.f64,
}


def _configure(stack_bytes: int = DEFAULT_STACK_BYTES, reservation: int | None = None) -> wasmtime.Config:
    config = wasmtime.Config()
    config.epoch_interruption = True
    native.config_async_stack_size(config.ptr(), MOST_STACK_BYTES)  # it must not be less, though nothing uses it
    config.max_wasm_stack = stack_bytes
    config.wasm_threads = False  # a shared memory would be outside of every limit of its store
    config.shared_memory = False
    native.config_memory_may_move(config.ptr(), False)  # views of memories rely on it
    native.config_concurrency(config.ptr(), False)  # streams and futures; without them a call is a fifth faster
    if reservation is not None:  # what is set for memories holds for heaps of exceptions
        native.config_memory_reservation(config.ptr(), reservation)
        native.config_memory_guard(config.ptr(), GUARD_BYTES)
    return config


class WasmEngine:
    """One wasmtime engine with its epoch ticker. Shared by threads.

    Attributes:
        engine: wasmtime-py's object, for what happens once per entry.
        ticker: What makes the epoch pass while a guarded call runs.
        shield: What keeps signal handlers of the main thread from raising into the engine.
        stack_bytes: What a guest may use of the native stack in one call, from where the engine is entered.
        reservation: How many bytes a memory can hold at most; None for 4 GiB.
        ends: How its stores are deleted.
        settings: What compiled code depends on beside wasmtime's version: part of the key of the compile cache.
    """

    def __init__(
        self,
        stack_bytes: int = DEFAULT_STACK_BYTES,
        reservation: int | None = None,
        ticker: EpochTicker | None = None,
    ) -> None:
        """Makes one.

        Args:
            stack_bytes: What a guest may use of the native stack in one call.
            reservation: How many bytes of addresses are taken in advance for each memory; None for 4 GiB.
            ticker: What ticks for this one as well; None for one of its own.
        """
        self.stack_bytes = stack_bytes
        self.settings = _SETTINGS if reservation is None else f"{_SETTINGS}, {reservation} bytes for each"
        self.reservation = reservation
        self.engine = wasmtime.Engine(_configure(stack_bytes, reservation))
        self._address = address_of(self.engine.ptr())
        self._sparing: WasmEngine | None = None
        self.ticker = ticker or EpochTicker(self._tick)
        self.shield = SignalShield()
        self.ends = StoreEnds()
        self._keys = itertools.count(1)
        self._stores: dict[int, weakref.ref[GuestStore]] = {}
        self._types: dict[CoreType, wasmtime.FuncType] = {}
        self._own_modules: dict[str, wasmtime.Module] = {}
        self._lone: wasmtime.Engine | None = None
        self._on_epoch = EPOCH_CALLBACK(self._epoch_passed)
        self._on_call = CORE_CALLBACK(self._called)
        self.core_callback = as_pointer(address_of(self._on_call))

    def new_store(self, memory_limit: int | None, shares: Shares) -> GuestStore:
        """Makes a store.

        Args:
            memory_limit: How many bytes its memories, tables and GC heap may hold together, or None.
            shares: How that is shared out.
        """
        key = next(self._keys)
        address = native.store_new(self._address, key, None)
        store = GuestStore(self, key, address, memory_limit, shares)
        store.cap_memory(shares.starting_bytes)
        native.store_on_epoch(address, self._on_epoch, None, None)
        native.set_epoch_deadline(store.context, NEVER)
        self._stores[key] = weakref.ref(store)
        return store

    def sparing(self) -> WasmEngine:
        """Returns an engine for many guests: this one or, where addresses are few, one that reserves less of them.

        Checks of each access are what that costs. Both tick together.
        """
        reservation = sparing_reservation()
        if reservation is None:
            return self
        if self._sparing is None:
            self._sparing = WasmEngine(self.stack_bytes, reservation, self.ticker)
        return self._sparing

    def _tick(self) -> None:
        native.increment_epoch(self._address)
        if self._sparing is not None:
            self._sparing._tick()

    def forget(self, key: int) -> None:
        """Forgets a store that is no more."""
        self._stores.pop(key, None)

    def function_type(self, core_type: CoreType) -> wasmtime.FuncType:
        """Returns the engine's object for the type of a core function."""
        found = self._types.get(core_type)
        if found is None:
            parameters, results = ([_VALUE_TYPES[name]() for name in names] for names in core_type)
            found = self._types[core_type] = wasmtime.FuncType(parameters, results)
        return found

    def own_module(self, text: str) -> wasmtime.Module:
        """Returns a module of polycall's own, compiled once; the text must come from nobody else."""
        found = self._own_modules.get(text)
        if found is None:
            found = self._own_modules[text] = self.compiled_here(bytes(wasmtime.wat2wasm(text)))
        return found

    def alone(self) -> wasmtime.Engine:
        """Returns an engine that compiles in the thread which asks it to, what this one can load."""
        if self._lone is None:
            config = _configure(self.stack_bytes, self.reservation)
            config.parallel_compilation = False
            self._lone = wasmtime.Engine(config)
        return self._lone

    def compiled_here(self, binary: bytes) -> wasmtime.Module:
        """Returns a small module, compiled in this thread: the engine's own ones are gone in a forked child."""
        return wasmtime.Module.deserialize(self.engine, wasmtime.Module(self.alone(), binary).serialize())

    def _store(self, key: int) -> GuestStore:
        return self._stores[key]() or self._gone()

    @staticmethod
    def _gone() -> NoReturn:
        raise InternalError("a guest ran in a store that is no more")

    def _called(self, environment: int, caller: int, slots: int | None, count: int) -> int | None:
        """Serves every call of a guest to a core function of the host."""
        shield: SignalShield | None = None
        store: GuestStore | None = None
        try:
            store = self._stores[environment >> FUNCTION_BITS]() or self._gone()
            store.host_calls += 1
            shield = store.shield
            if shield is not None:
                shield.holding = False
                if shield.held:
                    shield.open()
            handlers = store.handlers
            if handlers is None:
                raise InternalError("a guest ran in a store that was closed")
            # `GuestStore.slots` is asked for what is not known yet: a call for each would take longer than the look-up.
            raw = (store.views.get((slots, count)) or store.slots(slots, count)) if slots else _NO_SLOTS
            handlers[environment & _FUNCTIONS](caller, raw)
        except BaseException as failure:  # noqa: BLE001 - Ctrl-C lands here too; nothing may unwind through the engine
            if shield is not None:
                shield.holding = True
            if store is not None:
                store.failure = failure
            return native.host_failed_trap()
        if shield is not None:
            shield.holding = True
        return None

    def _epoch_passed(self, context: int, _data: int | None, delta: Any, _kind: int) -> int | None:
        shield: SignalShield | None = None
        store: GuestStore | None = None
        failure: BaseException | None
        try:
            delta[0] = 1
            store = self._store(native.context_data(context))
            shield = store.shield
            if shield is not None:
                shield.open()
            failure = store.interruption()
        except BaseException as error:  # noqa: BLE001 - Ctrl-C lands here too; nothing may unwind through the engine
            failure = error
        if shield is not None:
            shield.holding = True
        if failure is None:
            return None
        if store is not None:
            store.failure = failure
        return native.host_failed_error()
