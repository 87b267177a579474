"""polycall's component engine, as the suite's runner wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import wasmtime

from conformance.runner import Instance, Loaded
from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.plan import Plan
from polycall.wasm_runtime.component.planner import make_plan
from polycall.wasm_runtime.component.validator import validate
from polycall.wasm_runtime.engine.stores import WasmEngine

__all__ = ["OurEngine"]


class OurEngine:
    """Decodes, plans, validates and compiles."""

    def __init__(self) -> None:
        self._engine = WasmEngine()

    def load(self, binary: bytes) -> Loaded:
        """Returns a component that is valid."""
        component = decode(binary)
        plan = make_plan(component, binary)
        validate(component, binary)
        return _Component(plan, [self._compiled(binary[start:end]) for start, end in plan.modules])

    def _compiled(self, module: bytes) -> wasmtime.Module:
        try:
            return wasmtime.Module(self._engine.engine, module)
        except wasmtime.WasmtimeError as error:
            raise PreparationError(str(error)) from None


class _Component:
    def __init__(self, plan: Plan, modules: Sequence[wasmtime.Module]) -> None:
        self._plan = plan
        self._modules = modules

    def instantiate(self, named: Mapping[str, Instance]) -> Instance:
        raise PreparationError("instances are not there yet")
