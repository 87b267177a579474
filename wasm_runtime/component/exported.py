"""What a component exports, as the host sees it."""

from __future__ import annotations

from polycall.wasm_runtime.component.draft import Draft
from polycall.wasm_runtime.component.plan import ComponentFunction, ExportedInstance
from polycall.wasm_runtime.component.scopes import Function, Instance, Resource, Value
from polycall.wasm_runtime.wit.wit_types import WitType

__all__ = ["exported"]


def exported(instance: Instance, draft: Draft) -> ExportedInstance:
    """Returns an instance with what is in it. Modules and components are left out: nobody outside can use them.

    Raises:
        PreparationError: It has too much in it: an instance may hold another one twice, level by level.
    """
    functions: dict[str, ComponentFunction] = {}
    resources: dict[str, int] = {}
    types: dict[str, WitType] = {}
    instances: dict[str, ExportedInstance] = {}
    draft.bounds.enter()
    draft.bounds.take(len(instance.exports))
    for name, (_, entity) in instance.exports.items():
        match entity:
            case Function(function=function):
                functions[name] = function
            case Resource(slot=slot):
                resources[name] = slot
            case Value(type=found) if found is not None:
                types[name] = found
            case Instance():
                draft.bounds.instance()
                instances[name] = exported(entity, draft)
    draft.bounds.leave()
    return ExportedInstance(functions, resources, types, instances)
