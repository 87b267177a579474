"""Stores: where a guest lives, and what is known of the call that runs in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from polycall.interop.context import CallContext
from polycall.interop.errors import (
    CallError,
    ImportDeniedError,
    InternalError,
    MemoryLimitError,
    PolycallError,
    TrapError,
)
from polycall.interop.forks import in_main_thread
from polycall.wasm_runtime.engine import native
from polycall.wasm_runtime.engine.engine_errors import EngineError
from polycall.wasm_runtime.engine.memory_shares import Shares
from polycall.wasm_runtime.engine.memory_wear import Bound, wear_bounds
from polycall.wasm_runtime.engine.native import SLOT_BYTES
from polycall.wasm_runtime.engine.signal_shield import SignalShield
from polycall.wasm_runtime.engine.traps import MemoryState, engine_error

if TYPE_CHECKING:
    from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

__all__ = ["FUNCTION_BITS", "NEVER", "GuestStore", "Handler", "StoreSession"]

NEVER = 2**62
"""Epochs to a deadline that never comes."""

_INSTANCES = 2_000
"""Twice what one plan may make: each instance may get another one of ours, for its allocator."""

FUNCTION_BITS = 20
"""Of what a core function of the host is made with, those that number it; the others are the key of the store."""

Handler = Callable[[int, memoryview], None]
"""Serves a core function of the host: takes the ``wasmtime_caller_t`` and the slots of parameters and results."""

_MOST_VIEWS = 64


class StoreSession(Protocol):
    """What hosts keep for the instance of a store."""

    def begin(self, context: CallContext) -> None:
        """Is told that a call begins."""
        ...

    def end(self) -> None:
        """Is told that it has ended, in whatever way."""
        ...

    def close(self) -> None:
        """Is told that the instance has."""
        ...


class GuestStore:
    """A store, and what the engine's callbacks must know of the call that runs in it. Used by one thread at a time.

    Attributes:
        context: wasmtime's ``wasmtime_context_t``, as an address.
        call: The context of the running call, or None between calls.
        calls_back: Whether the engine may come to Python during the running call.
        enters_host: Whether the guest has functions to call that Python answers.
        is_exposed: Whether those begin where a signal's handler must not raise, as they do not in a `CoreInstance`.
        failed_call: The last call of the guest to another entry that failed, during the running call.
        failure: What went wrong in a callback of the engine's, kept until the engine has returned.
        shield: What callbacks must open, and close before they return; None outside of the main thread.
        handlers: What serves the core functions of the host, by their numbers; set by who instantiates.
        session: What its hosts keep for the instance; None if none of them keeps anything.
        host_calls: How often the guest has called its host since that was last set to 0.
        starting: Whether the guest's start code runs, and not a call.
        memories: The addresses of the ``wasmtime_memory_t`` that are known; see `watch`.
        views: What `slots` has given before.
        wanted_bytes: What the guest's allocator is being asked for by the host, while it is; else 0.
        wear: Past one of these bounds, its memories have grown so far that a fresh instance should take its place.
    """

    __slots__ = (
        "__weakref__",
        "_address",
        "_engine",
        "_guarded",
        "_key",
        "_memory_limit",
        "_shares",
        "call",
        "calls_back",
        "context",
        "enters_host",
        "failed_call",
        "failure",
        "handlers",
        "host_calls",
        "is_exposed",
        "memories",
        "session",
        "shield",
        "starting",
        "views",
        "wanted_bytes",
        "wear",
    )

    def __init__(  # the engine alone makes stores
        self, engine: WasmEngine, key: int, address: int, memory_limit: int | None, shares: Shares
    ) -> None:
        self.session: StoreSession | None = None  # first of all: `close` asks for it, also if this fails half-way
        self._engine = engine
        self._key = key
        self.handlers: Mapping[int, Handler] | None = None
        self._address: int | None = address
        self._guarded = False
        self.context: int = native.store_context(address)
        self._memory_limit = memory_limit
        self._shares = shares
        self.memories: Sequence[int] = ()
        self.wear: tuple[Bound, ...] = ()
        self.wanted_bytes = 0
        self.views: dict[tuple[int, int], memoryview] = {}
        self.calls_back = True
        self.starting = False
        self.enters_host = self.is_exposed = True
        self.call: CallContext | None = None
        self.failed_call: PolycallError | None = None
        self.failure: BaseException | None = None
        self.shield: SignalShield | None = None
        self.host_calls = 0

    def environment(self, function: int) -> int:
        """Returns what a core function of the host is made with: by it the engine's callback finds its handler."""
        return self._key << FUNCTION_BITS | function

    def slots(self, address: int, count: int) -> memoryview:
        """Returns a view of the slots of a call, which the engine has just said are there."""
        # They lie on the stack: at the same place in nearly all calls of a loop. A view is nothing but the address.
        known = self.views.get((address, count))
        if known is None:
            if len(self.views) >= _MOST_VIEWS:
                self.views.clear()
            known = self.views[address, count] = native.view(address, count * SLOT_BYTES)
        return known

    def cap_memory(self, each_bytes: int) -> None:
        """Caps each memory, and the GC heap, at so many bytes from now on; -1 for no cap."""
        shares = self._shares
        native.store_limiter(*(self._address, each_bytes, shares.elements, _INSTANCES, shares.tables, shares.memories))

    def complete(self) -> None:
        """Says that the instance is complete: from now on its memories grow by what is left for each."""
        if self._shares.running_bytes != self._shares.starting_bytes:
            self.cap_memory(self._shares.running_bytes)

    def watch(self, memories: Sequence[int]) -> None:
        """Says which memories the instance has, once it has started.

        Args:
            memories: The addresses of their ``wasmtime_memory_t``, which must live as long as the instance.
        """
        self.memories = memories
        if memories:
            meters = [native.memory_meter(self.context, memory) for memory in memories]
            self.wear = wear_bounds(self._memory_limit, self._shares.running_bytes, meters)

    def begin(self, call: CallContext, *, starting: bool = False) -> None:
        """Makes ready for a call, or for the guest's start code; `end` must follow."""
        guarded = call.deadline is not None or call.cancellation is not None
        # Without a deadline no epoch passes: then only an import leads from the engine to Python. And only the main
        # thread runs signal handlers.
        self.calls_back = guarded or self.enters_host
        if (guarded or (self.enters_host and self.is_exposed)) and in_main_thread():
            self.shield = self._engine.shield
            self.shield.begin()
        try:
            if guarded is not self._guarded:
                native.set_epoch_deadline(self.context, 1 if guarded else NEVER)
                self._guarded = guarded
            if guarded:
                self._engine.ticker.begin()
        except BaseException:
            self._unshield()
            raise
        self.call = call
        self.starting = starting
        if self.session is not None:
            self.session.begin(call)

    def end(self) -> None:
        """Ends the call that `begin` began. A signal that came in the meantime may raise here, at the very end."""
        self.call = None
        self.failed_call = None
        self.failure = None
        try:
            if self.session is not None:
                self.session.end()
        finally:
            if self._guarded:
                self._engine.ticker.end()
            if self.shield is not None:
                self._unshield()

    def _unshield(self) -> None:
        shield, self.shield = self.shield, None
        if shield is not None:
            shield.end()

    def caller(self) -> CallContext:
        """Returns the frame of the running call, for a call that its guest makes to another entry.

        Raises:
            CallError: The guest is only starting.
        """
        if self.call is None or self.starting:
            raise CallError("the guest called another function while it was starting; only calls of it may do that")
        return self.call

    def interruption(self) -> PolycallError | None:
        """Returns what must end the running call now, or None."""
        return None if self.call is None else self.call.interruption()

    def error(self, found: EngineError) -> BaseException:
        """Returns what to raise for a call or start that the engine says has failed."""
        failure = self.failure
        if isinstance(failure, (ImportDeniedError, TrapError)):
            failure.guest_traceback = found.traceback
            return self._with_failed_call(failure)
        if isinstance(failure, PolycallError) or (failure is not None and not isinstance(failure, Exception)):
            return failure
        if failure is not None:
            internal = InternalError(f"a host function failed: {failure!r}")
            internal.__cause__ = failure
            return internal
        return self._with_failed_call(engine_error(found, self._memory_now(), self._engine.stack_bytes))

    def refused_allocation(self, message: str) -> PolycallError:
        """Returns the error of a guest that was asked to make room and said that there is none."""
        if self._memory_limit is None:
            return TrapError(message)
        return MemoryLimitError(message, hint=f"raise limits.max_memory_bytes, which is {self._memory_limit}")

    def lacks(self, size: int) -> bool:
        """Says whether a memory that is limited has no room for so many bytes more, as far as can be seen."""
        memory = self._memory_now()
        return memory is not None and memory._replace(wanted_bytes=size).full

    def _memory_now(self) -> MemoryState | None:
        if self._memory_limit is None:
            return None
        held = tuple(native.memory_size(self.context, memory) for memory in self.memories)
        return MemoryState(self._memory_limit, self._shares.running_bytes, held, self.wanted_bytes)

    def _with_failed_call(self, error: PolycallError) -> PolycallError:
        failed = self.failed_call
        if failed is None or self.call is None or not isinstance(error, (TrapError, ImportDeniedError)):
            return error
        text = f"{failed.message}; then, in {self.call.entry_id}: {error.message}"
        told = type(error)(text, hint=error.hint, guest_traceback=error.guest_traceback)
        told.frames = failed.frames
        told.__cause__ = failed
        return told

    @property
    def held_bytes(self) -> int:
        """How large its memories are; only while what `watch` was told of lives."""
        if self.closed:
            return 0
        return sum(native.memory_size(self.context, memory) for memory in self.memories)

    @property
    def closed(self) -> bool:
        """Whether it is freed: the collector, which keeps to no order, may have come to it before who uses it."""
        return self._address is None

    def close(self, held_bytes: int | None = None) -> None:
        """Frees the store and everything in it; harmless when repeated.

        Args:
            held_bytes: How large its memories are; None if nobody knows.
        """
        address, self._address = self._address, None
        self.handlers = None
        session, self.session = self.session, None
        try:
            if session is not None:
                session.close()
        finally:
            if address is not None:
                self._engine.ends.delete(address, held_bytes)
                self._engine.forget(self._key)

    def __del__(self) -> None:
        """Frees a store that nobody closed."""
        self.close()
