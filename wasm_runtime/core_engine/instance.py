"""Instances of core modules of the project's own: made, and brought back to their beginning."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NamedTuple

from polycall.interop.errors import InternalError, PreparationError
from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.core_engine.links import CoreLinks, Place, Step
from polycall.wasm_runtime.engine import native
from polycall.wasm_runtime.engine.core_calls import (
    EXTERN_BYTES,
    EXTERN_CONTENT,
    INSTANCE_BYTES,
    IS_MEMORY,
    instantiate,
)
from polycall.wasm_runtime.engine.native import (
    HOST_CALLBACK,
    PAGE_BYTES,
    Argument,
    Buffer,
    address_of_callback,
    as_pointer,
    as_size,
    wipe,
)
from polycall.wasm_runtime.engine.stores import GuestStore

if TYPE_CHECKING:
    from polycall.wasm_runtime.core_engine.guest import WasmCoreGuest

__all__ = ["Beginning", "CoreInstance"]

_MEMORY = "memory"


class Beginning(NamedTuple):
    """A memory as its first guest finds it: zero, but for one part.

    Attributes:
        at: Where those begin that are not zero: at a page of the system's.
        content: Those bytes, in whole pages.
    """

    at: int
    content: bytes

    @classmethod
    def of(cls, whole: bytes) -> Beginning:
        """Returns what it takes to make a memory again that has this content."""
        at = (len(whole) - len(whole.lstrip(b"\0"))) // PAGE_BYTES * PAGE_BYTES
        end = -(-len(whole.rstrip(b"\0")) // PAGE_BYTES) * PAGE_BYTES
        return cls(at, whole[at:end])


class CoreInstance:
    """A store and the instances in it. Used by one thread at a time.

    Attributes:
        store: Where it lives.
        links: What it consists of.
        memory: The memory that it exports; of one that exports none, an empty one.
        guest: Who has it.
    """

    def __init__(self, store: GuestStore, links: CoreLinks) -> None:
        """Makes one without instances.

        Args:
            store: Where it lives.
            links: What it consists of.
        """
        self.store = store
        self.links = links
        self.memory = GuestMemory(0, 0)
        self.guest: WasmCoreGuest | None = None
        self._cores = Buffer(INSTANCE_BYTES * len(links.steps))
        self._externs: dict[str, Buffer] = {}
        store.is_exposed = False
        serving = _serving(self)
        next(serving)
        self._callback: Any = HOST_CALLBACK(serving.__next__)

    def instantiate(self) -> None:
        """Makes the instances; `GuestStore.begin` has been called.

        Raises:
            PolycallError: One did not start.
        """
        for core, step in enumerate(self.links.steps):
            self._instantiate(step, self._core(core))
        if _MEMORY in self.links.exports:
            memory = self.extern(_MEMORY, self.links.exports[_MEMORY])
            if native.byte_at(memory.address) != IS_MEMORY:
                raise PreparationError('the export "memory" is none')
            self.memory = GuestMemory(self.store.context, memory.address + EXTERN_CONTENT)
            self.memory.whole()
            self.store.watch([memory.address + EXTERN_CONTENT])

    def _instantiate(self, step: Step, made: Argument) -> None:
        given = Buffer(EXTERN_BYTES * len(step.imports))
        for slot, place in enumerate(step.imports):
            address = given.address + slot * EXTERN_BYTES
            if place is None:  # the kind of a slot is 0 from the start: a function
                self._make_host_function(as_pointer(address + EXTERN_CONTENT))
            else:
                self._look_up(place, as_pointer(address))
        instantiate(self.store, step.module, as_pointer(given.address), as_size(len(step.imports)), made)

    def _make_host_function(self, function: Argument) -> None:
        context, callback = as_pointer(self.store.context), as_pointer(address_of_callback(self._callback))
        native.function_new(context, self.links.host_type, callback, None, None, function)

    def _core(self, number: int) -> Argument:
        return as_pointer(self._cores.address + number * INSTANCE_BYTES)

    def extern(self, name: str, place: Place) -> Buffer:
        """Returns the ``wasmtime_extern_t`` of an export."""
        found = self._externs.get(name)
        if found is None:
            found = self._externs[name] = Buffer(EXTERN_BYTES)
            self._look_up(place, as_pointer(found.address))
        return found

    def _look_up(self, place: Place, extern: Argument) -> None:
        context = as_pointer(self.store.context)
        if not native.instance_export(context, self._core(place.core), place.name, place.length, extern):
            raise InternalError("a core module has lost an export")

    def rewind(self, beginning: Beginning) -> None:
        """Makes the memory as its first guest found it; one that has grown is zero from there on."""
        view = self.memory.whole()
        start, end = beginning.at, beginning.at + len(beginning.content)
        # A call changes most pages that are not zero, and to have one mapped anew takes longer than to copy it.
        view[start:end] = beginning.content
        wipe(self.memory.address, start)
        wipe(self.memory.address + end, self.memory.size - end)

    def close(self) -> None:
        """Frees it, with its memory."""
        held_bytes = None if self.store.closed else len(self.memory.whole())
        self.memory.close()
        self.store.close(held_bytes)
        self._callback = None


def _serving(instance: CoreInstance) -> Generator[int | None, None, None]:
    """Serves the calls of a guest: the engine calls the ``__next__`` of this, and what is yielded goes to the engine.

    A function of Python would begin outside of its ``try``, and there a signal's handler may raise already; the engine
    would then take whatever lies in the place of a result for a pointer. A generator goes on where it is: inside.
    """
    store = instance.store
    trap: int | None = native.host_failed_trap()  # made beforehand: a failure must not call anything
    try:
        while True:
            yield None
            shield = store.shield
            if shield is not None:
                shield.open()
            guest = instance.guest
            if guest is None:
                raise InternalError("a core module called its host while no guest had it")
            guest.takes_calls = False
            guest.host()
            guest.takes_calls = True
            guest = None  # it must not live on in here
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
