"""Core modules with a ``wit`` signature: link, instantiate, call (specification: system facts 2.6)."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable
from ctypes import c_bool, c_char_p, c_size_t, c_void_p
from typing import Any

import wasmtime

from polycall.interop.errors import PreparationError
from polycall.interop.values import Value
from polycall.wasm_runtime.canonical.canonical_abi import (
    compile_flatten,
    compile_lift_flat,
    compile_load,
    compile_store,
)
from polycall.wasm_runtime.canonical.layout import alignment, size
from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.core.abort_import import abort_error, is_abort
from polycall.wasm_runtime.core.core_signature import INITIALIZE, core_type_of, declared_signature, plan_core_call
from polycall.wasm_runtime.engine.engine_errors import take_error
from polycall.wasm_runtime.engine.guest_text import listed, shown
from polycall.wasm_runtime.engine.native import CORE_CALLBACK, Buffer, address_of, caller_context, prototype, trap_new
from polycall.wasm_runtime.engine.stores import GuestStore, WasmEngine
from polycall.wasm_runtime.function import WasmFunction, WasmInstance
from polycall.wasm_runtime.import_links import ImportedInterface, refusal
from polycall.wasm_runtime.programs import CompiledProgram
from polycall.wasm_runtime.spec import WasmProgram
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import TupleType

__all__ = ["CoreFunction"]

_VALUE_BYTES = 16
_INSTANCE_BYTES = 16
_EXTERN_BYTES = 32
_EXTERN_CONTENT = 8
_NO_TRAP = bytes(8)
_CORE_IMAGES = {"i32": "I12x", "i64": "Q8x", "f32": "f12x", "f64": "d8x"}
_HOST_FAILED = b"a host function failed"

_define_function = prototype(
    "wasmtime_linker_define_func_unchecked",
    *(c_void_p, c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p, CORE_CALLBACK, c_void_p, c_void_p),
)
_instantiate = prototype("wasmtime_instance_pre_instantiate", c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)
_export = prototype("wasmtime_instance_export_get", c_bool, c_void_p, c_void_p, c_char_p, c_size_t, c_void_p)
_call = prototype("wasmtime_func_call_unchecked", c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p)

_LowerAll = Callable[[Iterable[Value], GuestMemory], list[Any]]
_LiftResult = Callable[[Any, GuestMemory], Any]


class CoreFunction(WasmFunction):
    """An export of a core module, by the signature that its entry declares."""

    is_component = False

    def __init__(self, engine: WasmEngine, compiled: CompiledProgram, program: WasmProgram) -> None:
        module = compiled.code
        if not isinstance(module, wasmtime.Module):
            raise TypeError("a core module is expected")
        signature = declared_signature(program.method, program.wit)
        self.method = program.method
        self.plan = plan_core_call(program.method, signature, module)
        self.memories = [each.name for each in module.exports if isinstance(each.type, wasmtime.MemoryType)]
        super().__init__(engine, compiled, program, signature, _imports(module))
        self._links = _Links(engine, module, program.grants)
        self.lower = _compile_spill(signature) if self.plan.spilled else _compile_parameters(signature)
        self.lift = _compile_result(signature, self.plan.returns_pointer)
        self.parameter_image = struct.Struct("<" + "".join(_CORE_IMAGES[core] for core in self.plan.parameters))
        self.result_image = struct.Struct("<" + "".join(_CORE_IMAGES[core] for core in self.plan.results))

    def _start(self, store: GuestStore) -> CoreInstance:
        made, trap = Buffer(_INSTANCE_BYTES), Buffer(len(_NO_TRAP))
        error = _instantiate(self._links.address, store.context, made.address, trap.address)
        _check(store, error, trap)
        store.complete()
        instance = CoreInstance(self, store, made)
        if self.plan.initializes:
            instance.initialize()
        return instance


def _compile_parameters(signature: Signature) -> _LowerAll:
    flattens = [compile_flatten(wit_type) for _, wit_type in signature.params]

    def lower(values: Iterable[Value], memory: GuestMemory) -> list[Any]:
        cores: list[Any] = []
        for flatten, value in zip(flattens, values, strict=True):
            cores += flatten(value, memory)
        return cores

    return lower


def _compile_spill(signature: Signature) -> _LowerAll:
    together = TupleType(tuple(wit_type for _, wit_type in signature.params))
    store, length, boundary = compile_store(together), size(together), alignment(together)

    def lower(values: Iterable[Value], memory: GuestMemory) -> list[Any]:
        address = memory.allocate(length, boundary)
        image = bytearray(length)
        store(values, image, 0, memory)
        memory.write(address, image)
        return [address]

    return lower


def _compile_result(signature: Signature, returns_pointer: bool) -> _LiftResult | None:
    wit_type = signature.result
    if wit_type is None:
        return None
    if not returns_pointer:
        lift = compile_lift_flat(wit_type)
        return lambda core, _memory: lift(core)
    load, length, boundary = compile_load(wit_type), size(wit_type), alignment(wit_type)

    def lift_pointer(address: Any, memory: GuestMemory) -> Any:
        return load(memory.read(address, length, "the result", boundary), 0, memory)

    return lift_pointer


class CoreInstance(WasmInstance):
    """An instance of a core module with the export that its entry names."""

    def __init__(self, function: CoreFunction, store: GuestStore, instance: Buffer) -> None:
        super().__init__(function, store)
        plan = function.plan
        self._instance = instance
        self._exports: list[Buffer] = []
        self._lower = function.lower
        self._lift = function.lift
        self._pack = function.parameter_image.pack_into
        self._unpack = function.result_image.unpack_from
        self._count = max(len(plan.parameters), len(plan.results))
        self._values = Buffer(_VALUE_BYTES * max(1, self._count))
        self._trap = Buffer(len(_NO_TRAP))
        self._target = self._export(function.method)
        self._post_return = self._export(plan.post_return) if plan.post_return else None
        self._allocator = plan.allocator and (self._export(plan.allocator[0]), plan.allocator[1])
        self._memory = GuestMemory(store, self._export("memory") if plan.uses_memory else 0, self._allocate, self._pace)
        store.watch([self._export(name) for name in function.memories])

    def close(self) -> None:
        """Frees the guest's memory; harmless when repeated."""
        super().close()
        self._memory.close()

    def initialize(self) -> None:
        """Runs what compilers of libraries put before everything else, such as constructors (WASI, "reactors")."""
        try:
            self._run(self._export(INITIALIZE), self._values, 0)
            self._store.watch(self._store.memories)  # what it grew by is part of how it starts
        except BaseException:
            self.close()
            raise

    def _export(self, name: str) -> int:
        """Returns the address of an export's ``wasmtime_func_t`` or ``wasmtime_memory_t``; it lives as long as this."""
        found = Buffer(_EXTERN_BYTES)
        self._exports.append(found)
        encoded = name.encode()
        _export(self._store.context, self._instance.address, encoded, len(encoded), found.address)
        return found.address + _EXTERN_CONTENT

    def _invoke(self, values: Iterable[Value]) -> Value:
        self._pack(self._values.data, 0, *self._lower(values, self._memory))
        self._run(self._target, self._values, self._count)
        results = self._unpack(self._values.data, 0)
        value: Value = None if self._lift is None else self._lift(results[0], self._memory)
        if self._post_return is not None:
            self._run(self._post_return, self._values, len(results))  # it takes the results, which lie there still
        return value

    def _run(self, target: int, values: Buffer, count: int) -> None:
        error = _call(self._store.context, target, values.address, count, self._trap.address)
        if error or self._trap.data != _NO_TRAP:
            _check(self._store, error, self._trap)

    def _allocate(self, length: int, boundary: int) -> int:
        if self._allocator is None:
            raise TypeError("no allocator was planned for")
        target, parameters = self._allocator
        arguments = {1: (length,), 2: (length, boundary), 4: (0, 0, boundary, length)}[parameters]
        values = Buffer(_VALUE_BYTES * parameters)
        for index, argument in enumerate(arguments):
            struct.pack_into("<I", values.data, index * _VALUE_BYTES, argument)
        self._store.wanted_bytes = length
        self._run(target, values, parameters)
        self._store.wanted_bytes = 0  # if it failed, the instance is not used again
        address: int = struct.unpack_from("<I", values.data)[0]
        return address


