"""A WebAssembly entry made ready to call, and an instance of it with its call: components and core modules alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import (
    CancelledError,
    ConversionError,
    DeadlineError,
    ExitError,
    ImportDeniedError,
    InternalError,
    MemoryLimitError,
    PolycallError,
    raise_if,
)
from polycall.interop.host_traffic import HostCounter, HostTraffic
from polycall.interop.protocols import Function
from polycall.interop.resources import ResourceState
from polycall.interop.services import Services
from polycall.interop.start_up import start_frame, start_interruption, start_seconds
from polycall.interop.values import Value
from polycall.wasm_runtime.component.instance import ComponentInstance
from polycall.wasm_runtime.component.linked_plan import LinkedPlan
from polycall.wasm_runtime.component.plan import Instantiate, LiftedFunction, Plan
from polycall.wasm_runtime.engine.footprint import MOST_UNWATCHED, Footprint
from polycall.wasm_runtime.engine.memory_shares import MOST_MEMORIES, Shares, shares
from polycall.wasm_runtime.engine.stores import GuestStore, StoreSession
from polycall.wasm_runtime.engine.traps import TooManyMemoriesError
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine
from polycall.wasm_runtime.exports import commands
from polycall.wasm_runtime.granted_host import GrantedHost, refuse_strictly
from polycall.wasm_runtime.methods import ResourceMethods, refuse_resources_of_hosts, takes_or_gives_resources
from polycall.wasm_runtime.programs import CompiledProgram
from polycall.wasm_runtime.spec import WasmProgram
from polycall.wasm_runtime.wasi.console import Console
from polycall.wasm_runtime.wasi.session import Session

__all__ = ["WasmFunction", "WasmInstance"]


class WasmFunction:
    """An entry compiled, linked and checked. Shared by threads.

    Attributes:
        entry_id: ``namespace:name``.
        language: ``wasm``.
        signature: Its parameters and result.
        imports: The interfaces (or core modules) that a host must stand behind.
        exports: All that the program exports.
        has_resources: Whether it takes or gives resources.
        runs_once: Whether an instance of it serves one call alone: a command leaves it at its end.
    """

    language = "wasm"

    def __init__(
        self,
        engine: WasmEngine,
        program: WasmProgram,
        compiled: CompiledProgram,
        *,
        plan: Plan,
        export: LiftedFunction,
        host: GrantedHost,
        services: Services | None = None,
        closing: Cancellation | None = None,
    ) -> None:
        """Links an entry.

        Args:
            engine: Where its instances run.
            program: The entry.
            compiled: Its machine code.
            plan: What its instances do.
            export: The function that its ``method`` names.
            host: What stands behind its imports.
            services: Where its variables and folders come from.
            closing: Goes on when its guests may not wait any more.

        Raises:
            ImportDeniedError: With ``strict_imports``, the guest needs more than is granted.
            PreparationError: It imports a function with another signature than the host's.
        """
        self.entry_id = program.entry_id
        self.signature = export.signature
        self.imports = host.needs(plan.imports, is_component=compiled.plan is not None)
        raise_if(refuse_strictly(self.imports) if program.strict_imports else None)
        self.limits = program.limits
        self.call_seconds = program.limits.execution_seconds
        self.export = export
        self.exports = plan.exports
        self._traffic = HostCounter()
        self.has_resources = takes_or_gives_resources(export.signature)
        if self.has_resources:
            refuse_resources_of_hosts(export.signature, plan)
        self._program = program
        self._services = services
        self.runs_once = any(each is export for each in commands(plan.exports))
        self._closing = closing
        self._has_session = any(group.startswith("wasi") for group in program.grants)
        self._methods = ResourceMethods(plan)
        self._engine = engine
        self._compiled = compiled
        self._linked = LinkedPlan(engine, plan, compiled.modules, host)
        self._is_watched_at_start = (
            compiled.footprint.busy_at_start
            or self._linked.initializes
            or _filling(plan, compiled.footprint) > MOST_UNWATCHED
        )
        self._times = 1

    def payload_arguments(self, payload: str | bytes) -> Sequence[Value]:
        """Returns the arguments that a payload stands for; see `Signature.payload_form`."""
        return self.signature.payload_form.arguments(payload)

    def instantiate(self, context: CallContext | None = None, console: Console | None = None) -> WasmInstance:
        """Makes a fresh instance in a store of its own; see `polycall.interop.protocols.Function`.

        Args:
            context: The call that waits for it, if there is one.
            console: What stands behind stdin, stdout and stderr, if not the entry's log.

        Raises:
            PolycallError: The guest's start code trapped or took too long, the call that waits is over, or the guest
                needs more memory than it may have.
        """
        while True:
            times = self._times
            try:
                return self._instantiate(times, context, console)
            except TooManyMemoriesError:
                # A component may make several instances of a module. How many shows only now; the limit is then shared
                # out among that many, here and in every later instance. Doubled: it must not start a thousand times.
                if self.limits.max_memory_bytes is None or times >= MOST_MEMORIES:
                    raise
                self._times = 2 * times

    def shares_instances_with(self, other: Function) -> bool:
        """Says whether an instance of one may run the other's function; see `Function.shares_instances_with`."""
        if not isinstance(other, WasmFunction) or self._compiled is not other._compiled:
            return False
        own = self._program
        return replace(other._program, entry_id=own.entry_id, code=own.code, method=own.method) == own

    def methods(self, slot: int) -> dict[str, tuple[LiftedFunction, bool]]:
        """Returns what resources of a slot can do; see `ResourceInstance.methods`."""
        return self._methods.of(slot)

    def _instantiate(self, times: int, context: CallContext | None, console: Console | None) -> WasmInstance:
        limit = self.limits.max_memory_bytes
        store = self._engine.new_store(limit, self._shares(limit, times))
        store.enters_host = self._linked.enters_host
        if self._has_session:
            store.session = Session(self._program, self._services, console, self._closing)
        seconds = start_seconds(self.limits)
        if self._is_watched_at_start:  # else nothing of the guest's runs before its first call, and the rest is short
            store.begin(start_frame(self.entry_id, self.language, seconds, context), starting=True)
        try:
            instance = self._start(store)
        except BaseException as error:
            store.end()
            store.close()
            self.own(error)
            if isinstance(error, ExitError):  # even with 0: there is nothing that could be called
                error.message = f"its start-up code has ended it: {error.message}"
            if isinstance(error, (CancelledError, DeadlineError)):
                raise start_interruption(self.entry_id, seconds, context) from None
            raise
        if self._is_watched_at_start:
            store.end()
        return instance

    def _shares(self, limit: int | None, times: int) -> Shares:
        try:
            return shares(limit, self._compiled.footprint, times)
        except MemoryLimitError as error:
            self.own(error)
            raise

    def host_traffic(self) -> HostTraffic:
        """Returns what its guests had their host do so far."""
        return self._traffic.snapshot()

    def count(self, store: GuestStore, refusals: int) -> None:
        """Counts what the guest had its host do in a call."""
        calls, store.host_calls = store.host_calls, 0
        session = store.session
        if isinstance(session, Session):
            moved = session.take_traffic()
            self._traffic.add(calls, moved.bytes_in, moved.bytes_out, moved.refusals + refusals)
        else:
            self._traffic.add(calls, 0, 0, refusals)

    def own(self, error: BaseException) -> None:
        """Says in an error whose it is, unless that is said already."""
        if isinstance(error, PolycallError) and error.entry_id is None:
            error.entry_id = self.entry_id

    def _start(self, store: GuestStore) -> WasmInstance:
        instance = self._linked.instantiate(store)
        return WasmInstance(self, store, instance)


