"""A plan linked with its host: once for each entry, for all its instances."""

from __future__ import annotations

from collections.abc import Sequence

import wasmtime

from polycall.interop.errors import InternalError
from polycall.wasm_runtime.canonical.codec import Codec, codec
from polycall.wasm_runtime.canonical.handles import ResourceType
from polycall.wasm_runtime.component.frames import Frames, Given
from polycall.wasm_runtime.component.host import Host, HostFunction
from polycall.wasm_runtime.component.instance import ComponentInstance, ModuleStep
from polycall.wasm_runtime.component.plan import (
    AbortImport,
    AsyncFunction,
    CoreFunctionType,
    CoreImport,
    DefineResource,
    HostCoreFunction,
    ImportedFunction,
    Initialize,
    Instantiate,
    LiftedFunction,
    LoweredFunction,
    Plan,
    RefusedImport,
    ResourceFunction,
    ResourceSlot,
    Step,
)
from polycall.wasm_runtime.engine.native import address_of, as_pointer
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine
from polycall.wasm_runtime.wit.signature import Signature

__all__ = ["LinkedPlan"]


def _memory_names(module: wasmtime.Module) -> tuple[str, ...]:
    return tuple(each.name for each in module.exports if isinstance(each.type, wasmtime.MemoryType))


def _host_type(slot: ResourceSlot, host: Host) -> ResourceType | None:
    """Returns the resource type of a slot; None for one that each instance has its own of."""
    if slot.owner is not None:
        return None
    implementation = None if slot.interface is None else host.resource(slot.interface, slot.name)
    return ResourceType(slot.name, None, implementation)


def _core_type(function: HostCoreFunction) -> CoreFunctionType:
    if isinstance(function, (LoweredFunction, ResourceFunction, AsyncFunction)):
        return function.core_type
    raise TypeError("only the engine knows the type of what a core module imports")


class LinkedPlan:
    """A plan with the host functions of one entry. Shared by threads.

    Attributes:
        plan: The plan.
        functypes: The addresses of the ``wasm_functype_t`` of the core functions that the host gives.
        frames: What instances keep of their core instances.
        enters_host: Whether code of its guests may call into Python: a host's function, a built-in of resources, or
            another component instance.
        initializes: Whether instances call a function of the guest before they are complete, beside what core modules
            start by themselves.
        may_batch: Whether calls of an allocator may follow each other without anything in between: each is a task of
            its own, with its own context slots.
    """

    def __init__(
        self,
        engine: WasmEngine,
        plan: Plan,
        modules: Sequence[wasmtime.Module],
        host: Host,
    ) -> None:
        """Links a plan.

        Args:
            engine: Where its instances run.
            plan: What they do.
            modules: Its core modules, compiled.
            host: What stands behind its imports.

        Raises:
            PreparationError: It imports a function with another signature than the host's.
        """
        self.engine = engine
        self.plan = plan
        self.enters_host = bool(plan.host_functions)
        self.initializes = any(isinstance(step, Initialize) for step in plan.steps)
        self.may_batch = not any(
            isinstance(each, AsyncFunction) and each.name == "context.set" for each in plan.host_functions
        )
        self._modules = modules  # they live as long as this does
        self._functions = {
            wanted: host.function(wanted)
            for interface in plan.imports
            for wanted in interface.functions.values()
            if wanted.signature is not None or wanted.refusal is not None  # else a core module imports it
        }
        self._host_types = [_host_type(slot, host) for slot in plan.slots]
        self._memory_names = [_memory_names(module) for module in modules]  # once: a module may have many instances
        self.frames = Frames(plan.steps)
        self._steps = self._linked(plan.steps)
        self._types = self._core_types(plan.host_functions)
        self.functypes = [as_pointer(address_of(each.ptr())) for each in self._types]
        self.refuse_import = host.refuse_import
        # By the identity of the plan's functions: their hash takes long.
        self._codecs: dict[int, Codec] = {}
        self._hosts: dict[int, HostFunction] = {}
        self._entering: dict[tuple[int, int | None], tuple[int, ...]] = {}

    def _linked(self, steps: Sequence[Step]) -> list[ModuleStep | DefineResource | Initialize]:
        given = enumerate(self.frames.given)
        return [self._module(step, *next(given)) if isinstance(step, Instantiate) else step for step in steps]

    def _module(self, step: Instantiate, core: int, given: Given) -> ModuleStep:
        address = as_pointer(address_of(self._modules[step.module].ptr()))
        return ModuleStep(core, address, given, self._memory_names[step.module])

    def _core_types(self, functions: Sequence[HostCoreFunction]) -> list[wasmtime.FuncType]:
        if any(isinstance(each, (CoreImport, RefusedImport, AbortImport)) for each in functions):
            # The imports of the one module that there is, in its order. Those that are given something have its type:
            # `polycall.wasm_runtime.core_plan` sees to that. The others only fail, whatever their types.
            return [each.type for each in self._modules[0].imports if isinstance(each.type, wasmtime.FuncType)]
        return [self.engine.function_type(_core_type(each)) for each in functions]

    def instantiate(self, store: GuestStore) -> ComponentInstance:
        """Makes an instance in a store; `GuestStore.begin` has been called, unless that is short in any case.

        Raises:
            PolycallError: The guest's start code trapped or was interrupted.
        """
        instance = ComponentInstance(self, store)
        try:
            for step in self._steps:
                if isinstance(step, ModuleStep):
                    instance.instantiate(step)
                elif isinstance(step, DefineResource):
                    instance.define(step)
                else:
                    store.complete()
                    instance.core_call(step.core, 0).run()
        except BaseException:
            instance.close()
            raise
        store.complete()
        store.watch(instance.memories)
        return instance

    def host_function(self, function: ImportedFunction) -> HostFunction:
        """Returns what stands behind an imported function; looked up once for all instances."""
        found = self._hosts.get(id(function))
        if found is None:
            found = self._hosts[id(function)] = self._functions[function]
        return found

    def entering(self, number: int, caller: int | None) -> tuple[int, ...]:
        """Returns the component instances that a call enters: the callee and those around it, without the caller's."""
        found = self._entering.get((number, caller))
        if found is None:
            outside = () if caller is None else self._with_ancestors(caller)
            found = tuple(each for each in self._with_ancestors(number) if each not in outside)
            self._entering[number, caller] = found
        return found

    def _with_ancestors(self, number: int | None) -> tuple[int, ...]:
        found: list[int] = []
        while number is not None:
            found.append(number)
            number = self.plan.parents[number]
        return tuple(found)

    def codec(self, function: LiftedFunction | LoweredFunction, signature: Signature) -> Codec:
        """Returns how the values of a function of the plan cross; looked up once for all instances."""
        found = self._codecs.get(id(function))
        if found is None:
            found = codec(signature, function.options.encoding)
            # The engine checks calls by the type that the planner computed; the slots are read by the codec's.
            if isinstance(function, LoweredFunction) and function.core_type != found.lowered_core_type:
                raise InternalError(f"a lowered function has two core types: {signature}")
            self._codecs[id(function)] = found
        return found

    def resource_types(self) -> list[ResourceType]:
        """Returns the resource types of an instance, by slot: fresh ones of the guest's, those of hosts for all."""
        slots = zip(self._host_types, self.plan.slots, strict=True)
        return [found or ResourceType(slot.name, slot.owner) for found, slot in slots]
