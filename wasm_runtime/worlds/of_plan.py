"""The world of a component, out of its plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from polycall.wasm_runtime.component.plan import (
    ComponentFunction,
    ExportedInstance,
    ImportedFunction,
    ImportedInterface,
    LiftedFunction,
    Plan,
)
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.worlds.world import Interface, World

__all__ = ["imported_interface", "world_of"]


def world_of(plan: Plan, package: str, name: str) -> World:
    """Returns what a component imports and exports.

    Args:
        plan: The component's.
        package: The package that the world is to stand in.
        name: What it is to be called: a component does not know its name.
    """
    alone = [each for each in plan.imports if "" in each.functions or "" in each.resources]
    functions = {each.name: each.functions[""].signature for each in alone if "" in each.functions}
    resources = {each.name: each.resources[""] for each in alone if "" in each.resources}
    exports = plan.exports
    return World(
        package,
        name,
        imports=tuple(imported_interface(each) for each in plan.imports if each not in alone),
        exports=tuple(_exported(name, instance) for name, instance in exports.instances.items()),
        own_imports=Interface("", functions, plan.types, resources),
        own_exports=Interface("", dict(_signatures(exports.functions)), exports.types, exports.resources),
    )


def imported_interface(found: ImportedInterface) -> Interface:
    """Returns an interface that a component imports, as far as it names what is in it."""
    functions = {name: function.signature for name, function in found.functions.items()}
    return Interface(found.name, functions, found.types, found.resources)


def _exported(name: str, instance: ExportedInstance) -> Interface:
    return Interface(name, dict(_signatures(instance.functions)), instance.types, instance.resources)


def _signatures(functions: Mapping[str, ComponentFunction]) -> Iterator[tuple[str, Signature | None]]:
    for name, function in functions.items():
        yield name, function.signature if isinstance(function, (LiftedFunction, ImportedFunction)) else None
