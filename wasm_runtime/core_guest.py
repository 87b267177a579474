"""An instance of core modules of the project's own; see `polycall.interop.core_engine.CoreGuest`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.core_engine import HostFunction
from polycall.interop.errors import InternalError, MissingExportError, PreparationError
from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.core_links import CoreLinks, Numbers, Place, Step
from polycall.wasm_runtime.engine import native
from polycall.wasm_runtime.engine.core_calls import (
    EXTERN_BYTES,
    EXTERN_CONTENT,
    INSTANCE_BYTES,
    IS_MEMORY,
    CoreCall,
    instantiate,
)
from polycall.wasm_runtime.engine.native import (
    HOST_CALLBACK,
    Argument,
    Buffer,
    address_of_callback,
    as_pointer,
    as_size,
)
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

__all__ = ["WasmCoreGuest"]

_MEMORY = "memory"


class WasmCoreGuest:
    """A store and the instances in it. Used by one thread at a time.

    Attributes:
        memory: The memory that it exports; of one that exports none, an empty one.
    """

    def __init__(self, engine: WasmEngine, store: GuestStore, links: CoreLinks, host: HostFunction) -> None:
        """Makes one without instances.

        Args:
            engine: Where it runs.
            store: Where it lives.
            links: What it consists of.
            host: Answers its calls.
        """
        self.memory = GuestMemory(0, 0)
        self._store: GuestStore | None = store
        self._links = links
        self._cores = Buffer(INSTANCE_BYTES * len(links.steps))
        self._memory: Buffer | None = None
        store.is_exposed = False
        serving = _serving(store, host)
        next(serving)
        self._callback: Any = HOST_CALLBACK(serving.__next__)

    def instantiate(self) -> None:
        """Makes the instances; `begin` has been called.

        Raises:
            PolycallError: One did not start.
        """
        store = self._open()
        for core, step in enumerate(self._links.steps):
            self._instantiate(store, step, self._core(core))
        if _MEMORY in self._links.exports:
            self._memory = self._extern(store, self._links.exports[_MEMORY])
            if native.byte_at(self._memory.address) != IS_MEMORY:
                raise PreparationError('the export "memory" is none')
            self.memory = GuestMemory(store.context, self._memory.address + EXTERN_CONTENT)
            self.memory.ends_before(1)  # has it looked at
            store.watch([self._memory.address + EXTERN_CONTENT])

    def _instantiate(self, store: GuestStore, step: Step, made: Argument) -> None:
        given = Buffer(EXTERN_BYTES * len(step.imports))
        for slot, place in enumerate(step.imports):
            address = given.address + slot * EXTERN_BYTES
            if place is None:  # the kind of a slot is 0 from the start: a function
                self._make_host_function(store, as_pointer(address + EXTERN_CONTENT))
            else:
                self._look_up(store, place, as_pointer(address))
        instantiate(store, step.module, as_pointer(given.address), as_size(len(step.imports)), made)

    def _make_host_function(self, store: GuestStore, function: Argument) -> None:
        context, callback = as_pointer(store.context), as_pointer(address_of_callback(self._callback))
        native.function_new(context, self._links.host_type, callback, None, None, function)

    def _core(self, number: int) -> Argument:
        return as_pointer(self._cores.address + number * INSTANCE_BYTES)

    def _extern(self, store: GuestStore, place: Place) -> Buffer:
        extern = Buffer(EXTERN_BYTES)
        self._look_up(store, place, as_pointer(extern.address))
        return extern

    def _look_up(self, store: GuestStore, place: Place, extern: Argument) -> None:
        context = as_pointer(store.context)
        if not native.instance_export(context, self._core(place.core), place.name, place.length, extern):
            raise InternalError("a core module has lost an export")

    def function(self, name: str) -> Callable[..., Any]:
        """Returns a function that it exports; see `polycall.interop.core_engine.CoreGuest.function`."""
        place = self._links.exports.get(name)
        if place is None or place.numbers is None:
            raise MissingExportError(f'a core module exports no function "{name}" of numbers')
        store = self._open()
        return _Function(store, self._extern(store, place), place.numbers)

    @property
    def worn(self) -> bool:
        """Whether its memory has grown so far that a fresh guest should take its place."""
        return self._open().wear.worn

    def begin(self, context: CallContext) -> None:
        """Makes ready for a call; `end` must follow."""
        store = self._store
        (self._open() if store is None else store).begin(context)

    def end(self) -> None:
        """Ends what `begin` began; a signal that came in the meantime may raise here."""
        store = self._store
        (self._open() if store is None else store).end()

    def _open(self) -> GuestStore:
        if self._store is None:
            raise InternalError("a guest was used after its end")
        return self._store

    def close(self) -> None:
        """Gives the memory back; harmless when repeated."""
        store, self._store = self._store, None
        if store is not None:
            store.takes_calls = False
            self.memory.close()
            store.close()
            self._callback = None


class _Function(CoreCall):
    """A function of a guest that takes and gives numbers."""

    __slots__ = ("_extern", "_pack", "_results")

    def __init__(self, store: GuestStore, extern: Buffer, numbers: Numbers) -> None:
        super().__init__(store, extern.address + EXTERN_CONTENT, numbers.slots)
        self._extern = extern  # where the engine reads which function it is
        self._pack = numbers.parameters.pack_into
        self._results = None if numbers.result is None else memoryview(self.raw).cast(numbers.result)

    def __call__(self, *arguments: int | float) -> Any:
        store, raw = self._store, self.raw
        if not store.takes_calls:  # nothing may reach into freed memory, or into a generator that runs
            raise InternalError("a guest was called after its end, or while its host answers it")
        self._pack(raw, 0, *arguments)
        try:
            self.run()
        except BaseException:
            store.takes_calls = False
            raise
        return None if self._results is None else self._results[0]


def _serving(store: GuestStore, host: HostFunction) -> Generator[int | None, None, None]:
    """Serves the calls of a guest: the engine calls the ``__next__`` of this, and what is yielded goes to the engine.

    A function of Python would begin outside of its ``try``, and there a signal's handler may raise already; the engine
    would then take whatever lies in the place of a result for a pointer. A generator goes on where it is: inside.
    """
    trap: int | None = native.host_failed_trap()  # made beforehand: a failure must not call anything
    try:
        while True:
            yield None
            shield = store.shield
            if shield is not None:
                shield.open()
            store.takes_calls = False
            host()
            store.takes_calls = True
            if shield is not None:
                shield.holding = True
    except GeneratorExit:
        native.trap_delete(trap)
        return
    except BaseException as failure:  # noqa: BLE001 - Ctrl-C lands here too; nothing may unwind through the engine
        if store.shield is not None:
            store.shield.holding = True
        store.failure = failure
    yield trap  # no loop and no call since the failure: one more handler finds no place to raise
