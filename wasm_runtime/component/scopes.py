"""What the planner knows while it goes through a component: index spaces, and what stands in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar

from polycall.interop.errors import PreparationError
from polycall.interop.records import record
from polycall.wasm_runtime.component.core_module import CoreModuleShape, CoreThing
from polycall.wasm_runtime.component.definitions import Component, ComponentType, InstanceType, Item
from polycall.wasm_runtime.component.plan import ComponentFunction, CoreExport, CoreRef
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import WitType

__all__ = [
    "Bounds",
    "Closure",
    "CoreItem",
    "CoreModuleThing",
    "Entity",
    "Function",
    "FunctionType",
    "InlineCoreInstance",
    "Instance",
    "InstanceOfModule",
    "Resource",
    "Scope",
    "TypeClosure",
    "Value",
    "malformed",
    "name_text",
]

_MAX_INSTANCES = 1_000
"""Instances of core modules and of components that one instance of a component makes; real ones make up to 108."""

_MAX_MODULES = 1_000
"""Core modules in one binary; real ones have up to 38."""

_MAX_LEVELS = 64
"""How deep components may instantiate each other, and instances lie inside each other."""

_MAX_STEPS = 200_000
"""Definitions, and things in them, that are gone through to make them; real ones take up to 20,000."""

_T = TypeVar("_T")


def malformed(message: str) -> PreparationError:
    """Returns the error of a component that is not valid, or wants what polycall does not have."""
    return PreparationError(f"is not a component that polycall can run: {message}")


@dataclass(slots=True)
class Bounds:
    """What a component may make: counted while it is planned, before the engine sees it.

    A component may instantiate another one twice, which instantiates a third one twice: 24 such levels fit into 1,257
    bytes and would cost the engine 12 s and 1.6 GB.
    """

    _instances: int = 0
    _modules: int = 0
    _steps: int = 0
    _levels: int = 0

    def instance(self) -> None:
        """Counts an instance."""
        self._instances += 1
        if self._instances > _MAX_INSTANCES:
            raise self._too_many(f"makes more than {_MAX_INSTANCES} instances of what is in it")

    def module(self) -> None:
        """Counts a core module."""
        self._modules += 1
        if self._modules > _MAX_MODULES:
            raise PreparationError(f"has more than {_MAX_MODULES} core modules in it")

    def take(self, steps: int) -> None:
        """Counts definitions that are gone through."""
        self._steps += steps
        if self._steps > _MAX_STEPS:
            raise self._too_many(f"takes more than {_MAX_STEPS} steps to make its instances")

    def enter(self) -> None:
        """Goes one level deeper; `leave` comes back."""
        self._levels += 1
        if self._levels > _MAX_LEVELS:
            raise PreparationError(f"has components that instantiate each other more than {_MAX_LEVELS} levels deep")

    def leave(self) -> None:
        """Comes back from a level."""
        self._levels -= 1

    @staticmethod
    def _too_many(message: str) -> PreparationError:
        hint = "components that instantiate each other twice, level by level, double with each level"
        return PreparationError(message, hint=hint)


# Core things --------------------------------------------------------------------------------------------------------


class CoreItem(NamedTuple):
    """A core function, memory, table, global or tag: where it is at run time, and its type.

    A function of the host's has no type where nothing can ever be given to it.
    """

    sort: str
    ref: CoreRef
    type: CoreThing


@record
class CoreModuleThing:
    """A core module; its shape is read when an instance of it is made."""

    start: int
    end: int


@record
class InstanceOfModule:
    """An instance of a core module. Its exports are looked up one by one: there may be thousands."""

    number: int
    shape: CoreModuleShape

    def get(self, name: str) -> CoreItem | None:
        """Returns an export."""
        found = self.shape.exports.get(name)
        return None if found is None else CoreItem(f"core {found[0]}", CoreExport(self.number, name), found[1])


@record
class InlineCoreInstance:
    """A core instance made of things that are there already."""

    exports: Mapping[str, CoreItem]

    def get(self, name: str) -> CoreItem | None:
        """Returns an export."""
        return self.exports.get(name)


# Types --------------------------------------------------------------------------------------------------------------


class Value(NamedTuple):
    """A value type.

    Attributes:
        type: The type; None where it is refused and nobody will use it.
        flat: The core types that it becomes, the first 17: more of them go through memory whatever they are.
        parts: How many types it consists of when written out, itself included.
        depth: How many of them stand inside each other.
        refusal: Why it cannot cross, or None.
    """

    type: WitType | None
    flat: tuple[str, ...]
    parts: int = 1
    depth: int = 1
    refusal: str | None = None


@record
class FunctionType:
    """The type of a component function.

    Attributes:
        signature: None where it is refused.
        parameters: The core types of all parameters, the first 17.
        results: The core types of the result, the first 17.
        refusal: Why functions of this type cannot be called, or None.
    """

    signature: Signature | None
    parameters: tuple[str, ...]
    results: tuple[str, ...]
    refusal: str | None


@record
class Resource:
    """A resource type."""

    slot: int


@record
class TypeClosure:
    """The type of an instance or component, with the scopes around it: its declarations are read when they matter."""

    definition: InstanceType | ComponentType
    outer: tuple[Scope, ...]


# Components ---------------------------------------------------------------------------------------------------------


@record
class Function:
    """A component function."""

    function: ComponentFunction
    type: FunctionType


@record
class Closure:
    """A component with the scopes around it."""

    component: Component
    outer: tuple[Scope, ...]


@record
class Instance:
    """An instance of a component, or one made of things that are there already: name to sort and thing."""

    exports: Mapping[str, tuple[str, Entity]]


CoreEntity: TypeAlias = CoreItem | CoreModuleThing | InstanceOfModule | InlineCoreInstance
Entity: TypeAlias = CoreEntity | Value | FunctionType | Resource | TypeClosure | Function | Closure | Instance | None
"""What may stand in an index space; None stands for a core type, which only the engine looks at."""


def _called(sort: str) -> str:
    """Returns what a sort is called in messages."""
    return {"func": "function", "core func": "core function"}.get(sort, sort)


@dataclass(slots=True)
class Scope:
    """The index spaces of one component instance, or of one type.

    Attributes:
        number: Of the component instance.
        spaces: Sort to what was defined, by index.
    """

    number: int
    spaces: dict[str, list[Entity]] = field(default_factory=dict)

    def add(self, sort: str, entity: Entity) -> None:
        """Gives something the next index of its sort."""
        self.spaces.setdefault(sort, []).append(entity)

    def get(self, item: Item) -> Entity:
        """Returns what has an index.

        Raises:
            PreparationError: Nothing has it so far.
        """
        found = self.spaces.get(item.sort, ())
        if not 0 <= item.index < len(found):
            raise malformed(f"there is no {_called(item.sort)} {item.index}")
        return found[item.index]

    def find(self, sort: str, index: int, kind: type[_T]) -> _T:
        """Returns what has an index, if it is of the right kind.

        Raises:
            PreparationError: Nothing has it so far, or something else.
        """
        found = self.get(Item(sort, index))
        if not isinstance(found, kind):
            raise malformed(f"{_called(sort)} {index} is something else than what is asked for")
        return found

    def core_instance(self, index: int) -> InstanceOfModule | InlineCoreInstance:
        """Returns a core instance."""
        found = self.get(Item("core instance", index))
        return found if isinstance(found, InlineCoreInstance) else self.find("core instance", index, InstanceOfModule)

    def core(self, sort: str, index: int) -> CoreItem:
        """Returns a core function, memory, table, global or tag."""
        return self.find(sort, index, CoreItem)


def name_text(name: str) -> str:
    """Returns a name from a binary as messages show it."""
    return f'"{shown(name)}"'
