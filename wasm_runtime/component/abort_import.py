"""``env#abort``: how AssemblyScript says that an assertion failed, or that an error was thrown which nobody caught.

Specification: AssemblyScript, "Special imports" (``abort(message, fileName, line, column)``) and "Memory layout": a
string is UTF-16 with its size in bytes in the four bytes before it.
"""

from __future__ import annotations

import struct
from ctypes import string_at

from polycall.interop.errors import TrapError
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.engine.native import Buffer, caller_context, caller_export, memory_data, memory_size

__all__ = ["ABORT_TYPE", "abort_error", "is_abort"]

ABORT_TYPE = ("i32",) * 4, ()
"""The core type of the function."""

_EXTERN_BYTES = 32
_EXTERN_CONTENT = 8
_IS_MEMORY = 3
_ARGUMENTS = struct.Struct("<I12xI12xI12xI12x")
_SIZE = struct.Struct("<I")
_MOST_TEXT_BYTES = 2_000


def is_abort(module: str, name: str, core_type: tuple[tuple[str, ...], tuple[str, ...]]) -> bool:
    """Whether an import of a core module is this function."""
    return (module, name) == ("env", "abort") and core_type == ABORT_TYPE


def abort_error(caller: int, values: memoryview) -> TrapError:
    """Returns the error of a guest that aborted.

    Args:
        caller: The ``wasmtime_caller_t`` of the call.
        values: Its arguments, in slots.
    """
    message, file, line, column = _ARGUMENTS.unpack(values)
    said = _string(caller, message)
    place = _string(caller, file)
    where = f" at {shown(place)}:{line}:{column}" if place else ""
    return TrapError(f"the guest aborted{where}: {shown(said or 'an assertion failed', _MOST_TEXT_BYTES)}")


def _string(caller: int, at: int) -> str:
    """Returns the string at an address of the guest's; empty for null and for what lies in no exported memory."""
    found = Buffer(_EXTERN_BYTES)
    if at < _SIZE.size or not caller_export(caller, b"memory", len(b"memory"), found.address):
        return ""
    if found.data[0] != bytes([_IS_MEMORY]):
        return ""
    context, memory = caller_context(caller), found.address + _EXTERN_CONTENT
    end = memory_size(context, memory)
    if at > end:
        return ""
    base = memory_data(context, memory)
    (size,) = _SIZE.unpack(string_at(base + at - _SIZE.size, _SIZE.size))
    if at + size > end:
        return ""
    return string_at(base + at, min(size, _MOST_TEXT_BYTES) & ~1).decode("utf-16-le", "replace")
