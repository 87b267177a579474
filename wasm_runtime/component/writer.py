"""The binary format of core modules, written; and how binaries of both kinds begin."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["COMPONENT_HEADER", "CORE_HEADER", "section", "unsigned", "vector"]

CORE_HEADER = b"\0asm\x01\0\0\0"
COMPONENT_HEADER = b"\0asm\x0d\0\x01\0"


def section(number: int, content: bytes) -> bytes:
    """Returns a section."""
    return bytes([number]) + unsigned(len(content)) + content


def vector(items: Sequence[bytes]) -> bytes:
    """Returns items with their number before them."""
    return unsigned(len(items)) + b"".join(items)


def unsigned(value: int) -> bytes:
    """Returns a number in LEB128."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
