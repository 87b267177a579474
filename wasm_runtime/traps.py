"""What the engine says when a guest fails, as errors of ours. The only place that reads wasmtime's messages."""

from __future__ import annotations

import ctypes
import re
import struct
from collections.abc import Callable

from interop.errors import LimitError, MemoryLimitError, PolycallError, TrapError
from wasm_runtime import native
from wasm_runtime.native import Buffer

__all__ = ["TooManyMemoriesError", "engine_error", "guest_traceback", "take_error", "take_trap"]

_BYTE_VEC = struct.Struct("=QQ")
_BACKTRACE_HEAD = "error while executing at wasm backtrace:"
_CAUSE_HEAD = "\n\nCaused by:\n"
_NUMBER = re.compile(r"^\s*(?:\d+:\s+)?", re.MULTILINE)
_FRAME = re.compile(r"^\s*\d+:\s+(?:(0x[0-9a-f]+) - )?(\S.*)$", re.MULTILINE)
_OVER_MEMORY_LIMIT = re.compile(r"(?:memory|table) minimum size of \d+ \w+ exceeds|table count too high")
_TOO_MANY_MEMORIES = "memory count too high"
_TOO_MUCH_DATA = "fuel allocated for hostcalls has been exhausted"
_ABORT = "`unreachable`"


class TooManyMemoriesError(LimitError):
    """A guest has more memories than its store allows."""


def take_error(error: int) -> str:
    """Returns the message of a ``wasmtime_error_t`` and frees it."""
    try:
        return _message(native.error_message, error)
    finally:
        native.error_delete(error)


def take_trap(trap: int) -> str:
    """Returns the message of a ``wasm_trap_t`` and frees it."""
    try:
        return _message(native.trap_message, trap).removesuffix("\0")
    finally:
        native.trap_delete(trap)


def _message(read: Callable[..., None], source: int) -> str:
    vector = Buffer(_BYTE_VEC.size)
    read(source, vector.address)
    try:
        size, data = _BYTE_VEC.unpack(vector.data)
        return ctypes.string_at(data, size).decode("utf-8", "replace")
    finally:
        native.byte_vec_delete(vector.address)


def engine_error(message: str, memory_limit: int | None) -> PolycallError:
    """Turns the engine's message about a failed call or start into an error.

    Args:
        message: What wasmtime said.
        memory_limit: The guest's ``limits.max_memory_bytes``. A guest that ran out of memory usually ends in an abort
            like any other, so the limit is mentioned.
    """
    cause, traceback = _split(message)
    if _OVER_MEMORY_LIMIT.search(cause):
        return _over_memory_limit(cause, memory_limit)
    if _TOO_MANY_MEMORIES in cause:
        return TooManyMemoriesError(f"the guest has too many memories: {cause}")
    if _TOO_MUCH_DATA in cause:
        advice = "pass less at once: 128 MiB, of which each element of a list takes 48 bytes, also of list<u8>"
        return LimitError("the guest passed more data than the engine copies in one call", hint=advice)
    hint: str | None = None
    if memory_limit is not None and _ABORT in cause:
        hint = f"it may have run out of memory: limits.max_memory_bytes is {memory_limit}"
    return TrapError(cause, hint=hint, guest_traceback=traceback)


def guest_traceback(message: str) -> str | None:
    """Returns the guest's frames in a message of the engine's, innermost first, or None if it shows none."""
    return _split(message)[1]


def _over_memory_limit(cause: str, memory_limit: int | None) -> MemoryLimitError:
    hint = "no limits.max_memory_bytes makes room for this"
    if memory_limit is not None:
        hint = f"raise limits.max_memory_bytes, which is {memory_limit} for all its memories together"
    return MemoryLimitError(f"the guest's {cause}", hint=hint)


def _split(message: str) -> tuple[str, str | None]:
    head, _, causes = message.partition(_CAUSE_HEAD)
    if not head.startswith(_BACKTRACE_HEAD):
        return _joined(message.replace(_CAUSE_HEAD, "\n")), None
    frames = _FRAME.findall(head.removeprefix(_BACKTRACE_HEAD))
    lines = (f"{name} (at {offset})" if offset else name for offset, name in frames)
    return _joined(causes), "\n".join(lines)


def _joined(causes: str) -> str:
    lines = _NUMBER.sub("", causes.strip()).splitlines()
    return ": ".join(line.strip() for line in lines if line.strip())
