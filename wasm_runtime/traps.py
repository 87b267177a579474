"""What the engine says when a guest fails, as errors of ours. The only place that reads wasmtime's messages."""

from __future__ import annotations

import ctypes
import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from polycall.interop.errors import LimitError, MemoryLimitError, PolycallError, TrapError
from polycall.wasm_runtime import native
from polycall.wasm_runtime.native import Buffer

__all__ = ["MemoryState", "TooManyMemoriesError", "engine_error", "guest_traceback", "take_error", "take_trap"]

_BYTE_VEC = struct.Struct("=QQ")
_BACKTRACE_HEAD = "error while executing at wasm backtrace:"
_CAUSE_HEAD = "\n\nCaused by:\n"
_NUMBER = re.compile(r"^\s*(?:\d+:\s+)?", re.MULTILINE)
_FRAME = re.compile(r"^\s*\d+:\s+(?:(0x[0-9a-f]+) - )?(\S.*)$", re.MULTILINE)
_OVER_MEMORY_LIMIT = re.compile(r"(?:memory|table) minimum size of \d+ \w+ exceeds|table count too high")
_TOO_MANY_MEMORIES = "memory count too high"
_TOO_MUCH_DATA = "fuel allocated for hostcalls has been exhausted"
_ABORT = "`unreachable`"
_OUT_OF_BOUNDS = "out of bounds memory access"
_PAGE_BYTES = 65536
_NAMELESS = re.compile(r"(?:[^!]*!)?<wasm function \d+>")
_ALLOCATION_FAILED = re.compile(
    r"cabi_realloc|alloc_error|bad_alloc|out_?of_?memory|(?<![a-z])oom(?![a-z])", re.IGNORECASE
)
"""What compilers call the functions that a guest is in when it gives up for lack of memory."""


class TooManyMemoriesError(LimitError):
    """A guest has more memories than its store allows."""


class MemoryState(NamedTuple):
    """What is known of a guest's memories under a limit.

    The engine tells nobody that it refused a `memory.grow`. What shows afterwards are the sizes of exported memories.
    (Memories that the host makes itself would tell, but then the safety of every access would rest on code of ours.)

    Attributes:
        limit_bytes: The guest's ``limits.max_memory_bytes``.
        share_bytes: What each of its memories may hold of that.
        held_bytes: What those hold that can be seen: the exported ones of a core module, none of a component.
    """

    limit_bytes: int
    share_bytes: int
    held_bytes: tuple[int, ...] = ()

    @property
    def full(self) -> bool:
        """Whether a memory that can be seen has no room for one page more."""
        return any(held + _PAGE_BYTES > self.share_bytes for held in self.held_bytes)


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


def engine_error(message: str, memory: MemoryState | None) -> PolycallError:
    """Turns the engine's message about a failed call or start into an error.

    Args:
        message: What wasmtime said.
        memory: What is known of the guest's memories, if they are limited.
    """
    cause, traceback = _split(message)
    if _OVER_MEMORY_LIMIT.search(cause):
        return _over_memory_limit(cause, memory)
    if _TOO_MANY_MEMORIES in cause:
        return TooManyMemoriesError(f"the guest has too many memories: {cause}")
    if _TOO_MUCH_DATA in cause:
        advice = "pass less at once: 128 MiB, of which each element of a list takes 48 bytes, also of list<u8>"
        return LimitError("the guest passed more data than the engine copies in one call", hint=advice)
    if memory is None or not (_ABORT in cause or _OUT_OF_BOUNDS in cause):
        return TrapError(cause, guest_traceback=traceback)
    return _under_memory_limit(cause, traceback, memory)


def _under_memory_limit(cause: str, traceback: str | None, memory: MemoryState) -> PolycallError:
    """Says of a trap whether it was for lack of memory: a guest that is refused some usually aborts like any other."""
    frames = traceback or ""
    if memory.full or (_ABORT in cause and _ALLOCATION_FAILED.search(frames)):
        hint = f"raise limits.max_memory_bytes, which is {memory.limit_bytes}"
        return MemoryLimitError(f"the guest ran out of memory: {cause}", hint=hint, guest_traceback=traceback)
    if memory.held_bytes or _ABORT not in cause or not all(map(_NAMELESS.match, frames.splitlines())):
        return TrapError(cause, guest_traceback=traceback)
    hint = f"if it was for lack of memory, which cannot be seen here: limits.max_memory_bytes is {memory.limit_bytes}"
    return TrapError(cause, hint=hint, guest_traceback=traceback)


def guest_traceback(message: str) -> str | None:
    """Returns the guest's frames in a message of the engine's, innermost first, or None if it shows none."""
    return _split(message)[1]


def _over_memory_limit(cause: str, memory: MemoryState | None) -> MemoryLimitError:
    hint = "no limits.max_memory_bytes makes room for this"
    if memory is not None:
        hint = f"raise limits.max_memory_bytes, which is {memory.limit_bytes} for all its memories together"
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
