"""The three encodings of strings (Canonical ABI, "Storing" and "Loading").

Storing makes the encoding that the Canonical ABI ends with; what it tries on the way only spares a host memory.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getsizeof

from polycall.interop.errors import TrapError
from polycall.wasm_runtime.canonical.crossing import Crossing

__all__ = ["STRING_ALIGNMENT", "decoder", "encoder", "no_text"]

STRING_ALIGNMENT = {"utf8": 1, "utf16": 2, "latin1+utf16": 2}
"""Encoding to the alignment of its strings."""

_IS_UTF16 = 1 << 31
"""The mark in a length which says that a string of ``latin1+utf16`` is UTF-16."""

_UNIT = 2


def encoder(encoding: str) -> Callable[[str], tuple[bytes, int]]:
    """Returns what gives a string's bytes and its length in code units; it raises `ValueError` for what is no text."""
    return {"utf8": _utf8, "utf16": _utf16, "latin1+utf16": _latin1_or_utf16}[encoding]


def _utf8(text: str) -> tuple[bytes, int]:
    data = text.encode()
    return data, len(data)


def _utf16(text: str) -> tuple[bytes, int]:
    data = text.encode("utf-16-le")
    return data, len(data) // _UNIT


def _latin1_or_utf16(text: str) -> tuple[bytes, int]:
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        data, count = _utf16(text)
        return data, count | _IS_UTF16
    return data, len(data)


def decoder(encoding: str) -> Callable[[int, int, Crossing], str]:
    """Returns what reads a string: by its address, its length as the guest gave it, and the crossing.

    It raises `TrapError` for what is no string.
    """
    return {"utf8": _load_utf8, "utf16": _load_utf16, "latin1+utf16": _load_latin1_or_utf16}[encoding]


def _load_utf8(at: int, length: int, crossing: Crossing) -> str:
    return _text(at, length, 1, "utf-8", crossing)


def _load_utf16(at: int, length: int, crossing: Crossing) -> str:
    return _text(at, length * _UNIT, _UNIT, "utf-16-le", crossing)


def _load_latin1_or_utf16(at: int, length: int, crossing: Crossing) -> str:
    if length & _IS_UTF16:
        return _load_utf16(at, length ^ _IS_UTF16, crossing)
    return _text(at, length, _UNIT, "latin-1", crossing)


def _text(at: int, size: int, boundary: int, codec: str, crossing: Crossing) -> str:
    view = crossing.memory.fence(at, size, "a string", boundary)
    crossing.pace.take(0, size)
    try:
        text = str(view[at : at + size], codec)
    except UnicodeDecodeError as error:
        raise no_text(error) from None
    if not text.isascii():
        crossing.pace.take(0, getsizeof(text))  # one character beyond the basic plane makes all of them take 4 bytes
    return text


def no_text(error: UnicodeDecodeError) -> TrapError:
    """Returns the error for a guest's string that is none."""
    name = error.encoding.upper().removesuffix("-LE")
    return TrapError(f"a string is not {name}: {error.reason} at byte {error.start}")
