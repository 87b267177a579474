"""Calls across the border: of a function that a guest exports, and of one that the host gives to a guest.

Specification: Canonical ABI, ``canon lift`` and ``canon lower``. Functions of guests are called without the engine's
check of types, so nothing here is reached unless the core types are those that the types of the component ask for
(`polycall.wasm_runtime.component.planner` and `LinkedPlan` see to that).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from operator import add, mod
from typing import TYPE_CHECKING, Any

from polycall.interop.errors import ConversionError, LimitError, TrapError
from polycall.interop.resources import ResourceState, state_of
from polycall.interop.values import Value
from polycall.wasm_runtime.canonical.codec import Codec
from polycall.wasm_runtime.canonical.handles import Handle, Task, checked
from polycall.wasm_runtime.canonical.pieces import Pieces
from polycall.wasm_runtime.component.allocations import FEWEST, run_batch
from polycall.wasm_runtime.engine.core_calls import CoreCall
from polycall.wasm_runtime.engine.native import SLOT_BYTES
from polycall.wasm_runtime.engine.pace import AT_ONCE, MAX_LIFTED_BYTES
from polycall.wasm_runtime.wit.wit_types import HandleType

if TYPE_CHECKING:
    from polycall.wasm_runtime.component.instance import ComponentInstance
    from polycall.wasm_runtime.component.plan import LiftedFunction, LoweredFunction, Options
    from polycall.wasm_runtime.engine.stores import GuestStore

__all__ = ["Border", "LiftedCall", "LoweredCall"]

MAX_CHAIN = 64
"""How many component instances of one component may call each other in a row: each costs native stack."""

_MAX_BYTES = 2**28 - 1
_POINTER = struct.Struct("<I")
_SLOT = struct.Struct(f"{SLOT_BYTES}s")
_TWO = struct.Struct("<I12xI12x")
_FOUR = struct.Struct("<I12xI12xI12xI12x")
_REALLOC, _SIZE_AND_ALIGNMENT = 4, 2
"""How many parameters allocators take; see `Options`."""


class Border:
    """What a lifted or lowered function is: it moves values by memory, allocator and table. See `Crossing`.

    Attributes:
        memory: Where the guest's values lie.
        pace: The clock and the budget of the call.
        short: See `Crossing`.
        number: The component instance on the guest's side.
        has_lent: Whether there is something for `end` to do.
    """

    __slots__ = (
        "_instance",
        "_lenders",
        "_lent",
        "_options",
        "_realloc",
        "_task",
        "has_lent",
        "memory",
        "number",
        "pace",
        "short",
    )

    def __init__(self, instance: ComponentInstance, options: Options, number: int, task: Task | None = None) -> None:
        """Makes one.

        Args:
            instance: Whose border it is.
            options: How values cross.
            number: The component instance on the guest's side.
            task: What borrows that are lowered belong to.
        """
        self._instance = instance
        self._options = options
        self._realloc: CoreCall | None = None
        self._task = task
        self._lenders: list[Handle | ResourceState] | None = None
        self._lent: list[ResourceState] | None = None
        self.memory = instance.memory(options.memory)
        self.pace = instance.pace
        self.short = 0
        self.number = number
        self.has_lent = False

    def end(self) -> None:
        """Gives back what was lent for the call."""
        lenders, lent, self._lenders, self._lent = self._lenders, self._lent, None, None
        for lender in lenders or ():
            lender.lends -= 1
        for handle in lent or ():
            handle.gone = "the call that it was lent to has ended"
        self.has_lent = False

    def allocate(self, wanted: Sequence[tuple[int, int]]) -> list[int]:
        """Has the guest make room; see `Crossing.allocate`."""
        instance, number = self._instance, self.number
        if len(wanted) < FEWEST or self._options.realloc_parameters != _REALLOC or not instance.may_batch:
            return [self.allocate_one(size, boundary) for size, boundary in wanted]
        outer, instance.task = instance.task, instance.allocation
        instance.may_leave[number] = False
        addresses = self._allocated_in_a_row(wanted)
        instance.may_leave[number] = True
        instance.task = outer
        return addresses

    def allocate_one(self, size: int, boundary: int) -> int:
        """Has the guest make room; see `Crossing.allocate_one`."""
        if size > _MAX_BYTES:
            _check_size(size)
        parameters = self._options.realloc_parameters
        if not size and parameters != _REALLOC:
            return boundary  # no one's memory, but not null either; what such allocators do with nothing, nobody says
        instance, number = self._instance, self.number
        task = instance.allocation
        realloc = self._realloc
        if realloc is None:
            realloc = self._realloc = instance.core_call(self._options.realloc, parameters)
        raw = realloc.raw
        if parameters == _REALLOC:
            _FOUR.pack_into(raw, 0, 0, 0, boundary, size)
        elif parameters == _SIZE_AND_ALIGNMENT:
            _TWO.pack_into(raw, 0, size, boundary)
        else:
            _POINTER.pack_into(raw, 0, size)
        store = instance.store
        task.slots = None
        outer, instance.task = instance.task, task
        instance.may_leave[number] = False
        store.wanted_bytes = size
        realloc.run()
        store.wanted_bytes = 0  # if it failed, the instance is not used again
        instance.may_leave[number] = True
        instance.task = outer
        (address,) = _POINTER.unpack_from(raw)
        if not address or address % boundary or address + size > self.memory.size:  # or a memory that has grown
            self._check(address, size, boundary)
        return int(address)

    def _allocated_in_a_row(self, wanted: Sequence[tuple[int, int]]) -> list[int]:
        sizes = [size for size, _ in wanted]
        largest = max(sizes)
        _check_size(largest)
        store, memory = self._instance.store, self.memory
        store.wanted_bytes = largest
        addresses = run_batch(self._instance.batched(self._options.realloc), wanted)
        store.wanted_bytes = 0
        # Judged in C, and only what is wrong one by one.
        misplaced = any(map(mod, addresses, (boundary for _, boundary in wanted)))
        if misplaced or not all(addresses) or memory.ends_before(max(map(add, addresses, sizes))):
            for (size, boundary), address in zip(wanted, addresses, strict=True):
                self._check(address, size, boundary)
        return addresses

    def _check(self, address: int, size: int, boundary: int) -> None:
        store = self._instance.store
        if size and (not address or (self.memory.ends_before(address + size) and store.lacks(size))):
            raise store.refused_allocation(f"the guest's allocator has no room for {size} bytes")
        self.memory.fence(address, size, "what the guest's allocator returned", boundary)

    def lower_handles(self, handles: Sequence[tuple[HandleType, object]]) -> list[int]:
        """Puts handles into the guest's table; see `Crossing.lower_handles`."""
        states = self.check_handles(handles)
        return [self._lowered(wit_type, state, value) for (wit_type, value), state in zip(handles, states, strict=True)]

    def check_handles(self, handles: Sequence[tuple[HandleType, object]]) -> list[ResourceState | None]:
        """Returns what is known of resources that shall become handles of the guest's; None for a host's.

        Raises:
            ConversionError: One is none, of another type or instance, gone, or given away and used as well.
        """
        types = self._instance.types
        states = [checked(value, types[wit_type.resource], own=wit_type.mode == "own") for wit_type, value in handles]
        if len(handles) > 1:
            times = Counter(id(value) for _, value in handles)
            for (wit_type, value), state in zip(handles, states, strict=True):
                if wit_type.mode == "own" and state is not None and times[id(value)] > 1:
                    got = f"the same {state.name} again"
                    raise ConversionError("$", "lower", "a resource that is given away and not used otherwise", got)
        return states

    def takes(self, wit_type: HandleType, value: object) -> bool:
        """Says whether a resource could become a handle of the guest's, if it were the only one."""
        try:
            self.check_handles([(wit_type, value)])
        except ConversionError:
            return False
        return True

    def _lowered(self, wit_type: HandleType, state: ResourceState | None, value: object) -> int:
        instance = self._instance
        resource_type = instance.types[wit_type.resource]
        rep = value if state is None else state.rep
        if wit_type.mode == "own":
            number = instance.tables[self.number].add(Handle(resource_type, rep))
            if state is not None:
                state.gone = "it was given away"
            return number
        if state is not None:
            state.lends += 1
            self._lending().append(state)
        if state is not None and resource_type.owner == self.number:
            return int(state.rep)
        task = self._task
        if task is None:
            raise TrapError("a borrowed resource cannot be a result")
        task.borrows += 1
        return instance.tables[self.number].add(Handle(resource_type, rep, task))

    def lift_handle(self, wit_type: HandleType, number: int) -> object:
        """Takes or lends a handle of the guest's; see `Crossing.lift_handle`."""
        instance = self._instance
        table, resource_type = instance.tables[self.number], instance.types[wit_type.resource]
        if wit_type.mode == "own":
            return table.lift_own(number, resource_type)
        value = table.lend(number, resource_type, self._lending())
        state = None if resource_type.owner is None else state_of(value)
        if state is not None:
            self._lent = self._lent or []
            self._lent.append(state)
        return value

    def _lending(self) -> list[Handle | ResourceState]:
        """Returns the list of who lends something for the call, which is about to get one more."""
        self.has_lent = True
        lenders = self._lenders
        if lenders is None:
            lenders = self._lenders = []
        return lenders


