"""Makes the plan of a component: goes through it once as if it were instantiated, and keeps what an instance must do.

Specification: Component Model, Explainer ("Index Spaces", "Instance Definitions", "Canonical Definitions"). Nested
components, aliases, arguments and inline exports are followed here to the core things and functions that they name, so
that nothing of them is left for an instance. A component that is instantiated twice is gone through twice: its resource
types are others each time.

This runs before the engine's validator. What it meets may be wrong in any way: whatever does not fit is an error of
ours, and everything that a component makes is counted (`Bounds`).
"""

from __future__ import annotations

from collections.abc import Mapping

from polycall.wasm_runtime.component import abi_types
from polycall.wasm_runtime.component import definitions as d
from polycall.wasm_runtime.component.core_module import CoreImport
from polycall.wasm_runtime.component.declarations import Imports, aliased_export, outer, type_entity
from polycall.wasm_runtime.component.draft import Draft
from polycall.wasm_runtime.component.exported import exported
from polycall.wasm_runtime.component.plan import (
    AsyncFunction,
    CoreFunctionType,
    CoreRef,
    DefineResource,
    HostCoreFunction,
    Instantiate,
    LiftedFunction,
    LoweredFunction,
    Plan,
    RefusedFunction,
    ResourceFunction,
)
from polycall.wasm_runtime.component.scopes import (
    Closure,
    CoreItem,
    CoreModuleThing,
    Entity,
    Function,
    FunctionType,
    InlineCoreInstance,
    Instance,
    InstanceOfModule,
    Resource,
    Scope,
    TypeClosure,
    malformed,
    name_text,
)
from polycall.wasm_runtime.component.value_types import WASI_03
from polycall.wasm_runtime.wit.signature import Signature

__all__ = ["make_plan"]


def make_plan(component: d.Component, binary: bytes) -> Plan:
    """Returns what an instance of a component does.

    Args:
        component: Its definitions.
        binary: Its bytes, for the core modules in it.

    Raises:
        PreparationError: It is not valid, makes too much, or wants what polycall does not have.
    """
    draft = Draft(binary, {}, {})
    plan = _plan(component, draft)
    if draft.exported_names:  # resource types get their names when they are exported, after they were used in types
        plan = _plan(component, Draft(binary, draft.exported_names, draft.shapes))
    return plan


def _plan(component: d.Component, draft: Draft) -> Plan:
    try:
        imports = Imports(draft)
        root = _Instantiation(draft, (), None, imports).run(component, {})
        exports = exported(root, draft)
        _add_modules(component, draft)
    except RecursionError:
        raise malformed("it has too much inside of each other") from None
    return Plan(
        tuple((module.start, module.end) for module in draft.modules),
        tuple(draft.shapes[module].footprint for module in draft.modules),
        tuple(draft.steps),
        tuple(draft.host_functions),
        tuple(draft.slots),
        tuple(draft.parents),
        tuple(imports.interfaces),
        exports,
        imports.types,
    )


def _add_modules(component: d.Component, draft: Draft) -> None:
    """Adds the core modules that have no instance: they must be valid too."""
    for definition in component.definitions:
        if isinstance(definition, d.CoreModule):
            draft.module(CoreModuleThing(definition.start, definition.end))
        elif isinstance(definition, d.Component):
            _add_modules(definition, draft)


