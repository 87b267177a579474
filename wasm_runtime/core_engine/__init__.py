"""Core WebAssembly of the project's own, for other runtimes; see `polycall.interop.core_engine`."""

from __future__ import annotations

from polycall.wasm_runtime.core_engine.engine import WasmCoreEngine

__all__ = ["WasmCoreEngine"]