def _check(store: GuestStore, error: int | None, trap: Buffer) -> None:
    """Raises if an engine's call gave an error or set a trap."""
    if error:
        raise store.error(take_error(error))
    trapped = int.from_bytes(trap.data, sys.byteorder)
    if trapped:
        raise store.error(take_error(trapped))


def _imports(module: wasmtime.Module) -> list[ImportedInterface]:
    """Returns what a module imports, by the module it is imported from.

    Raises:
        PreparationError: It imports something other than functions, for which nothing can stand in.
    """
    found: dict[str, dict[str, Signature | None]] = {}
    others: list[str] = []
    for item in module.imports:
        if isinstance(item.type, wasmtime.FuncType):
            if not is_abort(item.module, item.name or "", core_type_of(item.type)):
                found.setdefault(item.module, {})[item.name or ""] = None
        else:
            kind = type(item.type).__name__.removesuffix("Type").lower()
            others.append(f"the {kind} {item.module}#{item.name}")
    if others:
        raise PreparationError(f"the module imports {listed(others)}, which nobody gives it")
    return [ImportedInterface(name, functions) for name, functions in found.items()]


class _Links:
    """A module linked so that every function it imports refuses: there are no hosts for core modules yet.

    ``env#abort`` fails as well, which is what it is for.
    """

    def __init__(self, engine: WasmEngine, module: wasmtime.Module, grants: frozenset[str]) -> None:
        self._engine = engine
        self._grants = grants
        self._names: list[tuple[str, str]] = []
        self._aborts: set[int] = set()
        self._callback = CORE_CALLBACK(self._called)
        linker = wasmtime.Linker(engine.engine)
        linker.allow_shadowing = True  # a module may import the same function twice
        for item in module.imports:
            self._define(linker, item)
        self._linked = linker.instantiate_pre(module)
        self.address = address_of(self._linked.ptr())

    def _define(self, linker: wasmtime.Linker, item: wasmtime.ImportType) -> None:
        name = item.name or ""
        parts = [part for text in (item.module, name) for part in (text.encode(), len(text.encode()))]
        core_type = item.type
        if not isinstance(core_type, wasmtime.FuncType):
            raise TypeError("only functions can be linked")
        error = _define_function(
            *(address_of(linker.ptr()), *parts, address_of(core_type.ptr()), self._callback, len(self._names), None)
        )
        if error:
            raise PreparationError(
                f"the import {shown(f'{item.module}#{name}')} cannot be linked: {take_error(error).cause}"
            )
        if is_abort(item.module, name, core_type_of(core_type)):
            self._aborts.add(len(self._names))
        self._names.append((item.module, name))

    def _called(self, index: int | None, caller: int, values: int, _count: int) -> int:
        # It runs no code of others, so the shield stays up: a signal waits until the engine has returned.
        store = self._engine.store_of(caller_context(caller))
        if (index or 0) in self._aborts:
            store.failure = abort_error(caller, values)
        else:
            store.failure = refusal(*self._names[index or 0], self._grants, is_component=False)
        trap: int = trap_new(_HOST_FAILED, len(_HOST_FAILED))
        return trap
