"""What a file of WebAssembly is: text or binary, component or core module."""

from __future__ import annotations

import re

import wasmtime

from polycall.interop.errors import PreparationError
from polycall.interop.source import SourceText
from polycall.wasm_runtime.component.writer import COMPONENT_HEADER, CORE_HEADER
from polycall.wasm_runtime.engine.guest_text import shown

__all__ = ["assemble", "is_component"]

_TEXT_POSITION = re.compile(r"^ *--> <anon>:(\d+):(\d+)$", re.MULTILINE)
_SHOWN_CHARACTERS = 1_000


def is_component(binary: bytes) -> bool:
    """Whether a binary is a component; a core module else.

    Raises:
        PreparationError: It is neither.
    """
    if not binary:
        raise PreparationError("is empty")
    header = binary[: len(CORE_HEADER)]
    if header not in {CORE_HEADER, COMPONENT_HEADER}:
        raise PreparationError(f"is not WebAssembly: it begins with {header!r}")
    return header == COMPONENT_HEADER


def assemble(source: SourceText) -> bytes:
    """Returns the binary that a text of WebAssembly stands for.

    Raises:
        PreparationError: It is none; the message has file, line and column.
    """
    try:
        return bytes(wasmtime.wat2wasm(source.aligned()))
    except wasmtime.WasmtimeError as error:
        message = str(error)
    # The last one is the assembler's own: what it quotes of the text stands before it, or behind a mark on its line.
    positions = list(_TEXT_POSITION.finditer(message))
    position = positions[-1] if positions else None
    where = source.name if position is None else f"{source.name}:{position[1]}:{position[2]}"
    raise PreparationError(f"{where}: {shown(message.partition(chr(10))[0].strip(), _SHOWN_CHARACTERS)}")
