"""Definitions that stand in components and in types alike: types and aliases; and what a component imports."""

from __future__ import annotations

from dataclasses import dataclass, field

from polycall.wasm_runtime.component import definitions as d
from polycall.wasm_runtime.component.draft import Draft
from polycall.wasm_runtime.component.plan import ImportedFunction, ImportedInterface
from polycall.wasm_runtime.component.scopes import (
    Entity,
    Function,
    FunctionType,
    Instance,
    Resource,
    Scope,
    TypeClosure,
    Value,
    malformed,
    name_text,
)
from polycall.wasm_runtime.component.value_types import function_type, value_definition
from polycall.wasm_runtime.wit.wit_types import WitType

__all__ = ["Imports", "aliased_export", "outer", "type_entity"]

_IMPORTED_WHOLE = "it imports {}, a whole module or component: link it in when building"


def type_entity(found: d.Type, scopes: tuple[Scope, ...], draft: Draft) -> Entity:
    """Resolves the definition of a type other than a resource.

    Raises:
        PreparationError: It names what is not there, or something else than a type that fits.
    """
    match found:
        case d.FuncType():
            return function_type(scopes[0], found)
        case d.InstanceType() | d.ComponentType():
            return TypeClosure(found, scopes)
        case d.ResourceType():
            raise malformed("a resource type is defined inside of a type")
    return value_definition(scopes[0], found, draft.name_of)


def outer(found: d.AliasOuter, scopes: tuple[Scope, ...]) -> Entity:
    """Returns what an alias of something in an enclosing scope stands for."""
    if found.levels >= len(scopes):
        raise malformed(f"an alias reaches {found.levels} levels out, and there are {len(scopes) - 1}")
    return scopes[found.levels].get(d.Item(found.sort, found.index))


def aliased_export(found: d.AliasExport, scope: Scope) -> Entity:
    """Returns what an alias of an instance's export stands for."""
    instance = scope.find("instance", found.instance, Instance)
    sort, entity = instance.exports.get(found.name, (None, None))
    if sort != found.sort:
        raise malformed(f"instance {found.instance} exports no {found.sort} {name_text(found.name)}")
    return entity


@dataclass(slots=True)
class _Interface:
    """An import in the making."""

    name: str
    functions: dict[str, ImportedFunction] = field(default_factory=dict)
    resources: dict[str, int] = field(default_factory=dict)
    types: dict[str, WitType] = field(default_factory=dict)


class Imports:
    """Reads what the root component imports: what a host must offer."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.interfaces: list[ImportedInterface] = []
        self.types: dict[str, WitType] = {}

    def entity(self, found: d.Import, scopes: tuple[Scope, ...]) -> Entity:
        """Returns what stands for an import in the index spaces.

        Raises:
            PreparationError: It is a module or component, or its type is not there.
        """
        name = found.name
        match found.type.sort:
            case "func":
                function = self._function(scopes[0], found.type, name, "")
                if isinstance(function.function, ImportedFunction):
                    self.interfaces.append(ImportedInterface(name, {"": function.function}))
                return function
            case "instance":
                return self._interface(_closure(scopes[0], found.type), name)
            case "type":
                entity = self._type(found.type, scopes[0], name, name)
                if isinstance(entity, Resource) and found.type.index is None:
                    self.interfaces.append(ImportedInterface(name, {}, {"": entity.slot}))
                elif isinstance(entity, Value) and entity.type is not None:
                    self.types[name] = entity.type
                return entity
        raise malformed(_IMPORTED_WHOLE.format(name_text(name)))

    def _function(self, scope: Scope, found: d.ExternType, interface: str, name: str) -> Function:
        of = scope.find("type", -1 if found.index is None else found.index, FunctionType)
        return Function(ImportedFunction(interface, name, of.signature, of.refusal), of)

    def _interface(self, closure: TypeClosure, name: str) -> Instance:
        found = _Interface(name)
        instance = self._instance(closure, found, "")
        self.interfaces.append(ImportedInterface(name, found.functions, found.resources, found.types))
        return instance

    def _instance(self, closure: TypeClosure, interface: _Interface, path: str) -> Instance:
        """Makes the instance that an instance type promises; `path` leads to one inside of another: ``inner/``."""
        draft = self._draft
        draft.bounds.instance()  # a type may have another one in it twice, level by level
        draft.bounds.enter()
        scope = Scope(0)
        scopes = (scope, *closure.outer)
        exports: dict[str, tuple[str, Entity]] = {}
        for declaration in closure.definition.declarations:
            draft.bounds.take(d.weight(declaration))
            match declaration:
                case d.CoreType():
                    scope.add("core type", None)
                case d.AliasOuter():
                    scope.add(declaration.sort, outer(declaration, scopes))
                case d.AliasExport():
                    scope.add(declaration.sort, aliased_export(declaration, scope))
                case d.Export(name=name, type=found) if found is not None:
                    entity = self._export(found, scope, interface, path + name)
                    exports[name] = found.sort, entity
                    scope.add(found.sort, entity)
                case d.Export() | d.Import() | d.AliasCoreExport():
                    raise malformed("the type of an instance declares what only components have")
                case _:
                    scope.add("type", type_entity(declaration, scopes, draft))
        draft.bounds.leave()
        return Instance(exports)

    def _export(self, found: d.ExternType, scope: Scope, interface: _Interface, name: str) -> Entity:
        match found.sort:
            case "func":
                function = self._function(scope, found, interface.name, name)
                if isinstance(function.function, ImportedFunction):
                    interface.functions[name] = function.function
                return function
            case "type":
                entity = self._type(found, scope, interface.name, name)
                if isinstance(entity, Resource):
                    interface.resources[name] = entity.slot
                elif isinstance(entity, Value) and entity.type is not None:
                    interface.types[name] = entity.type
                return entity
            case "instance":
                return self._instance(_closure(scope, found), interface, f"{name}/")
        raise malformed(_IMPORTED_WHOLE.format(name_text(interface.name)))

    def _type(self, found: d.ExternType, scope: Scope, interface: str, name: str) -> Entity:
        if found.index is None:
            return self._draft.imported_resource(name, interface)
        return scope.get(d.Item("type", found.index))


def _closure(scope: Scope, found: d.ExternType) -> TypeClosure:
    return scope.find("type", -1 if found.index is None else found.index, TypeClosure)
