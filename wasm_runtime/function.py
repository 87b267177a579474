"""What components and core modules have in common: the prepared function, and an instance with its call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from polycall.interop.context import CallContext
from polycall.interop.errors import (
    CancelledError,
    DeadlineError,
    InternalError,
    MemoryLimitError,
    PolycallError,
    raise_if,
)
from polycall.interop.start_up import start_frame, start_interruption, start_seconds
from polycall.interop.values import Value
from polycall.wasm_runtime.engine.memory_shares import MOST_MEMORIES, Shares, shares
from polycall.wasm_runtime.engine.pace import Pace
from polycall.wasm_runtime.engine.stores import GuestStore, WasmEngine
from polycall.wasm_runtime.engine.traps import TooManyMemoriesError
from polycall.wasm_runtime.import_links import ImportedInterface, import_needs, refuse_strictly
from polycall.wasm_runtime.programs import CompiledProgram
from polycall.wasm_runtime.spec import WasmProgram
from polycall.wasm_runtime.wit.signature import ArgumentCheck, Signature

__all__ = ["WasmFunction", "WasmInstance"]


class WasmFunction(ABC):
    """An entry compiled, linked and checked. Shared by threads.

    Attributes:
        entry_id: ``namespace:name``.
        language: ``wasm``.
        signature: Its parameters and result.
        is_component: Whether it is a component; only those can be given host functions.
        imports: The interfaces (or core modules) that a host must stand behind.
    """

    language = "wasm"
    is_component: ClassVar[bool]

    def __init__(
        self,
        engine: WasmEngine,
        compiled: CompiledProgram,
        program: WasmProgram,
        signature: Signature,
        imports: Sequence[ImportedInterface],
    ) -> None:
        self.entry_id = program.entry_id
        self.signature = signature
        self.imports = import_needs(imports, program.grants, is_component=self.is_component)
        self.check_arguments = ArgumentCheck(signature)
        self._engine = engine
        self.limits = program.limits
        self.call_seconds = program.limits.execution_seconds
        self._compiled = compiled
        self._times = 1
        raise_if(refuse_strictly(self.imports) if program.strict_imports else None)

    def payload_arguments(self, payload: str | bytes) -> Sequence[Value]:
        """Returns the arguments that a payload stands for; see `Signature.payload_form`."""
        return self.signature.payload_form.arguments(payload)

    def instantiate(self, context: CallContext | None = None) -> WasmInstance:
        """Makes a fresh instance in a store of its own; see `polycall.interop.protocols.Function`.

        Raises:
            PolycallError: The guest's start code trapped or took too long, the call that waits is over, or the guest
                needs more memory than it may have.
        """
        while True:
            times = self._times
            try:
                return self._instantiate(times, context)
            except TooManyMemoriesError:
                # A component may make several instances of a module. How many shows only now; the limit is then shared
                # out among that many, here and in every later instance. Doubled: it must not start a thousand times.
                if self.limits.max_memory_bytes is None or times >= MOST_MEMORIES:
                    raise
                self._times = 2 * times

    def _instantiate(self, times: int, context: CallContext | None) -> WasmInstance:
        limit = self.limits.max_memory_bytes
        store = self._engine.new_store(limit, self._shares(limit, times))
        store.enters_host = bool(self.imports)
        seconds = start_seconds(self.limits)
        store.begin(start_frame(self.entry_id, self.language, seconds, context), starting=True)
        try:
            instance = self._start(store)
        except BaseException as error:
            store.end()
            store.close()
            self.own(error)
            if isinstance(error, (CancelledError, DeadlineError)):
                raise start_interruption(self.entry_id, seconds, context) from None
            raise
        store.end()
        return instance

    def _shares(self, limit: int | None, times: int) -> Shares:
        try:
            return shares(limit, self._compiled.footprint, times)
        except MemoryLimitError as error:
            self.own(error)
            raise

    def own(self, error: BaseException) -> None:
        """Says in an error whose it is, unless that is said already."""
        if isinstance(error, PolycallError) and error.entry_id is None:
            error.entry_id = self.entry_id

    @abstractmethod
    def _start(self, store: GuestStore) -> WasmInstance:
        """Instantiates the guest in a store."""


class WasmInstance(ABC):
    """One store with one guest instance. It serves one call at a time.

    Attributes:
        poisoned: True once a call did not come to its normal end: the guest's state is then unknown.
    """

    def __init__(self, function: WasmFunction, store: GuestStore) -> None:
        self.poisoned = False
        self._function = function  # it keeps the host functions alive that the store points to
        self._store = store
        self._check = function.check_arguments
        self._pace = Pace()

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        """Runs the function; blocks the thread until it ends, traps or is interrupted.

        Raises:
            ConversionError: The arguments do not fit; the instance stays good.
            PolycallError: The call failed; the instance is poisoned.
        """
        if self.poisoned:
            raise InternalError("this instance must not be used again", entry_id=self._function.entry_id)
        if self._function.call_seconds is not None:
            context.limit(self._function.call_seconds)
        self._pace.begin(context)
        values = self._check(arguments, self._pace)
        store = self._store
        store.begin(context)
        try:
            return self._invoke(values)
        except BaseException as error:
            self.poisoned = True
            self._function.own(error)
            raise
        finally:
            store.end()

    @abstractmethod
    def _invoke(self, values: Iterable[Value]) -> Value:
        """Lowers checked arguments, calls the guest and lifts its result."""

    def close(self) -> None:
        """Frees the guest's memory; harmless when repeated."""
        self.poisoned = True
        self._store.close()
