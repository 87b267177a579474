"""A memory as a module: nothing but the memory, and in it what another one holds."""

from __future__ import annotations

from collections.abc import Iterator

from polycall.wasm_runtime.component.writer import CORE_HEADER, section, unsigned, vector

__all__ = ["memory_image", "memory_module"]

_PAGE_BYTES = 64 * 1024
_MEMORY, _EXPORT, _DATA = 5, 7, 11
_I32_CONST, _END = b"\x41", b"\x0b"
_EXPORTS = vector([b"\x06memory\x02\x00"])

_GRAIN_BYTES = 4096
"""What is zero for so long is left out: the engine maps memory in pages of so many bytes or more."""

_ZEROS = bytes(_GRAIN_BYTES)


def memory_image(memory: bytes | memoryview) -> bytes:
    """Returns a module that exports, as ``memory``, a memory with this content.

    Args:
        memory: Whole pages.
    """
    content = bytes(memory)
    segments = [_segment(start, content[start:end]) for start, end in _runs(content)]
    return memory_module(len(content) // _PAGE_BYTES, vector(segments))


def memory_module(pages: int, segments: bytes) -> bytes:
    """Returns a module that exports, as ``memory``, a memory of so many pages with the content of a data section."""
    memory = vector([b"\x00" + unsigned(pages)])
    return CORE_HEADER + section(_MEMORY, memory) + section(_EXPORT, _EXPORTS) + section(_DATA, segments)


def _runs(content: bytes) -> Iterator[tuple[int, int]]:
    """Yields where the parts begin and end that are not zero."""
    begun: int | None = None
    for at in range(0, len(content), _GRAIN_BYTES):
        if content[at : at + _GRAIN_BYTES] != _ZEROS:
            begun = at if begun is None else begun
        elif begun is not None:
            yield begun, at
            begun = None
    if begun is not None:
        yield begun, len(content)


def _segment(start: int, content: bytes) -> bytes:
    return b"\x00" + _I32_CONST + _signed(start) + _END + unsigned(len(content)) + content


def _signed(address: int) -> bytes:
    """Returns an address as an i32 in LEB128 with sign: in five bytes always, the last of which has the sign."""
    number = address - 2**32 if address >= 2**31 else address
    return bytes((number >> 7 * at & 0x7F) | (0x80 if at < 4 else 0) for at in range(5))
