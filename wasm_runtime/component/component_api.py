"""Components on wasmtime's component API: link, instantiate, call.

With `component_types` and `component_values` the only files that know this API.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from ctypes import c_char_p, c_size_t, c_void_p
from typing import Any, NamedTuple

import wasmtime
from polycall.wasm_runtime.import_links import ImportedInterface, is_our_funcs, refusal
from wasmtime.component import Component, ExportIndex, Linker, LinkerInstance

from polycall.interop.errors import PreparationError
from polycall.interop.values import Value
from polycall.wasm_runtime.component.component_types import (
    exported_functions,
    imported_interfaces,
    nested_instances,
    signature_of,
)
from polycall.wasm_runtime.component.component_values import (
    VALUE_BYTES,
    Arena,
    Lift,
    compile_lift,
    compile_lower,
    owns_memory,
)
from polycall.wasm_runtime.engine.engine_errors import take_error
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.engine.native import COMPONENT_CALLBACK, Buffer, address_of, prototype
from polycall.wasm_runtime.engine.pace import Pace
from polycall.wasm_runtime.engine.signal_shield import SignalShield
from polycall.wasm_runtime.engine.stores import GuestStore, WasmEngine
from polycall.wasm_runtime.exports import supported, the_export
from polycall.wasm_runtime.function import WasmFunction, WasmInstance
from polycall.wasm_runtime.programs import CompiledProgram
from polycall.wasm_runtime.spec import WasmProgram
from polycall.wasm_runtime.wit.signature import Signature

__all__ = ["ComponentFunction", "HostFunction"]

_INSTANCE_BYTES = 16
_FUNCTION_BYTES = 32

_instantiate = prototype("wasmtime_component_linker_instantiate", c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)
_get_function = prototype("wasmtime_component_instance_get_func", ctypes.c_bool, c_void_p, c_void_p, c_void_p, c_void_p)
_call = prototype("wasmtime_component_func_call", c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t)
_add_function = prototype(
    "wasmtime_component_linker_instance_add_func",
    *(c_void_p, c_void_p, c_char_p, c_size_t, COMPONENT_CALLBACK, c_void_p, c_void_p),
)
_clone_value = prototype("wasmtime_component_val_clone", None, c_void_p, c_void_p)
_delete_value = prototype("wasmtime_component_val_delete", None, c_void_p)


class HostFunction(NamedTuple):
    """A function that components may import.

    Attributes:
        signature: What an importing component must agree with.
        implementation: Takes the calling store and the arguments, returns the result; all in the normal form of
            `polycall.wasm_runtime.wit.check_values`. What it raises ends the guest's call.
    """

    signature: Signature
    implementation: Callable[..., Value]


_Handler = Callable[[GuestStore, int, int], None]


class ComponentFunction(WasmFunction):
    """An export of a component, linked with what its entry grants."""

    is_component = True

    def __init__(
        self,
        engine: WasmEngine,
        compiled: CompiledProgram,
        program: WasmProgram,
        funcs: Mapping[str, HostFunction],
    ) -> None:
        component = compiled.code
        if not isinstance(component, Component):
            raise TypeError("a component is expected")
        exports = exported_functions(component, engine.engine)
        self._index = _export_index(
            component, the_export(program.method, exports, nested_instances(component, engine.engine))
        )
        signature = supported(program.method, signature_of(exports[program.method]))
        imports = imported_interfaces(component, engine.engine)
        super().__init__(engine, compiled, program, signature, imports)
        self._links = _Links(engine, component, imports, program.grants, funcs)
        self.lowers = [
            (compile_lower(wit_type), index * VALUE_BYTES) for index, (_, wit_type) in enumerate(signature.params)
        ]
        result = signature.result
        self.lift = None if result is None else compile_lift(result)
        self.result_owns_memory = result is not None and owns_memory(result)

    def _start(self, store: GuestStore) -> ComponentInstance:
        instance, function = Buffer(_INSTANCE_BYTES), Buffer(_FUNCTION_BYTES)
        component = address_of(self._compiled.code.ptr())
        error = _instantiate(self._links.address, store.context, component, instance.address)
        if error:
            raise store.error(take_error(error))
        _get_function(instance.address, store.context, address_of(self._index.ptr()), function.address)
        return ComponentInstance(self, store, function)


class ComponentInstance(WasmInstance):
    """A component's instance with the export that its entry names."""

    def __init__(self, function: ComponentFunction, store: GuestStore, export: Buffer) -> None:
        super().__init__(function, store)
        self._export = export
        self._lowers = function.lowers
        self._lift = function.lift
        self._result_owns_memory = function.result_owns_memory
        self._count = len(function.lowers)
        self._arguments = Buffer(self._count * VALUE_BYTES)
        self._result = Buffer(VALUE_BYTES)
        self._arena = Arena(self._pace)

    def _invoke(self, values: Iterable[Value]) -> Value:
        arguments, result, arena = self._arguments, self._result, self._arena
        for (lower, at), value in zip(self._lowers, values, strict=True):
            lower(value, arguments.data, at, arena)
        context = self._store.context
        wants_result = self._lift is not None
        error = _call(self._export.address, context, arguments.address, self._count, result.address, wants_result)
        arena.reset()
        if error:
            raise self._store.error(take_error(error))
        return None if self._lift is None else self._lifted(self._lift)

    def _lifted(self, lift: Lift) -> Value:
        result = self._result
        if not self._result_owns_memory:
            value: Value = lift(result.data, 0, self._pace)
            return value
        try:
            value = lift(result.data, 0, self._pace)
        finally:
            _delete_value(result.address)
            result.data[:] = bytes(VALUE_BYTES)  # the engine drops what it overwrites, so nothing may be left there
        return value


