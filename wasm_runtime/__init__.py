"""WebAssembly for polycall: the entry kinds as declared, and the runtime that calls them.

Importing this package does not load the engine: `polycall.wasm_runtime.runtime` does.
"""

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
