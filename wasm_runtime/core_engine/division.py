"""A module that imports its memory, as two: that memory, and code that writes nothing into it when it starts."""

from __future__ import annotations

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.core_module import CoreMemory, read_declarations
from polycall.wasm_runtime.component.memory_image import memory_module
from polycall.wasm_runtime.component.writer import CORE_HEADER, section, vector

__all__ = ["divided"]

_START, _DATA, _DATA_COUNT = 8, 11, 12
"""Sections that write into memory: the start function of C code does nothing but wipe what has no data."""

_NO_SEGMENTS = vector([])


def divided(binary: bytes) -> tuple[bytes, bytes]:
    """Returns a module's memory and its code, each a module; see `polycall.interop.core_engine.CoreEngine.divided`.

    Raises:
        PreparationError: It is malformed, or does not import one memory.
    """
    found = read_declarations(binary)
    memories = [each for each in found.imported("memory") if isinstance(each, CoreMemory)]
    if len(memories) != 1:
        raise PreparationError("a module to be divided imports one memory")
    content = {number: binary[start:end] for number, (start, end) in found.spans.items()}
    code = [section(number, content[number]) for number in content if number not in {_START, _DATA, _DATA_COUNT}]
    return memory_module(memories[0].least, content.get(_DATA, _NO_SEGMENTS)), CORE_HEADER + b"".join(code)