def _export_index(component: Component, method: str) -> ExportIndex:
    interface, hash_mark, name = method.partition("#")
    parent = component.get_export_index(interface) if hash_mark else None
    index = component.get_export_index(name if hash_mark else method, parent)
    if index is None:
        raise PreparationError(f'the export "{method}" cannot be looked up')
    return index


class _Links:
    """A linker in which every import of a component is defined: as a host function, or as one that refuses."""

    def __init__(
        self,
        engine: WasmEngine,
        component: Component,
        imports: Sequence[ImportedInterface],
        grants: frozenset[str],
        funcs: Mapping[str, HostFunction],
    ) -> None:
        self._engine = engine
        self._handlers: list[_Handler] = []
        self._callback = COMPONENT_CALLBACK(self._called)
        self._linker = Linker(engine.engine)
        with self._linker.root() as root:
            for interface in imports:
                granted = funcs if "funcs" in grants and is_our_funcs(interface.name) else {}
                self._define(root, interface, grants, granted)
        try:
            self._linker.define_unknown_imports_as_traps(component)  # resource types: nothing else is left
        except wasmtime.WasmtimeError as error:
            raise PreparationError(f"the component cannot be linked: {shown(str(error), 1_000)}") from error
        self.address = address_of(self._linker.ptr())

    def _define(
        self,
        root: LinkerInstance,
        interface: ImportedInterface,
        grants: frozenset[str],
        granted: Mapping[str, HostFunction],
    ) -> None:
        if "" in interface.functions:
            self._add(root, interface.name, _refuse(interface.name, "", grants))
        elif interface.functions:
            with root.add_instance(interface.name) as instance:
                for name, signature in interface.functions.items():
                    host = granted.get(name)
                    refuse = _refuse(interface.name, name, grants)
                    self._add(instance, name, _serve(host, interface.name, name, signature) if host else refuse)

    def _add(self, instance: LinkerInstance, name: str, handler: _Handler) -> None:
        encoded = name.encode()
        error = _add_function(
            address_of(instance.ptr()), encoded, len(encoded), self._callback, len(self._handlers), None
        )
        if error:
            raise PreparationError(f'the import "{shown(name)}" cannot be linked: {take_error(error).cause}')
        self._handlers.append(handler)

    def _called(
        self, index: int | None, context: int, _type: int, arguments: int, _n: int, results: int, _m: int
    ) -> int | None:
        shield: SignalShield | None = None
        try:
            store = self._engine.store_of(context)
            shield = store.shield
            if shield is not None:
                shield.open()
            self._handlers[index or 0](store, arguments, results)
        except BaseException as failure:  # noqa: BLE001 - Ctrl-C lands here too; nothing may unwind through the engine
            if shield is not None:
                shield.holding = True
            return self._engine.keep(context, failure)
        if shield is not None:
            shield.holding = True
        return None


def _refuse(interface: str, function: str, grants: frozenset[str]) -> _Handler:
    def handler(_store: GuestStore, _arguments: int, _results: int) -> None:
        raise refusal(interface, function, grants, is_component=True)

    return handler


def _serve(host: HostFunction, interface: str, name: str, wanted: Signature | None) -> _Handler:
    types = [wit_type for _, wit_type in host.signature.params]
    if wanted is None or [wit_type for _, wit_type in wanted.params] != types or wanted.result != host.signature.result:
        raise PreparationError(
            f"the component imports {interface}#{name} as {shown(str(wanted))}; it is {host.signature}"
        )
    lifts = [(compile_lift(wit_type), index * VALUE_BYTES) for index, wit_type in enumerate(types)]
    result_type = host.signature.result
    lower = None if result_type is None else compile_lower(result_type)

    def handler(store: GuestStore, arguments: int, results: int) -> None:
        image = ctypes.string_at(arguments, len(lifts) * VALUE_BYTES)
        pace = Pace(store.call)
        value: Any = host.implementation(store, *(lift(image, at, pace) for lift, at in lifts))
        if lower is not None:
            ours, theirs, parts = Buffer(VALUE_BYTES), Buffer(VALUE_BYTES), Arena(pace)
            lower(value, ours.data, 0, parts)
            _clone_value(ours.address, theirs.address)
            # Moved, not cloned there directly: cloning drops what it overwrites, and the slot holds nothing valid yet.
            ctypes.memmove(results, theirs.address, VALUE_BYTES)

    return handler
