"""The committed module, taken apart: code without memory, and the memory that the code begins with."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Binary", "binary"]

_FILE = Path(__file__).parent / "lua.wasm"
_HEADER = b"\0asm\1\0\0\0"
_START, _DATA, _DATA_COUNT = 8, 11, 12
"""Sections that write into memory: the start function does nothing but wipe what has no data."""
_PAGES = 16
"""What the memory has at the start: data, C's stack and what the host's own Lua code takes at least."""

_MEMORY = b"\x05\x03\x01\x00" + bytes([_PAGES])
_EXPORT = b"\x07\x0a\x01\x06memory\x02\x00"


class Binary(NamedTuple):
    """Two modules.

    Attributes:
        code: Imports its memory and writes nothing into it when it is instantiated.
        memory: Exports it.
    """

    code: bytes
    memory: bytes


@cache
def binary() -> Binary:
    """Returns the modules that `lua.wasm` stands for."""
    whole = _FILE.read_bytes()
    sections = list(_sections(whole))
    code = b"".join(section for kind, section in sections if kind not in {_START, _DATA, _DATA_COUNT})
    data = b"".join(section for kind, section in sections if kind == _DATA)
    return Binary(_HEADER + code, _HEADER + _MEMORY + _EXPORT + data)


def _sections(whole: bytes) -> Iterator[tuple[int, bytes]]:
    at = len(_HEADER)
    while at < len(whole):
        size, body = _number(whole, at + 1)
        yield whole[at], whole[at : body + size]
        at = body + size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Returns a LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # the bit that says there is more
            return value, at
