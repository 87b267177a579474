"""How many instances a component makes: counted before the engine sees it.

A component may instantiate another one twice, which instantiates a third one twice: 24 such levels fit into 1,257 bytes
and cost the engine 12 s and 1.6 GB. Nothing is run here; components and instances are followed to where they come from,
and each instance that would be made is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.definitions import (
    AliasExport,
    AliasOuter,
    Component,
    CoreInlineExports,
    CoreInstantiate,
    Definition,
    Export,
    Import,
    InlineExports,
    Instantiate,
    Item,
)

__all__ = ["MAX_CHAIN", "MAX_DEFINITIONS_RUN", "MAX_INSTANCES", "check_size"]

MAX_INSTANCES = 1_000
"""Instances of core modules and of components that one instance of a component makes; real ones make up to 108."""

MAX_CHAIN = 64
"""How deep components may instantiate each other."""

MAX_DEFINITIONS_RUN = 500_000
"""Definitions that are gone through to make them."""


@dataclass(frozen=True, slots=True)
class _Closure:
    """A component with the scopes around it."""

    component: Component
    outer: tuple[_Scope, ...]


@dataclass(slots=True)
class _Scope:
    """The index spaces of one instantiation, as far as they hold components and instances."""

    components: list[object] = field(default_factory=list)
    instances: list[object] = field(default_factory=list)

    def space(self, sort: str) -> list[object] | None:
        """Returns the index space of a sort, or None for one that is not followed."""
        return self.components if sort == "component" else self.instances if sort == "instance" else None

    def get(self, item: Item) -> object:
        """Returns what an item is, as far as that is known; an index beyond the end is left to the validator."""
        space = self.space(item.sort)
        return space[item.index] if space is not None and item.index < len(space) else None

    def add(self, sort: str, known: object) -> None:
        """Puts something into the index space of its sort."""
        space = self.space(sort)
        if space is not None:
            space.append(known)


def check_size(component: Component) -> None:
    """Refuses a component that would make more than it may.

    Raises:
        PreparationError: It would make too many instances.
    """
    _Counter().run(_Closure(component, ()), {})


class _Counter:
    def __init__(self) -> None:
        self._instances = 0
        self._definitions = 0
        self._depth = 0

    def run(self, closure: _Closure, arguments: Mapping[str, object]) -> Mapping[str, object]:
        """Counts what an instantiation makes; returns what it exports."""
        if self._depth > MAX_CHAIN:
            raise PreparationError(f"has components that instantiate each other more than {MAX_CHAIN} levels deep")
        self._depth += 1
        scope = _Scope()
        scopes = (scope, *closure.outer)
        exports: dict[str, object] = {}
        self._definitions += len(closure.component.definitions)
        self._check()
        for definition in closure.component.definitions:
            self._define(definition, scopes, arguments, exports)
        self._depth -= 1
        return exports

    def _check(self) -> None:
        if self._instances > MAX_INSTANCES or self._definitions > MAX_DEFINITIONS_RUN:
            raise PreparationError(
                f"makes more than {MAX_INSTANCES} instances of what is in it",
                hint="components that instantiate each other twice, level by level, double with each level",
            )

    def _define(
        self,
        definition: Definition,
        scopes: tuple[_Scope, ...],
        arguments: Mapping[str, object],
        exports: dict[str, object],
    ) -> None:
        scope = scopes[0]
        match definition:
            case Component():
                scope.components.append(_Closure(definition, scopes))
            case CoreInstantiate() | CoreInlineExports():
                self._count()
            case Instantiate():
                self._count()
                scope.instances.append(self._instantiate(definition, scope))
            case InlineExports():
                self._count()
                scope.instances.append({name: scope.get(item) for name, item in definition.exports})
            case Import():
                scope.add(definition.type.sort, arguments.get(definition.name))
            case Export():
                if definition.item is not None:
                    exports[definition.name] = scope.get(definition.item)
                    scope.add(definition.item.sort, exports[definition.name])
            case AliasExport():
                instance = scope.get(Item("instance", definition.instance))
                scope.add(definition.sort, instance.get(definition.name) if isinstance(instance, Mapping) else None)
            case AliasOuter():
                outer = scopes[definition.levels] if definition.levels < len(scopes) else _Scope()
                scope.add(definition.sort, outer.get(Item(definition.sort, definition.index)))

    def _count(self) -> None:
        self._instances += 1
        self._check()

    def _instantiate(self, definition: Instantiate, scope: _Scope) -> Mapping[str, object] | None:
        closure = scope.get(Item("component", definition.component))
        if not isinstance(closure, _Closure):
            return None  # it comes from outside, which the engine refuses to instantiate
        return self.run(closure, {name: scope.get(item) for name, item in definition.arguments})