class LiftedCall(Border):
    """A function that a component instance exports."""

    __slots__ = ("_codec", "_core", "_from_host", "_own_task", "_pieces", "_post_return")

    def __init__(self, instance: ComponentInstance, function: LiftedFunction, codec: Codec) -> None:
        parameters, results = codec.lifted_core_type
        self._own_task = Task()
        super().__init__(instance, function.options, function.instance, self._own_task)
        self._codec = codec
        self._core = instance.core_call(function.core, max(len(parameters), len(results)))
        post_return = function.options.post_return
        self._post_return = None if post_return is None else instance.core_call(post_return, len(results))
        # What is above serves all calls: an instance cannot be entered while it runs, nor is it used after a failure.
        # (Calls back into one that runs have objects of their own; see `ComponentInstance`.)
        self._pieces = instance.pieces
        self._from_host = instance.entering(self.number, None)

    def call(self, values: Sequence[Value], caller: int | None = None) -> Value:
        """Calls it.

        Args:
            values: Plain values, and handles.
            caller: The component instance that calls; None for the host.

        Raises:
            ConversionError: The values do not fit; nothing of the guest was touched.
            PolycallError: The guest trapped, was interrupted, or gave what is no value.
        """
        # What others do by a method stands here once more where it is short: each call of Python's costs as much as it.
        instance, codec, task = self._instance, self._codec, self._own_task
        core, pieces = self._core, self._pieces
        raw = core.raw
        task.slots = None
        pace = self.pace
        pace.call, pace.bytes_left, pace.values_left = instance.store.call, MAX_LIFTED_BYTES, AT_ONCE  # `Pace.begin`
        self.short = 0
        try:  # `Codec.lower_parameters`
            codec.pack_parameters(values, raw, 0, pieces.pieces, pieces.handles, pace)
        except BaseException as error:  # noqa: BLE001  # raised again, or it says how to go on
            codec.pack_again(error, values, raw, pieces, self)
        if pieces.handles:
            _check_handles(self, pieces, values)
        entering = self._from_host if caller is None else instance.entering(self.number, caller)
        running = instance.running
        if running:
            instance.check_entry(entering)
        instance.entered = True
        running.append(entering)
        outer, instance.task = instance.task, task
        if pieces.pieces or pieces.handles:
            pieces.place(self)
        core.run()
        pace.bytes_left, pace.values_left = MAX_LIFTED_BYTES, AT_ONCE
        result = codec.lift_result(raw, self)
        if task.borrows:
            raise TrapError("borrow handles still remain at the end of the call")
        if self.has_lent:
            self.end()
        if self._post_return is not None:
            self._run_post_return(self._post_return)
        instance.task = outer
        running.pop()
        return result

    def _run_post_return(self, post_return: CoreCall) -> None:
        may_leave = self._instance.may_leave
        _SLOT.pack_into(post_return.raw, 0, self._core.raw[:SLOT_BYTES])
        may_leave[self.number] = False
        post_return.run()
        may_leave[self.number] = True


