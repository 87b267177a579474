"""Instances of components: what a linked plan makes in a store, and the calls of its functions."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from polycall.interop.errors import PreparationError, TrapError
from polycall.interop.resources import ResourceState
from polycall.interop.values import Value
from polycall.wasm_runtime.canonical.handles import HandleCount, HandleTable, ResourceType, Task
from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.canonical.pieces import Pieces
from polycall.wasm_runtime.component.allocations import BATCH_SLOTS, batch_module
from polycall.wasm_runtime.component.calls import MAX_CHAIN, LiftedCall
from polycall.wasm_runtime.component.frames import Frame, Given
from polycall.wasm_runtime.component.handlers import Handlers, closed_error
from polycall.wasm_runtime.component.plan import (
    CoreExport,
    CoreHost,
    CoreRef,
    DefineResource,
    LiftedFunction,
)
from polycall.wasm_runtime.engine import native
from polycall.wasm_runtime.engine.core_calls import (
    EXTERN_BYTES,
    EXTERN_CONTENT,
    INSTANCE_BYTES,
    IS_FUNCTION,
    IS_MEMORY,
    CoreCall,
    instantiate,
)
from polycall.wasm_runtime.engine.native import Argument, Buffer, address_of, as_bytes, as_pointer, as_size
from polycall.wasm_runtime.engine.pace import Pace
from polycall.wasm_runtime.engine.stores import GuestStore

if TYPE_CHECKING:
    from polycall.wasm_runtime.component.linked_plan import LinkedPlan

__all__ = ["MEMORY", "ComponentInstance", "ModuleStep"]

_MEMORY = struct.Struct("<QI4xI4x")
"""A ``wasmtime_memory_t``."""
MEMORY = "memory"
"""What a core module calls its memory."""
_NO_MEMORY = GuestMemory(0, 0)
_NUMBER = struct.Struct("<I")
_WIDE = struct.Struct("<Q")


class ModuleStep(NamedTuple):
    """An instantiation of a plan, with what it needs at hand: its number, its module, what it imports, its memories."""

    core: int
    address: Argument
    given: Given
    memories: tuple[str, ...]


class ComponentInstance:
    """A component in a store. Used by one call at a time.

    Attributes:
        store: Where it lives.
        types: The resource types by slot.
        tables: The handles of each component instance.
        may_leave: Whether each component instance may call out at the moment.
        task: The call that runs, or None.
        entered: Whether a call has reached the guest since `call` was entered last.
        running: The component instances that each call on its way has entered, the outermost call first.
        may_batch: Whether calls of its allocators may follow each other without anything in between.
        memories: The addresses of the ``wasmtime_memory_t`` that its core instances export.
        pieces: What is being lowered. Only an allocator runs before it is empty again, and no allocator may call out.
        allocation: The task of such a call; each is one of its own.
        pace: Of all that crosses its borders. Whoever lifts or lowers begins it anew, and again when what it has called
            is back, which may have led to other calls.
        store_first: What these take first.
    """

    def __init__(self, linked: LinkedPlan, store: GuestStore) -> None:
        plan = linked.plan
        count = HandleCount()
        self.store = store
        self.types = linked.resource_types()
        self.tables = [HandleTable(count) for _ in plan.parents]
        self.may_leave = bytearray(b"\1") * len(plan.parents)
        self.task: Task | None = None
        self.entered = False
        self.running: list[tuple[int, ...]] = []
        self.may_batch = linked.may_batch
        self.memories: tuple[int, ...] = ()
        self.pieces = Pieces()
        self.allocation = Task()
        self.pace = Pace()
        self.store_first = (store,)
        self._known: dict[tuple[int, ...], None] = {}  # no set: the garbage collector does not see an empty dict
        self._linked = linked
        self._context = as_pointer(store.context)
        self._frame: Frame | None = linked.frames.take()
        self._cores = self._frame.cores
        self._externs: dict[CoreRef, int] = {}  # their addresses
        self._buffers: dict[int, Buffer] = {}  # of those that are not in the frame
        self._memories: dict[CoreExport, GuestMemory] = {}
        self._calls: dict[int, LiftedCall] = {}  # by the identity of the plan's functions: their hash takes long
        self._destructors: dict[CoreRef, CoreCall] = {}
        self._batches: dict[CoreRef, CoreCall] = {}
        store.handlers = self._handlers = Handlers(self, linked)

    # --- making it ---

    def instantiate(self, module: ModuleStep) -> None:
        """Makes a core instance."""
        frame, given = self._filled(module.given), module.given
        slot, core = frame.slots[given.first], frame.cores[module.core]
        instantiate(self.store, module.address, slot, given.how_many, core)
        for name in module.memories:
            self._add_memory(self._content(CoreExport(module.core, name), IS_MEMORY))

    def _filled(self, given: Given) -> Frame:
        """Returns the frame, with what a core module imports in it."""
        frame, context, cores = self._frame, self._context, self._cores
        if frame is None:
            raise closed_error()
        slots, contents = frame.slots, frame.contents
        look_up = native.instance_export
        for core, name, length, slot, text in given.exports:
            if not look_up(context, cores[core], name, length, slots[slot]):
                raise PreparationError(f"a core module has no export {text!r}")
        for index, slot in given.hosts:  # a slot that holds one never holds anything else: its kind is 0 from the start
            self._make_function(index, contents[slot])
        if given.copies:
            frame.copy(given.copies)
        return frame

    def _make_function(self, index: int, function: Argument) -> None:
        linked = self._linked
        environment = as_pointer(self.store.environment(index))
        callback = linked.engine.core_callback
        native.function_new(self._context, linked.functypes[index], callback, environment, None, function)

    def _add_memory(self, address: int) -> None:
        handle = _MEMORY.unpack(native.view(address, _MEMORY.size))
        if handle not in self._known:  # instances hand the memories that they were given on
            self._known[handle] = None
            self.memories = self.store.memories = (*self.memories, address)

    def define(self, step: DefineResource) -> None:
        """Gives a resource type its destructor."""
        resource_type = self.types[step.slot]
        if step.destructor is not None and resource_type.owner is not None:
            resource_type.destructor = partial(self._destroy, step.destructor)

    def _extern(self, ref: CoreRef) -> int:
        """Returns the address of a ``wasmtime_extern_t``; it is valid as long as this lives."""
        found = self._externs.get(ref)
        if found is None:
            if isinstance(ref, CoreHost):  # not in the frame: whose kind is 0 must never have been anything else
                found = self._buffer()
                self._make_function(ref.index, as_pointer(found + EXTERN_CONTENT))
            else:
                spare = None if self._frame is None else self._frame.spare(len(self._externs))
                found = self._buffer() if spare is None else spare
                self._look_up(self._cores[ref.instance], ref.name.encode(), found)
            self._externs[ref] = found
        return found

    def _buffer(self) -> int:
        made = Buffer(EXTERN_BYTES)
        self._buffers[made.address] = made
        return made.address

    def _look_up(self, core: Argument, name: bytes, extern: int) -> None:
        if not native.instance_export(self._context, core, as_bytes(name), as_size(len(name)), as_pointer(extern)):
            raise PreparationError(f"a core module has no export {name!r}")

    def memory(self, ref: CoreExport | None) -> GuestMemory:
        """Returns a memory; one that has nothing in it for None."""
        if ref is None:
            return _NO_MEMORY
        found = self._memories.get(ref)
        if found is None:
            found = self._memories[ref] = GuestMemory(self.store.context, self._content(ref, IS_MEMORY))
        return found

    def core_call(self, ref: CoreRef | None, slots: int) -> CoreCall:
        """Returns a core function, ready to be called."""
        if ref is None:
            raise TypeError("the plan names no function")
        return CoreCall(self.store, self._content(ref, IS_FUNCTION), slots)

    def batched(self, realloc: CoreRef | None) -> CoreCall:
        """Returns what calls an allocator many times; see `polycall.wasm_runtime.component.allocations`."""
        if realloc is None:
            raise TypeError("the plan names no allocator")
        found = self._batches.get(realloc)
        if found is None:
            module = self._linked.engine.own_module(batch_module())
            made, function = Buffer(INSTANCE_BYTES), Buffer(EXTERN_BYTES)
            core = as_pointer(made.address)
            # The engine checks here that what it is given is an allocator.
            given = as_pointer(self._extern(realloc))
            instantiate(self.store, as_pointer(address_of(module.ptr())), given, as_size(1), core)
            self._look_up(core, b"", function.address)
            self._buffers[function.address] = function
            found = self._batches[realloc] = CoreCall(self.store, function.address + EXTERN_CONTENT, BATCH_SLOTS)
        return found

    def _content(self, ref: CoreRef, kind: int) -> int:
        address = self._extern(ref)
        if native.byte_at(address) != kind:
            raise PreparationError(f"a core export is not of the kind that its component says: {ref}")
        return address + EXTERN_CONTENT

    def memory_of_caller(self, caller: int) -> GuestMemory:
        """Returns the memory that the one core module of a plan exports, while it starts as well; else an empty one."""
        ref = CoreExport(0, MEMORY)
        if ref in self._externs:  # what lies there is what others hold the address of
            return self.memory(ref)
        extern, name = Buffer(EXTERN_BYTES), MEMORY.encode()
        found = native.caller_export(caller, name, len(name), extern.address)
        if not found or native.byte_at(extern.address) != IS_MEMORY:
            return _NO_MEMORY
        self._externs[ref] = extern.address
        self._buffers[extern.address] = extern
        return self.memory(ref)

    # --- calls from the host ---

    def call(self, function: LiftedFunction, values: Sequence[Value]) -> Value:
        """Calls a function of the root component or of another component instance, from outside.

        Raises:
            ConversionError: The values do not fit; if `entered` is False, nothing of the guest was touched.
            PolycallError: The call failed.
        """
        self.entered = False
        if self._frame is None:
            raise closed_error()
        return (self._calls.get(id(function)) or self.lifted(function)).call(values)

    def drop(self, state: ResourceState) -> None:
        """Drops a resource that this instance gave away, and that is not gone.

        Raises:
            PolycallError: Its destructor failed.
        """
        state.gone = "it was dropped"
        self.destruct(state.type, state.rep, None)

    def slot_of(self, state: ResourceState) -> int:
        """Returns the slot of the type of a resource that this instance gave away."""
        return self.types.index(state.type)

    def lifted(self, function: LiftedFunction) -> LiftedCall:
        """Returns what calls a function of the guest's, made when it is first called."""
        call = self._calls.get(id(function))
        if call is None:
            codec = self._linked.codec(function, function.signature)
            call = self._calls[id(function)] = LiftedCall(self, function, codec)
        return call

    def entering(self, number: int, caller: int | None) -> tuple[int, ...]:
        """Returns the component instances that a call enters; see `LinkedPlan.entering`."""
        return self._linked.entering(number, caller)

    def check_entry(self, entering: tuple[int, ...]) -> None:
        """Raises if component instances must not be entered, which then are added to `running`.

        They are taken out of it when their call ends, but not after a failure, which is the end of the instance.

        Raises:
            TrapError: One of them runs already, or too many are on the way.
        """
        for entered in self.running:
            for number in entering:
                if number in entered:
                    raise TrapError("cannot enter component instance")
        if len(self.running) >= MAX_CHAIN:
            raise TrapError(f"more than {MAX_CHAIN} component instances call each other in a row")

    def destruct(self, resource_type: ResourceType, rep: Any, caller: int | None) -> None:
        """Ends a resource, which nobody has a handle of any more; the caller is None if that is the host."""
        if resource_type.owner is None:
            drop = getattr(rep, "drop", None)
            if drop is not None:
                drop()
            return
        entering = self.entering(resource_type.owner, caller)
        self.check_entry(entering)
        self.entered = True
        self.running.append(entering)
        if resource_type.destructor is not None:
            outer, self.task = self.task, Task()
            resource_type.destructor(rep)
            self.task = outer
        self.running.pop()

    def _destroy(self, destructor: CoreRef, rep: object) -> None:
        call = self._destructors.get(destructor)
        if call is None:  # most instances end without one
            call = self._destructors[destructor] = self.core_call(destructor, 1)
        _NUMBER.pack_into(call.raw, 0, rep)
        call.run()

    @property
    def is_open(self) -> bool:
        """Whether it is not closed."""
        return self._frame is not None

    def close(self) -> None:
        """Lets go of the store's memory, before the store is deleted; harmless when repeated."""
        for memory in self._memories.values():
            memory.close()
        self.running = [tuple(range(len(self.tables)))]  # nothing may enter: a call would reach into freed memory
        self._calls.clear()
        self._destructors.clear()
        self._batches.clear()
        self._handlers.close()
        self._memories.clear()
        self._externs.clear()  # they lie in the frame, which is another instance's next
        frame, self._frame, self._cores = self._frame, None, ()
        if frame is not None:
            self._linked.frames.give_back(frame)
