"""The engine of a runtime, its stores, and how running guests are interrupted."""

from __future__ import annotations

import itertools
import weakref
from typing import Any

import wasmtime

from interop.context import CallContext
from interop.errors import ImportDeniedError, InternalError, PolycallError, TrapError
from wasm_runtime import native
from wasm_runtime.epoch_ticker import EpochTicker
from wasm_runtime.native import EPOCH_CALLBACK, address_of
from wasm_runtime.traps import engine_error, guest_traceback

__all__ = ["ENGINE_SETTINGS", "MAX_WASM_STACK_BYTES", "GuestStore", "WasmEngine"]

MAX_WASM_STACK_BYTES = 192 * 1024
"""Native stack that one entry into a guest may use.

A chain of calls runs in one thread, and each hop enters another store, which counts from where it was entered. 32 hops
(the deepest chain allowed), each with a guest that recursed to this limit before it called out, take 6 of the 8 MiB
that a thread has; the rest is for the host's own frames, about 10 KiB a hop.
"""

ENGINE_SETTINGS = f"epochs, no threads, no shared memory, no concurrency, stack {MAX_WASM_STACK_BYTES}"
"""What compiled code depends on beside wasmtime's version: part of the key of the compile cache."""

_NEVER = 2**62
_TABLE_ELEMENTS = 1_000_000
_INSTANCES = 1_000
_TABLES = 1_000


def _configure() -> wasmtime.Config:
    config = wasmtime.Config()
    config.epoch_interruption = True
    config.max_wasm_stack = MAX_WASM_STACK_BYTES
    config.wasm_threads = False  # a shared memory would be outside of every limit of its store
    config.shared_memory = False
    native.config_concurrency(config.ptr(), False)  # streams and futures; without them a call is a fifth faster
    return config


class GuestStore:
    """A store, and what the engine's callbacks must know of the call that runs in it. Used by one thread at a time.

    Attributes:
        context: wasmtime's ``wasmtime_context_t``, as an address.
        call: The context of the running call, or None between calls.
        failed_call: The last call of the guest to another entry that failed, during the running call.
        failure: What went wrong in a callback of the engine's, kept until the engine has returned.
        starting: Whether the guest's start code runs, and not a call.
    """

    __slots__ = (
        "__weakref__",
        "_address",
        "_engine",
        "_guarded",
        "_memory_limit",
        "call",
        "context",
        "failed_call",
        "failure",
        "starting",
    )

    def __init__(self, engine: WasmEngine, address: int, memory_limit: int | None) -> None:
        self._engine = engine
        self._address: int | None = address
        self._guarded = False
        self.context: int = native.store_context(address)
        self._memory_limit = memory_limit
        self.starting = False
        self.call: CallContext | None = None
        self.failed_call: PolycallError | None = None
        self.failure: BaseException | None = None

    def begin(self, call: CallContext, *, starting: bool = False) -> None:
        """Makes ready for a call, or for the guest's start code; `end` must follow."""
        guarded = call.guarded
        if guarded is not self._guarded:
            native.set_epoch_deadline(self.context, 1 if guarded else _NEVER)
            self._guarded = guarded
        if guarded:
            self._engine.ticker.begin()
        self.call = call
        self.starting = starting

    def end(self) -> None:
        """Ends the call that `begin` began."""
        self.call = None
        self.failed_call = None
        self.failure = None
        if self._guarded:
            self._engine.ticker.end()

    def interruption(self) -> PolycallError | None:
        """Returns what must end the running call now, or None."""
        return None if self.call is None else self.call.interruption()

    def keep(self, failure: BaseException) -> int:
        """Keeps what went wrong in a callback until the engine has returned: nothing may unwind through it.

        Returns:
            The engine's own error, for the callback to give back.
        """
        self.failure = failure
        error: int = native.error_new(b"a host function failed")
        return error

    def error(self, message: str) -> BaseException:
        """Returns what to raise for a call or start that the engine says has failed."""
        failure = self.failure
        if isinstance(failure, ImportDeniedError):
            failure.guest_traceback = guest_traceback(message)
            return self._with_failed_call(failure)
        if isinstance(failure, PolycallError) or (failure is not None and not isinstance(failure, Exception)):
            return failure
        if failure is not None:
            internal = InternalError(f"a host function failed: {failure!r}")
            internal.__cause__ = failure
            return internal
        return self._with_failed_call(engine_error(message, self._memory_limit))

    def _with_failed_call(self, error: PolycallError) -> PolycallError:
        failed = self.failed_call
        if failed is None or self.call is None or not isinstance(error, (TrapError, ImportDeniedError)):
            return error
        text = f"{failed.message}; then, in {self.call.entry_id}: {error.message}"
        told = type(error)(text, hint=error.hint, guest_traceback=error.guest_traceback)
        told.frames = failed.frames
        told.__cause__ = failed
        return told

    def close(self) -> None:
        """Frees the store and everything in it; harmless when repeated."""
        address, self._address = self._address, None
        if address is not None:
            native.store_delete(address)

    def __del__(self) -> None:
        """Frees a store that nobody closed."""
        self.close()


class WasmEngine:
    """One wasmtime engine with its epoch ticker. Shared by threads.

    Attributes:
        engine: wasmtime-py's object, for what happens once per entry.
        ticker: What makes the epoch pass while a guarded call runs.
    """

    def __init__(self) -> None:
        self.engine = wasmtime.Engine(_configure())
        self._address = address_of(self.engine.ptr())
        self.ticker = EpochTicker(lambda: native.increment_epoch(self._address))
        self._keys = itertools.count(1)
        self._stores: weakref.WeakValueDictionary[int, GuestStore] = weakref.WeakValueDictionary()
        self._on_epoch = EPOCH_CALLBACK(self._epoch_passed)

    def new_store(self, memory_limit: int | None, memories: int) -> GuestStore:
        """Makes a store.

        Args:
            memory_limit: How many bytes all its memories may hold together, or None.
            memories: How many memories there may be; the limit is shared out evenly.
        """
        key = next(self._keys)
        address = native.store_new(self._address, key, None)
        store = GuestStore(self, address, memory_limit)
        each = -1 if memory_limit is None else memory_limit // memories
        native.store_limiter(address, each, _TABLE_ELEMENTS, _INSTANCES, _TABLES, memories)
        native.store_on_epoch(address, self._on_epoch, None, None)
        native.set_epoch_deadline(store.context, _NEVER)
        self._stores[key] = store
        return store

    def store_of(self, context: int) -> GuestStore:
        """Returns the store that a callback's context belongs to."""
        return self._stores[native.context_data(context)]

    def _epoch_passed(self, context: int, _data: int | None, delta: Any, _kind: int) -> int | None:
        try:
            store = self.store_of(context)
            delta[0] = 1
            interruption = store.interruption()
            return None if interruption is None else store.keep(interruption)
        except BaseException as failure:  # noqa: BLE001 - Ctrl-C lands here too; nothing may unwind through the engine
            return self.keep(context, failure)

    def keep(self, context: int, failure: BaseException) -> int:
        """Keeps a callback's failure with the call it belongs to; see `GuestStore.keep`."""
        return self.store_of(context).keep(failure)
