"""Resources of guests in the hands of others: opaque, bound to the instance that made them.

A `ResourceHandle` is what Python code holds. What polycall knows of it, its `ResourceState`, stands apart: so the names
of a handle's attributes are free for the methods of its type, and a handle can be collected while its resource lives.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Self

from polycall.interop.public import public

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Keeper", "ResourceHandle", "ResourceState", "handles_in", "state_of", "states_in", "wrong_with"]


class ResourceState:
    """A resource that a component implements and has handed out.

    Attributes:
        type: The resource type of the instance; no other instance has the same.
        rep: What stands for the resource inside of the instance.
        lent: Whether it may be used only while the call runs that got it.
        lends: How many calls it is lent to at the moment.
        gone: Why it cannot be used any more; empty while it can.
        keeper: What keeps its instance for it; None until it has left the call that gave it.
    """

    __slots__ = ("gone", "keeper", "lends", "lent", "rep", "type")

    def __init__(self, resource_type: Any, rep: Any, *, lent: bool = False) -> None:
        self.type = resource_type
        self.rep = rep
        self.lent = lent
        self.lends = 0
        self.gone = ""
        self.keeper: Keeper | None = None

    @property
    def name(self) -> str:
        """The name of the resource type."""
        name: str = self.type.name
        return name


class Keeper(Protocol):
    """What keeps an instance for the resources that it has handed out.

    Contexts and values are of any type here: theirs know of resources, not the other way round.
    """

    @property
    def home(self) -> object:
        """The `polycall.interop.protocols.Invoker` whose entry the instance is of."""
        ...

    def methods(self, state: ResourceState) -> Collection[str]:
        """Returns the methods that a resource has, as Python and Lua write them."""
        ...

    def call(self, state: ResourceState, name: str, arguments: Sequence[Any], caller: Any) -> Any:
        """Calls a method on behalf of a guest.

        Raises:
            PolycallError: It failed, there is none of that name, or the resource cannot be used.
        """
        ...

    def call_from_python(  # as `Registry.call`
        self,
        state: ResourceState,
        name: str,
        arguments: Sequence[object],
        timeout: float | None,
        cancellation: Any,
    ) -> Any:
        """Calls a method from Python."""
        ...

    def drop(self, state: ResourceState, caller: Any) -> None:
        """Drops a resource on behalf of a guest; its destructor runs.

        Raises:
            PolycallError: The destructor failed, or the resource cannot be used.
        """
        ...

    def drop_from_python(self, state: ResourceState) -> None:
        """Drops a resource from Python."""
        ...

    def end(self, kept: Set[ResourceState], root: Any, deadline: float) -> None:
        """Is told that the chain which got the resources has ended; raises nothing.

        Args:
            kept: What the caller outside has got: these live on.
            root: The outermost frame of the chain.
            deadline: Until when destructors may run.
        """
        ...

    def abandon(self, state: ResourceState) -> None:
        """Drops a resource later, whose handle is no more. Takes no lock, runs no guest and raises nothing."""
        ...


@public
class ResourceHandle:
    """A resource that a WebAssembly component implements: opaque, with the methods of its type.

    >>> with registry.call("shop:cart") as cart:     # doctest: +SKIP
    ...     cart.add("pear", 2)

    The methods are those of the component's interface, with ``_`` for ``-``. `drop` gives the resource back to its
    component, as the end of a ``with`` does. What a call of a guest got ends with the
    outermost call. One call at a time may use the handles of an instance.
    """

    __slots__ = ("__weakref__", "_state")

    _state: ResourceState

    def __init__(self, state: ResourceState) -> None:
        self._state = state

    def drop(self) -> None:
        """Gives the resource back to its component, whose destructor runs.

        Raises:
            PolycallError: The destructor failed; or the resource is gone, or in use.
        """
        self._keeper().drop_from_python(self._state)

    def _keeper(self) -> Keeper:
        keeper = self._state.keeper
        if keeper is None:
            raise AttributeError(f"{self!r} is inside of a call of its component")
        return keeper

    def __getattr__(self, name: str) -> ResourceMethod:
        """Returns a method of the resource.

        Raises:
            AttributeError: It has none of that name.
        """
        if not name.startswith("_"):
            names = self._keeper().methods(self._state)
            if name in names:
                return ResourceMethod(self, name)
            listed = f"it has {', '.join(sorted(names))}" if names else "it has none"
            raise AttributeError(f"{self!r} has no method {name}; {listed}")
        raise AttributeError(name)

    def __dir__(self) -> list[str]:
        """Returns the methods of the resource, too."""
        keeper = self._state.keeper
        return sorted({*super().__dir__(), *(() if keeper is None else keeper.methods(self._state))})

    def __enter__(self) -> Self:
        """Returns the handle."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drops the resource, unless it is gone."""
        if not self._state.gone:
            self.drop()

    def __del__(self) -> None:
        """Has the resource dropped soon, if nobody did."""
        state = self._state
        if state.keeper is not None and not state.gone:
            state.keeper.abandon(state)

    def __repr__(self) -> str:
        """Returns ``<resource cart>``; nothing of the inside of the guest."""
        return f"<resource {self._state.name}{' (gone)' if self._state.gone else ''}>"

    def __reduce__(self) -> NoReturn:
        """Refuses to be copied or pickled: there is one of each."""
        raise TypeError(f"{self!r} cannot be copied")


@public
class ResourceMethod:
    """A method of a resource, bound to it."""

    __slots__ = ("_handle", "_name")

    def __init__(self, handle: ResourceHandle, name: str) -> None:
        self._handle = handle
        self._name = name

    def __call__(self, *arguments: object, timeout: float | None = None, cancellation: Any = None) -> Any:
        """Calls it, as a call of the entry that the resource came from; the rest is as in `Registry.call`."""
        state = self._handle._state  # the handle is alive as long as its method is
        keeper = state.keeper
        if keeper is None:
            raise AttributeError(f"{self._handle!r} is inside of a call of its component")
        return keeper.call_from_python(state, self._name, (self._handle, *arguments), timeout, cancellation)

    def __repr__(self) -> str:
        return f"<method {self._name} of {self._handle!r}>"


def state_of(value: object) -> ResourceState | None:
    """Returns what is known of a handle; None for any other value."""
    return value._state if type(value) is ResourceHandle else None  # the one door to it


def wrong_with(handle: ResourceHandle, home: object = None) -> str | None:
    """Says why a resource can be no argument or result of a call; None if it can.

    Args:
        handle: The resource.
        home: The `polycall.interop.protocols.Invoker` of the call; None for whichever.
    """
    state = handle._state  # as above
    if state.gone:
        return f"a {state.name} that is gone: {state.gone}"
    if state.keeper is None or state.lent:
        return f"a {state.name} inside of a call of its component"
    if home is not None and state.keeper.home is not home:
        return f"a {state.name} of another registry"
    return None


def handles_in(value: object) -> list[ResourceHandle]:
    """Returns the handles in a value, in whatever lists and dicts they stand."""
    if type(value) is ResourceHandle:
        return [value]
    found: list[ResourceHandle] = []
    ahead: list[Any] = [value]
    while ahead:
        each = ahead.pop()
        if type(each) is ResourceHandle:
            found.append(each)
        elif isinstance(each, list):
            ahead += each
        elif isinstance(each, dict):
            ahead += each.values()
    return found


def states_in(value: object) -> list[ResourceState]:
    """Returns what is known of the handles in a value, in whatever lists and dicts they stand."""
    return [handle._state for handle in handles_in(value)]  # as above
