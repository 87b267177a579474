"""Components with a host of the test's own: plain functions and classes behind whatever they import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

import wasmtime

from polycall.interop.context import CallContext
from polycall.interop.errors import ImportDeniedError
from polycall.interop.resources import state_of
from polycall.interop.values import Value
from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.host import HostFunction
from polycall.wasm_runtime.component.linked_plan import LinkedPlan
from polycall.wasm_runtime.component.plan import ExportedInstance, ImportedFunction, LiftedFunction
from polycall.wasm_runtime.component.planner import make_plan
from polycall.wasm_runtime.component.validation import validate
from polycall.wasm_runtime.engine.footprint import Footprint
from polycall.wasm_runtime.engine.memory_shares import shares
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

__all__ = ["Hosted", "link"]


class Hosted:
    """An instance in a store of its own.

    Attributes:
        guest: The `ComponentInstance`.
        store: Its store.
    """

    def __init__(self, linked: LinkedPlan, *, seconds: float | None = None) -> None:
        self.store = linked.engine.new_store(None, shares(None, Footprint()))
        self._exports = linked.plan.exports
        self.guest = self._within(lambda: linked.instantiate(self.store), seconds)

    def call(self, name: str, *values: Any, seconds: float | None = None) -> Any:
        """Calls an export; one of an exported instance as ``instance#function``."""
        function = self.function(name)
        return self._within(lambda: self.guest.call(function, values), seconds)

    def drop(self, handle: Any, *, seconds: float | None = None) -> None:
        """Drops a resource that the instance gave away."""
        self._within(lambda: self.guest.drop(state_of(handle)), seconds)

    def close(self) -> None:
        """Frees it."""
        self.guest.close()
        self.store.close()

    def function(self, name: str) -> LiftedFunction:
        """Returns what is behind an export."""
        instance, _, function = name.rpartition("#")
        exports: ExportedInstance = self._exports
        found = (exports.instances[instance] if instance else exports).functions[function]
        assert isinstance(found, LiftedFunction)
        return found

    def _within(self, action: Callable[[], Any], seconds: float | None = None) -> Any:
        deadline = None if seconds is None else monotonic() + seconds
        self.store.begin(CallContext("app:guest", "wasm", None, deadline=deadline))
        try:
            return action()
        finally:
            self.store.end()


class _Host:
    def __init__(self, functions: Mapping[str, Callable[..., Value]], resources: Mapping[str, type]) -> None:
        self._functions = functions
        self._resources = resources

    def function(self, wanted: ImportedFunction) -> HostFunction:
        name = wanted.name or wanted.interface
        return HostFunction(lambda _store, *values: self._functions[name](*values), wanted.signature)

    def resource(self, interface: str, name: str) -> type | None:
        return self._resources.get(name)

    def refuse_import(self, module: str, name: str) -> Exception:
        return ImportDeniedError(f"{module}#{name}")


def link(
    engine: WasmEngine,
    text: str | bytes,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    resources: Mapping[str, type] | None = None,
) -> LinkedPlan:
    """Links a component.

    Args:
        engine: Where it runs.
        text: WebAssembly, as text or binary.
        functions: What it imports, by the names of functions alone.
        resources: The classes of resource types that it imports, by their names.
    """
    binary = text if isinstance(text, bytes) else bytes(wasmtime.wat2wasm(text))
    component = decode(binary)
    plan = make_plan(component, binary)
    validate(component, binary)
    modules = [wasmtime.Module(engine.engine, binary[start:end]) for start, end in plan.modules]
    return LinkedPlan(engine, plan, modules, _Host(functions or {}, resources or {}))
