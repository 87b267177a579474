"""Handles: the numbers by which a component instance knows resources, its own and those of others.

Specification: Canonical ABI, "Table State", "Resource State". Numbers begin at 1, and the one that was freed last is
given first; the specification's tests want them so.
"""

from __future__ import annotations

from collections.abc import Callable

from polycall.interop.errors import ConversionError, LimitError, TrapError
from polycall.interop.resources import ResourceHandle, ResourceState, state_of
from polycall.interop.values import describe

__all__ = ["Handle", "HandleCount", "HandleTable", "ResourceType", "Task"]

MAX_HANDLES = 100_000
"""Handles of one instance in all of its tables: what a guest makes the host keep."""


class ResourceType:
    """A resource type: of a guest's, no two instances have one in common; a host's is the same for all of a plan.

    Attributes:
        name: What messages call it.
        owner: The component instance whose code implements it; None for a host's.
        implementation: The class of its values, if a host implements it; None for a guest's, and for one behind which
            nothing stands.
        destructor: What is called when the last owner is gone: by the representation.
    """

    __slots__ = ("destructor", "implementation", "name", "owner")

    def __init__(self, name: str, owner: int | None, implementation: type | None = None) -> None:
        self.name = name
        self.owner = owner
        self.implementation = implementation
        self.destructor: Callable[[object], None] | None = None


class Task:
    """A call that runs in a component instance.

    Attributes:
        borrows: Handles that were lent to it and that it has not dropped yet.
        slots: What ``context.set`` put there; None if it did not.
    """

    __slots__ = ("borrows", "slots")

    def __init__(self) -> None:
        self.borrows = 0
        self.slots: list[int] | None = None


class Handle:
    """An entry of a table.

    Attributes:
        type: The resource type.
        rep: What stands for the resource: a number of the guest that implements it, or a host's object.
        scope: The task that it was lent to; None for one that owns.
        lends: How many calls it is lent to at the moment.
    """

    __slots__ = ("lends", "rep", "scope", "type")

    def __init__(self, resource_type: ResourceType, rep: object, scope: Task | None = None) -> None:
        self.type = resource_type
        self.rep = rep
        self.scope = scope
        self.lends = 0


class HandleCount:
    """How many handles an instance has."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_HANDLES


class HandleTable:
    """The handles of one component instance."""

    __slots__ = ("_count", "_entries", "_free")

    def __init__(self, count: HandleCount) -> None:
        self._entries: list[Handle | None] = [None]
        self._free: list[int] | tuple[()] = ()
        self._count = count

    def add(self, handle: Handle) -> int:
        """Gives a handle a number.

        Raises:
            LimitError: The instance has too many.
        """
        if not self._count.left:
            raise LimitError(f"the guest has {MAX_HANDLES} resource handles", hint="it must drop some of them")
        self._count.left -= 1
        if self._free:
            number = self._free.pop()
            self._entries[number] = handle
            return number
        self._entries.append(handle)
        return len(self._entries) - 1

    def get(self, number: int, resource_type: ResourceType) -> Handle:
        """Returns the handle of a number.

        Raises:
            TrapError: There is none, or it is one of another type.
        """
        handle = self._entries[number] if number < len(self._entries) else None
        if handle is None:
            raise TrapError(f"unknown handle index {number}")
        if handle.type is not resource_type:
            raise TrapError(
                f"handle index {number} used with the wrong type: expected {resource_type.name}, got {handle.type.name}"
            )
        return handle

    def take(self, number: int, resource_type: ResourceType) -> Handle:
        """Removes a handle.

        Raises:
            TrapError: There is none, it is one of another type, or it is lent.
        """
        handle = self.get(number, resource_type)
        if handle.lends:
            raise TrapError(f"cannot remove owned resource while borrowed: handle index {number}")
        self._entries[number] = None
        if self._free:
            self._free.append(number)
        else:
            self._free = [number]
        self._count.left += 1
        return handle

    def lift_own(self, number: int, resource_type: ResourceType) -> object:
        """Takes a resource away from the guest.

        Returns:
            The host's object, or a `ResourceHandle` of a guest's resource.
        """
        if self.get(number, resource_type).scope is not None:
            raise TrapError(f"cannot lift own resource from a borrow: handle index {number}")
        handle = self.take(number, resource_type)
        if resource_type.owner is None:
            return handle.rep
        return ResourceHandle(ResourceState(resource_type, handle.rep))

    def lend(self, number: int, resource_type: ResourceType, lenders: list[Handle | ResourceState]) -> object:
        """Lends a resource for a call; `lenders` gets what must be given back (`Handle.lends`) when it ends."""
        handle = self.get(number, resource_type)
        handle.lends += 1
        lenders.append(handle)
        if resource_type.owner is None:
            return handle.rep
        return ResourceHandle(ResourceState(resource_type, handle.rep, lent=True))


def checked(value: object, resource_type: ResourceType, *, own: bool) -> ResourceState | None:
    """Checks a value that shall become a handle.

    Returns:
        What is known of a guest's resource; None for a host's.

    Raises:
        ConversionError: It is no resource of that type, belongs to another instance, or is gone.
    """
    expected = f"{'own' if own else 'borrow'}<{resource_type.name}>"
    if resource_type.owner is None:
        if resource_type.implementation is None or not isinstance(value, resource_type.implementation):
            raise ConversionError("$", "lower", expected, describe(value))
        return None
    state = state_of(value)
    if state is None:
        raise ConversionError("$", "lower", expected, describe(value))
    if state.gone:
        raise ConversionError("$", "lower", expected, f"a {state.name} that is gone: {state.gone}")
    if state.type is not resource_type:
        got = f"a {state.name} of another instance" if state.name == resource_type.name else f"a {state.name}"
        hint = "a resource can be used only with the instance that made it"
        raise ConversionError("$", "lower", expected, got, hint=hint)
    if own and (state.lent or state.lends):
        raise ConversionError("$", "lower", expected, f"a {state.name} that is only lent")
    return state
