"""polycall's component engine, as the suite's runner wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import wasmtime

from conformance.composing import composed, wants_whole
from conformance.runner import Instance, Loaded
from conformance.suite_host import FUNCTIONS, HOST, MODULES, RESOURCES
from polycall.interop.context import CallContext
from polycall.interop.errors import PreparationError, TrapError
from polycall.interop.values import Value
from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.definitions import Component
from polycall.wasm_runtime.component.host import HostFunction
from polycall.wasm_runtime.component.linked_plan import LinkedPlan
from polycall.wasm_runtime.component.plan import (
    ComponentFunction,
    ExportedInstance,
    ImportedFunction,
    LiftedFunction,
    Plan,
    RefusedFunction,
)
from polycall.wasm_runtime.component.planner import make_plan
from polycall.wasm_runtime.component.validation import validate
from polycall.wasm_runtime.engine.footprint import Footprint
from polycall.wasm_runtime.engine.memory_shares import shares
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

__all__ = ["OurEngine"]


class OurEngine:
    """Decodes, plans, validates, compiles and runs."""

    def __init__(self) -> None:
        self._engine = WasmEngine()

    def load(self, binary: bytes) -> Loaded:
        """Returns a component that is valid."""
        component = decode(binary)
        try:
            plan = make_plan(component, binary)
        except PreparationError as error:
            if not wants_whole(error.message):
                raise
            validate(component, binary)
            return _ToCompose(self, binary, component, error)
        validate(component, binary)
        modules = [self._compiled(binary[start:end]) for start, end in plan.modules]
        return _Component(self._engine, binary, plan, modules)

    def _compiled(self, module: bytes) -> wasmtime.Module:
        try:
            return wasmtime.Module(self._engine.engine, module)
        except wasmtime.WasmtimeError as error:
            raise PreparationError(str(error)) from None


class _ToCompose:
    """A component that imports whole modules or components: it is composed with those that export them."""

    def __init__(self, engine: OurEngine, binary: bytes, component: Component, refusal: PreparationError) -> None:
        self._engine = engine
        self._binary = binary
        self._component = component
        self._refusal = refusal

    def instantiate(self, named: Mapping[str, Instance]) -> Instance:
        providers = {name: found.binary for name, found in named.items() if isinstance(found, _Instance)}
        providers.setdefault(HOST, bytes(wasmtime.wat2wasm(MODULES)))
        whole = composed(self._binary, self._component.definitions, providers)
        if whole is None:
            raise self._refusal
        return self._engine.load(whole).instantiate({})


class _Component:
    def __init__(self, engine: WasmEngine, binary: bytes, plan: Plan, modules: Sequence[wasmtime.Module]) -> None:
        self._binary = binary
        self._engine = engine
        self._plan = plan
        self._modules = modules

    def instantiate(self, named: Mapping[str, Instance]) -> Instance:
        host = _SuiteHost(named)
        host.check(self._plan)
        linked = LinkedPlan(self._engine, self._plan, self._modules, host)
        store = self._engine.new_store(None, shares(None, Footprint()))
        return _Instance(self._binary, self._plan, linked, store)


class _Instance:
    """An instance in a store of its own. After a failure nothing enters it any more."""

    def __init__(self, binary: bytes, plan: Plan, linked: LinkedPlan, store: GuestStore) -> None:
        self.binary = binary
        self.exports = plan.exports
        self._store = store
        self._poisoned = False
        self._instance = self._running(lambda: linked.instantiate(store))

    def call(self, function: str, arguments: Sequence[Value]) -> Value:
        found = self.exports.functions.get(function)
        if isinstance(found, RefusedFunction):
            raise PreparationError(f"{function} {found.refusal}")
        if not isinstance(found, LiftedFunction):
            raise PreparationError(f"there is no function {function} to call")
        return self.call_lifted(found, arguments)

    def call_lifted(self, function: LiftedFunction, arguments: Sequence[Value]) -> Value:
        if self._poisoned:
            raise TrapError("the instance has trapped before")
        value: Value = self._running(lambda: self._instance.call(function, arguments))
        return value

    def _running(self, action: Callable[[], Any]) -> Any:
        self._store.begin(CallContext("conformance:suite", "wasm", None))
        try:
            return action()
        except BaseException:
            self._poisoned = True
            raise
        finally:
            self._store.end()


class _SuiteHost:
    """What components of the suite import: the test host, and the instances that a script has given names to."""

    def __init__(self, named: Mapping[str, Instance]) -> None:
        self._named = {name: found for name, found in named.items() if isinstance(found, _Instance)}

    def check(self, plan: Plan) -> None:
        """Refuses a component that imports what is not there; a missing type counts, its functions or none."""
        for interface in plan.imports:
            if interface.name in FUNCTIONS and "" not in interface.functions:
                raise PreparationError(f"{interface.name} is a function")
            for function in interface.functions.values():
                if function.refusal is None and self._found(function) is None:
                    raise PreparationError(f"{function.interface} {function.name} was not found")
        classes: dict[int, object] = {}
        for interface in plan.imports:
            for name, slot in interface.resources.items():
                found = self._resource(interface.name, name)
                if found is None and plan.slots[slot].name == name:
                    raise PreparationError(f"the resource {name} was not found")
                if found is not None and classes.setdefault(slot, found) != found:
                    raise PreparationError("mismatched resource types")

    def function(self, wanted: ImportedFunction) -> HostFunction:
        found = self._found(wanted)
        if found is not None:
            return found

        def refuse(*_: object) -> NoReturn:
            raise TrapError(f"{wanted.name} {wanted.refusal}")

        return HostFunction(refuse)

    def _found(self, wanted: ImportedFunction) -> HostFunction | None:
        if wanted.interface in self._named:
            return self._of_instance(self._named[wanted.interface], wanted)
        found = FUNCTIONS.get(wanted.name or wanted.interface)
        if found is None or (wanted.name and wanted.interface != HOST):
            return None
        return HostFunction(lambda _store, *values: found(*values), wanted.signature)

    @staticmethod
    def _of_instance(instance: _Instance, wanted: ImportedFunction) -> HostFunction | None:
        function = _exported(instance.exports, wanted.name)
        if not isinstance(function, LiftedFunction) or str(function.signature) != str(wanted.signature):
            return None
        return HostFunction(lambda _store, *values: instance.call_lifted(function, values), wanted.signature)

    def resource(self, interface: str, name: str) -> type | None:
        """Returns the test host's class; a resource of another instance's has none."""
        return RESOURCES.get(name) if interface == HOST else None

    def _resource(self, interface: str, name: str) -> object:
        if interface in self._named:
            slot = self._named[interface].exports.resources.get(name)
            return None if slot is None else (interface, slot)
        return self.resource(interface, name)

    def refuse_import(self, module: str, name: str) -> Exception:
        return TrapError(f"{module} {name}")


def _exported(exports: ExportedInstance, path: str) -> ComponentFunction | None:
    outer, _, name = path.rpartition("/")
    for each in outer.split("/") if outer else ():
        if each not in exports.instances:
            return None
        exports = exports.instances[each]
    return exports.functions.get(name)