class _Instantiation:
    """Goes through the definitions of a component, as one instance of it."""

    def __init__(self, draft: Draft, outer_scopes: tuple[Scope, ...], parent: int | None, imports: Imports) -> None:
        self._draft = draft
        self._imports = imports
        self._number = draft.component_instance(parent)
        self._scope = Scope(self._number)
        self._scopes = (self._scope, *outer_scopes)
        self._arguments: Mapping[str, tuple[str, Entity]] = {}
        self._exports: dict[str, tuple[str, Entity]] = {}

    def run(self, component: d.Component, arguments: Mapping[str, tuple[str, Entity]]) -> Instance:
        """Returns the instance that the component makes of its arguments."""
        self._draft.bounds.enter()
        self._arguments = arguments
        for definition in component.definitions:
            self._draft.bounds.take(d.weight(definition))
            self._define(definition)
        self._draft.bounds.leave()
        return Instance(self._exports)

    def _define(self, definition: d.Definition) -> None:
        scope = self._scope
        match definition:
            case d.CoreModule() | d.CoreInstantiate() | d.CoreInlineExports() | d.CoreType() | d.AliasCoreExport():
                self._define_core(definition)
            case d.Component():
                scope.add("component", Closure(definition, self._scopes))
            case d.Instantiate():
                scope.add("instance", self._instance(definition))
            case d.InlineExports(exports=items):
                self._draft.bounds.instance()
                scope.add("instance", Instance({name: (item.sort, scope.get(item)) for name, item in items}))
            case d.AliasExport():
                scope.add(definition.sort, aliased_export(definition, scope))
            case d.AliasOuter():
                scope.add(definition.sort, outer(definition, self._scopes))
            case d.Import():
                scope.add(definition.type.sort, self._import(definition))
            case d.Export():
                self._export(definition)
            case d.Lift():
                scope.add("func", self._lift(definition))
            case d.Lower() | d.ResourceBuiltin() | d.AsyncBuiltin():
                scope.add("core func", self._core_function(definition))
            case d.ResourceType():
                scope.add("type", self._resource(definition))
            case _:
                scope.add("type", type_entity(definition, self._scopes, self._draft))

    def _define_core(
        self, definition: d.CoreModule | d.CoreInstantiate | d.CoreInlineExports | d.CoreType | d.AliasCoreExport
    ) -> None:
        scope = self._scope
        match definition:
            case d.CoreModule(start=start, end=end):
                scope.add("core module", CoreModuleThing(start, end))
            case d.CoreInstantiate():
                scope.add("core instance", self._core_instance(definition))
            case d.CoreInlineExports():
                scope.add("core instance", self._inline_core(definition))
            case d.CoreType():
                scope.add("core type", None)
            case d.AliasCoreExport():
                scope.add(definition.sort, self._core_export(definition))

    # Instances

    def _core_instance(self, found: d.CoreInstantiate) -> InstanceOfModule:
        draft = self._draft
        draft.bounds.instance()
        module, shape = draft.module(self._scope.find("core module", found.module, CoreModuleThing))
        given = {name: self._scope.core_instance(index) for name, index in found.arguments}
        draft.bounds.take(len(shape.imports))
        references = tuple(_argument(wanted, given.get(wanted.module)) for wanted in shape.imports)
        draft.steps.append(Instantiate(module, references, self._number))
        draft.core_instances += 1
        return InstanceOfModule(draft.core_instances - 1, shape)

    def _inline_core(self, found: d.CoreInlineExports) -> InlineCoreInstance:
        self._draft.bounds.instance()
        return InlineCoreInstance({name: self._scope.core(item.sort, item.index) for name, item in found.exports})

    def _core_export(self, found: d.AliasCoreExport) -> CoreItem:
        instance = self._scope.core_instance(found.instance)
        item = instance.get(found.name)
        if item is None or item.sort != found.sort:
            raise malformed(f"core instance {found.instance} exports no {found.sort} {name_text(found.name)}")
        return item

    def _instance(self, found: d.Instantiate) -> Instance:
        self._draft.bounds.instance()
        closure = self._scope.find("component", found.component, Closure)
        arguments = {name: (item.sort, self._scope.get(item)) for name, item in found.arguments}
        inner = _Instantiation(self._draft, closure.outer, self._number, self._imports)
        return inner.run(closure.component, arguments)

    # Imports and exports

    def _import(self, found: d.Import) -> Entity:
        if self._draft.parents[self._number] is None:
            return self._imports.entity(found, self._scopes)
        sort, entity = self._arguments.get(found.name, (None, None))
        if sort != found.type.sort:
            raise malformed(f"a component is instantiated without the {found.type.sort} {name_text(found.name)}")
        return self._as_declared(found.type, entity)

    def _export(self, found: d.Export) -> None:
        if found.item is None:
            raise malformed(f"the export {name_text(found.name)} is nothing")
        entity = self._scope.get(found.item)
        if found.type is not None:
            entity = self._as_declared(found.type, entity)
        if isinstance(entity, Resource):
            self._draft.export_resource(entity.slot, found.name)
        self._exports[found.name] = found.item.sort, entity
        self._scope.add(found.item.sort, entity)

    def _as_declared(self, declared: d.ExternType, entity: Entity) -> Entity:
        """Hides the exports of an instance that its declared type does not have."""
        if declared.sort != "instance" or declared.index is None or not isinstance(entity, Instance):
            return entity
        closure = self._scope.find("type", declared.index, TypeClosure)
        self._draft.bounds.take(len(closure.definition.declarations))
        names = {each.name for each in closure.definition.declarations if isinstance(each, d.Export)}
        return Instance({name: found for name, found in entity.exports.items() if name in names})

    # Canonical definitions

    def _lift(self, found: d.Lift) -> Function:
        scope = self._scope
        of = scope.find("type", found.type, FunctionType)
        if of.refusal is not None or found.options.is_async:
            refusal = of.refusal or f"is lifted as an async function, {WASI_03}"
            return Function(RefusedFunction(refusal), of)
        expected = abi_types.lifted_type(of)
        options = abi_types.options(scope, found.options, expected[1])
        core, _ = abi_types.function(scope, found.core_function, expected, "what is lifted")
        return Function(LiftedFunction(core, options, _signature(of), self._number), of)

    def _core_function(self, found: d.Lower | d.ResourceBuiltin | d.AsyncBuiltin) -> CoreItem:
        function: HostCoreFunction
        match found:
            case d.Lower():
                function, core_type = self._lowered(found)
            case d.ResourceBuiltin(name=name, resource=resource):
                slot = self._scope.find("type", resource, Resource).slot
                function = ResourceFunction(name, slot, self._number)
                core_type = function.core_type
            case _:
                core_type = abi_types.builtin_type(found, self._scope)
                function = AsyncFunction(found.name, found.immediates, self._number, core_type)
        return CoreItem("core func", self._draft.host(function), core_type)

    def _lowered(self, found: d.Lower) -> tuple[HostCoreFunction, CoreFunctionType]:
        function = self._scope.find("func", found.function, Function)
        is_async = found.options.is_async
        core_type = abi_types.lowered_type(function.type, is_async=is_async)
        if is_async:
            return AsyncFunction("an async call", (), self._number, core_type), core_type
        options = abi_types.options(self._scope, found.options, ())
        return LoweredFunction(function.function, options, self._number, core_type), core_type

    def _resource(self, found: d.ResourceType) -> Resource:
        destructor = None
        if found.destructor is not None:
            what = "the destructor of a resource"
            destructor, _ = abi_types.function(self._scope, found.destructor, abi_types.DESTRUCTOR, what)
        resource = self._draft.own_resource(self._number)
        self._draft.steps.append(DefineResource(resource.slot, destructor))
        return resource


def _signature(of: FunctionType) -> Signature:
    if of.signature is None:
        raise malformed("a function has no signature")
    return of.signature


def _argument(wanted: CoreImport, instance: InstanceOfModule | InlineCoreInstance | None) -> CoreRef:
    item = None if instance is None else instance.get(wanted.name)
    if item is None or item.sort != f"core {wanted.kind}":
        what = f"{wanted.kind} {name_text(wanted.name)} of {name_text(wanted.module)}"
        raise malformed(f"a core module is instantiated without the {what}")
    if wanted.kind == "func" and item.type != wanted.type:
        raise malformed(f"a core module is given the function {name_text(wanted.name)} with another type")
    return item.ref
