"""WebAssembly for polycall: the entry kinds as declared, and the runtime that calls them.

Importing this package does not load the engine: `polycall.wasm_runtime.runtime` does. Nor does it make the dataclasses
of the kinds, which a project without WebAssembly does not need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polycall.interop.lazy import lazy

if TYPE_CHECKING:
    from polycall.wasm_runtime.spec import (
        KINDS,
        BinaryFile,
        WasiEnvSpec,
        WasiMountSpec,
        WasiSpec,
        WasmFunctionSpec,
        WasmProgram,
        WatFunctionSpec,
    )

__all__ = [
    "KINDS",
    "BinaryFile",
    "WasiEnvSpec",
    "WasiMountSpec",
    "WasiSpec",
    "WasmFunctionSpec",
    "WasmProgram",
    "WatFunctionSpec",
]

__getattr__ = lazy(__name__, {"polycall.wasm_runtime.spec": __all__})
