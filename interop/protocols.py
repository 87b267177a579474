"""What the dispatcher and the runtimes expect of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from polycall.interop.context import CallContext
from polycall.interop.host_traffic import HostTraffic
from polycall.interop.public import public
from polycall.interop.resources import ResourceState
from polycall.interop.values import Value

__all__ = [
    "Function",
    "ImportNeed",
    "Instance",
    "Invoker",
    "Link",
    "Prepared",
    "ResourceInstance",
    "Signature",
    "YamlText",
]


class Invoker(Protocol):
    """The way up: how a guest's call to another entry leaves its runtime. The registry implements it."""

    def call(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        """Calls an entry on behalf of a guest.

        Args:
            target: ``namespace:name``, in full.
            arguments: Plain values.
            caller: The frame of the calling guest; the callee's frame becomes its child.

        Raises:
            PolycallError: Whatever made the call fail, with its frames.
        """
        ...

    def call_linked(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        """Like `call`, for a function that a component imports; `-` and `_` in the name of the target are alike."""
        ...

    def call_payload(self, target: str, payload: str | bytes, caller: CallContext) -> Value:
        """Like `call`, with one text or byte string that the target reads in the way that fits its signature."""
        ...


class YamlText(Protocol):
    """YAML as a text form of values. The registry implements it, by the rules of the entry files."""

    def encode(self, value: Value, check: Callable[[], None], *, field_order: Sequence[str], indent: int) -> str:
        """Writes a value as YAML text.

        Args:
            value: Plain value.
            check: Called again and again; raises to end the work.
            field_order: Keys that come first, in every mapping, in this order; the others follow in alphabetical order.
            indent: Spaces a level, 2 to 9.

        Raises:
            ConversionError: Bytes that are not UTF-8.
        """
        ...

    def decode(self, text: str, check: Callable[[], None]) -> Value:
        """Reads one YAML document of plain data.

        Args:
            text: YAML.
            check: Called again and again; raises to end the work.

        Raises:
            ConversionError: It is not YAML, is no plain data, or is too large or too deep with its aliases replaced.
        """
        ...


@public
class Link(NamedTuple):
    """What serves a function that a guest imports.

    Attributes:
        declared: The key of ``links``.
        target: The id of the entry; ``-`` and ``_`` in its name are alike.
        signature: What the guest takes the function for, as WIT writes it.
    """

    declared: str
    target: str
    signature: str


@public
class ImportNeed(NamedTuple):
    """An interface that a guest imports, or a single function of one that is linked in part.

    Attributes:
        name: As the guest writes it, version included; ``interface#function`` for a function.
        group: The capability group that grants it, or None if polycall offers it in no group.
        granted: Whether the entry grants that group.
        available: Whether there is a host behind it.
        link: What serves a function that is linked; it is granted and available.
    """

    name: str
    group: str | None
    granted: bool
    available: bool
    link: Link | None = None


@public
class Signature(Protocol):
    """What is known of a function's parameters and result."""

    def __str__(self) -> str:
        """Returns the signature as WIT writes it: ``func(a: s32, b: s32) -> s32``."""
        ...


class Instance(Protocol):
    """One Lua state, or one WebAssembly store and instance. It serves one call at a time.

    Attributes:
        poisoned: True once it must not be used again: a trap, a limit or a host failure left it in an unknown state, or
            it holds so much memory that a fresh one should take its place.
    """

    poisoned: bool

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        """Runs the function; blocks the thread until it ends, fails or is interrupted.

        Its own ``limits.max_execution_ms`` counts from when the guest begins, not from when the call does.

        Raises:
            PolycallError: Mapped from whatever the engine said; frames are the dispatcher's to add.
        """
        ...

    def close(self) -> None:
        """Gives the engine's memory back; harmless when repeated."""
        ...


class ResourceInstance(Protocol):
    """An instance that hands out resources; see `Instance` for the rest of it."""

    poisoned: bool

    def call(self, arguments: Sequence[Value], context: CallContext, export: Any = None) -> Value:
        """Runs a function: that of its entry, or another one of the same program."""
        ...

    def methods(self, state: ResourceState) -> dict[str, tuple[Any, bool]]:
        """Returns what a resource can do: the export by its name, and whether it takes the resource itself first."""
        ...

    def drop(self, state: ResourceState, context: CallContext) -> None:
        """Runs the destructor of a resource, which is gone from then on."""
        ...

    def close(self) -> None:
        """Gives the engine's memory back; harmless when repeated."""
        ...


@public
class Prepared(Protocol):
    """What is known of an entry that is ready to call.

    Attributes:
        entry_id: ``namespace:name``.
        language: ``lua``, ``wasm`` or ``python``.
        signature: What is known of parameters and result, or None (Lua has none).
        imports: The interfaces that the guest imports, ordered; empty where a language has none.
    """

    entry_id: str
    language: str

    @property
    def signature(self) -> Signature | None:
        """What is known of parameters and result."""
        ...

    @property
    def imports(self) -> Sequence[ImportNeed]:
        """The interfaces that the guest imports."""
        ...


class Function(Prepared, Protocol):
    """An entry made ready to call: compiled and checked, without an instance.

    Attributes:
        has_resources: Whether its types have resources of its own: its instances are `ResourceInstance` then.
    """

    has_resources: bool

    def shares_instances_with(self, other: Function) -> bool:
        """Says whether an instance of one may run the other's function: it is of the same program, granted the same."""
        ...

    @property
    def export(self) -> object:
        """What an instance of the same program is given to run this function; None where no other one may."""
        ...

    def instantiate(self, context: CallContext | None = None) -> Instance:
        """Makes a fresh instance.

        Args:
            context: The call that waits for it, if there is one: start-up code gets no more time than the call has.

        Raises:
            DeadlineError, CancelledError: The call is over.
            PolycallError: The guest's own start-up code failed, or memory ran out.
        """
        ...

    def host_traffic(self) -> HostTraffic | None:
        """Returns what its guests had their host do so far; None where nobody counts."""
        ...

    def payload_arguments(self, payload: str | bytes) -> Sequence[Value]:
        """Returns the arguments that a payload of ``call-string`` or ``call-bytes`` stands for.

        Raises:
            ConversionError: The payload does not fit the signature.
        """
        ...
