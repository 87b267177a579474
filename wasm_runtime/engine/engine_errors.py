"""What the engine says of a failure, taken apart by structure: its trap code, its frames, and its own last words.

A guest chooses the names of its functions and modules, and the engine prints them into the same text as its own words.
So the code decides what a trap is, and words count only where no name can stand: behind the frames.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from ctypes import c_uint8
from typing import NamedTuple

from polycall.wasm_runtime.engine import native
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.engine.native import Buffer

__all__ = ["EngineError", "take_error"]

_SIZE_ADDRESS = struct.Struct("=QQ")
_BACKTRACE_HEAD = "error while executing at wasm backtrace:\n"
_CAUSE_HEAD = "\n\nCaused by:\n"
_MOST_FRAMES = 50
_LONGEST_CAUSE = 1_000
_MANGLED = ("_R", "_Z")


class EngineError(NamedTuple):
    """A failure as the engine tells it.

    Attributes:
        cause: The engine's words, without frames, on one line.
        code: The engine's number for a trap, or None if it was none.
        traceback: The guest's frames, innermost first, one a line; None if no guest's code ran.
    """

    cause: str
    code: int | None = None
    traceback: str | None = None


def take_error(error: int) -> EngineError:
    """Returns what a ``wasmtime_error_t`` or ``wasm_trap_t`` says, and frees it."""
    try:
        message = _bytes(native.error_message, error)
        frames = list(_frames(error))
        return EngineError(_cause(message, bool(frames)), _code(error), _traceback(frames, message))
    finally:
        native.error_delete(error)


def _code(error: int) -> int | None:
    code = c_uint8()
    return code.value if native.trap_code(error, ctypes.addressof(code)) else None


def _bytes(read: Callable[[int, int], None], source: int) -> str:
    vector = Buffer(_SIZE_ADDRESS.size)
    read(source, vector.address)
    try:
        return _text(vector.address)
    finally:
        native.byte_vec_delete(vector.address)


def _text(vector: int) -> str:
    size, data = _SIZE_ADDRESS.unpack(ctypes.string_at(vector, _SIZE_ADDRESS.size))
    return ctypes.string_at(data, size).decode("utf-8", "replace") if size else ""


def _cause(message: str, has_frames: bool) -> str:
    if has_frames:
        # The last head is the engine's, whatever functions are called: it prints them above.
        message = message.rpartition(_CAUSE_HEAD)[2]
    lines = (line.strip() for line in message[:_LONGEST_CAUSE].splitlines())
    return shown(": ".join(line for line in lines if line and line != "Caused by:"), _LONGEST_CAUSE)


class _Frame(NamedTuple):
    module: str
    function: str
    offset: int


def _frames(error: int) -> Iterator[_Frame]:
    vector = Buffer(_SIZE_ADDRESS.size)
    native.error_trace(error, vector.address)
    try:
        count, data = _SIZE_ADDRESS.unpack(vector.data)
        if count:
            for frame in struct.unpack(f"={count}Q", ctypes.string_at(data, count * 8))[:_MOST_FRAMES]:
                yield _frame(frame)
    finally:
        native.frame_vec_delete(vector.address)


def _frame(frame: int) -> _Frame:
    module, function = native.frame_module(frame), native.frame_function(frame)
    offset = native.frame_offset(frame)
    return _Frame(
        _text(module) if module else "<unknown>",
        _text(function) if function else f"<wasm function {native.frame_index(frame)}>",
        0 if offset == 2**64 - 1 else offset,
    )


def _traceback(frames: list[_Frame], message: str) -> str | None:
    if not frames:
        return None
    readable = _readable(frames, message)
    lines = (
        f"{shown(frame.module)}!{shown(name)}" + (f" (at {frame.offset:#x})" if frame.offset else "")
        for frame, name in zip(frames, readable, strict=True)
    )
    return "\n".join(lines)


def _readable(frames: list[_Frame], message: str) -> list[str]:
    """Returns the functions' names; mangled ones as the engine prints them, if its text has one line for each frame."""
    lines = message.removeprefix(_BACKTRACE_HEAD).rpartition(_CAUSE_HEAD)[0].split("\n")
    if len(lines) != len(frames):
        return [frame.function for frame in frames]
    return [
        line.partition(f"{frame.module}!")[2] or frame.function
        if frame.function.startswith(_MANGLED)
        else frame.function
        for frame, line in zip(frames, lines, strict=True)
    ]