def _filling(plan: Plan, footprint: Footprint) -> int:
    """Returns the `Footprint.filling` of all core instances that an instance is made of."""
    if not plan.footprints:  # a core module
        return footprint.filling
    return sum(plan.footprints[step.module].filling for step in plan.steps if isinstance(step, Instantiate))


class WasmInstance:
    """One store with one guest instance. It serves one call at a time.

    Attributes:
        poisoned: True once a call did not come to its normal end, for the guest's state is then unknown; or once its
            memories have grown so far that a fresh instance should take its place.
    """

    __slots__ = ("_function", "_guest", "_store", "poisoned")

    def __init__(self, function: WasmFunction, store: GuestStore, guest: ComponentInstance) -> None:
        self.poisoned = False
        self._function = function
        self._store = store
        self._guest = guest

    def call(
        self,
        arguments: Sequence[Value],
        context: CallContext,
        export: LiftedFunction | None = None,
        finish: Callable[[StoreSession | None], None] | None = None,
    ) -> Value:
        """Runs the function; blocks the thread until it ends, traps or is interrupted.

        Args:
            arguments: Plain values and handles.
            context: Of the call.
            export: Another function of the same program; None for the entry's own.
            finish: What is done with the instance's session when the guest has come to its end by itself.

        Raises:
            ConversionError: The arguments do not fit; the instance stays good.
            PolycallError: The call failed; the instance is poisoned.
        """
        function, store = self._function, self._store
        if self.poisoned or function.call_seconds is not None:
            self._ready(context)
        store.begin(context)
        refusals = 0
        try:
            value = self._guest.call(export or function.export, arguments)
            for held, bound in store.wear:
                if held() > bound:
                    self.poisoned = True
            if function.runs_once:
                self.poisoned = True
            if finish is not None:
                finish(store.session)
            return value
        except ExitError as error:
            self.poisoned = True
            others = error.entry_id is not None  # of an entry that it called
            function.own(error)
            if finish is not None and not others:
                finish(store.session)
            if others or error.exit_status:
                raise
            return None
        except BaseException as error:
            # What does not fit is found before anything of the guest is touched.
            self.poisoned = self._guest.entered or not isinstance(error, ConversionError)
            refusals = isinstance(error, ImportDeniedError)
            function.own(error)
            raise
        finally:
            store.end()
            if store.host_calls:
                function.count(store, refusals)

    def _ready(self, context: CallContext) -> None:
        """Refuses an instance that is no good any more; gives a call the time that its entry may take."""
        function = self._function
        if self.poisoned:
            raise InternalError("this instance must not be used again", entry_id=function.entry_id)
        if function.call_seconds is not None:
            context.limit(function.call_seconds)

    def methods(self, state: ResourceState) -> dict[str, tuple[LiftedFunction, bool]]:
        """Returns what a resource can do; see `polycall.interop.protocols.ResourceInstance`."""
        return self._function.methods(self._guest.slot_of(state))

    def drop(self, state: ResourceState, context: CallContext) -> None:
        """Runs the destructor of a resource, which is gone from then on.

        Raises:
            PolycallError: It failed; the instance is poisoned.
        """
        function, store = self._function, self._store
        self._ready(context)
        store.begin(context)
        try:
            self._guest.drop(state)
        except BaseException as error:
            self.poisoned = True
            if isinstance(error, ExitError) and error.entry_id is None and not error.exit_status:
                return
            function.own(error)
            raise
        finally:
            store.end()

    def close(self) -> None:
        """Frees the guest's memory; harmless when repeated."""
        self.poisoned = True
        held_bytes = self._store.held_bytes if self._guest.is_open else None
        self._guest.close()
        self._store.close(held_bytes)
