"""Whether a component is valid: the engine's own validator says so, of a skeleton of it."""

from __future__ import annotations

import wasmtime
import wasmtime.component

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.definitions import Component
from polycall.wasm_runtime.component.skeleton import skeleton
from polycall.wasm_runtime.engine.guest_text import shown

__all__ = ["one_line", "validate"]

_SHOWN_CHARACTERS = 1_000


def validate(engine: wasmtime.Engine, component: Component, binary: bytes) -> None:
    """Has the engine's validator judge a component.

    The engine has no call that only validates. So it compiles: of the skeleton, in which each core module has the types,
    imports and exports of the real one and no code to speak of. Of the code the engine judges when it compiles the modules.

    Args:
        engine: Any that is configured like the one that runs guests.
        component: What the binary says; its plan was made, so it is bounded.
        binary: The whole binary.

    Raises:
        PreparationError: It is not valid.
    """
    try:
        wasmtime.component.Component(engine, skeleton(component, binary) or binary)
    except wasmtime.WasmtimeError as error:
        raise PreparationError(f"does not compile: {one_line(str(error))}") from error


def one_line(message: str) -> str:
    """Returns what the engine says on one line, and not too long."""
    lines = (line.strip() for line in message[:_SHOWN_CHARACTERS].splitlines())
    return shown(": ".join(line for line in lines if line and line != "Caused by:"), _SHOWN_CHARACTERS)