def _check_size(size: int) -> None:
    if size > _MAX_BYTES:
        raise LimitError(f"a string or list of {size} bytes: at most {_MAX_BYTES} can be passed")


def _check_handles(border: Border, pieces: Pieces, values: Sequence[Value]) -> None:
    """Looks at the resources among the arguments before the guest is touched."""
    handles = [(wit_type, value) for wit_type, value, _, _ in pieces.handles]
    try:
        border.check_handles(handles)
    except ConversionError as error:
        pieces.clear()
        wrong = next((value for wit_type, value in handles if not border.takes(wit_type, value)), None)
        # Deeper down, where it stands is not known any more.
        path = next((f"$.args[{at}]" for at, value in enumerate(values) if value is wrong), "$.args")
        raise ConversionError(path, "lower", error.expected, error.got, hint=error.hint) from None


class LoweredCall(Border):
    """A component function as core code of a component instance calls it."""

    __slots__ = ("_call", "_codec", "_first", "_misfit", "_pieces")

    def __init__(
        self,
        instance: ComponentInstance,
        function: LoweredFunction,
        codec: Codec,
        call: Callable[..., Any],
        *,
        first: tuple[()] | tuple[GuestStore] = (),
        misfit: Callable[[ConversionError], ConversionError] | None = None,
    ) -> None:
        """Prepares calls.

        Args:
            instance: Whose code calls.
            function: What it calls.
            codec: Of the function.
            call: Takes the values, returns the result.
            first: What it takes before them.
            misfit: See `polycall.wasm_runtime.component.host.HostFunction`.
        """
        super().__init__(instance, function.options, function.instance)
        self._codec = codec
        self._call = call
        self._first = first
        self._misfit = misfit
        self._pieces = instance.pieces

    def serve(self, _caller: int, raw: memoryview) -> None:
        """Serves a call: its parameters lie in the slots, and its result is written there; see `Handler`.

        Raises:
            PolycallError: Whatever must end the guest's call.
        """
        instance, codec = self._instance, self._codec
        if not instance.may_leave[self.number]:
            raise TrapError("cannot leave component instance")
        pace = self.pace
        pace.call, pace.bytes_left, pace.values_left = instance.store.call, MAX_LIFTED_BYTES, AT_ONCE  # `Pace.begin`
        self.short = 0
        values = codec.lift_parameters(raw, self)
        result = self._call(*self._first, *values)
        pace.bytes_left, pace.values_left = MAX_LIFTED_BYTES, AT_ONCE  # what it answers is counted apart
        pieces = self._pieces
        try:
            placed = codec.lower_result(result, raw, pieces, self)
        except ConversionError as error:
            raise error if self._misfit is None else self._misfit(error)  # noqa: B904  # the same, with more to say
        if pieces.pieces or pieces.handles:
            pieces.place(self)
        if placed is not None:
            at, image = placed
            self.memory.view[at : at + len(image)] = image  # it may have grown since, and never shrinks
        if self.has_lent:
            self.end()
