"""A core module's memory. Every pointer and length comes from the guest and is checked before it is used."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from polycall.interop.errors import InternalError, TrapError
from polycall.wasm_runtime.engine.native import memory_data, memory_size
from polycall.wasm_runtime.engine.pace import Pace
from polycall.wasm_runtime.engine.stores import GuestStore

__all__ = ["GuestMemory"]


class GuestMemory:
    """The linear memory of an instance, and its allocator."""

    __slots__ = ("_allocator", "_context", "_memory", "_store", "pace")

    def __init__(self, store: GuestStore, memory: int, allocator: Callable[[int, int], int], pace: Pace) -> None:
        """Wraps a memory.

        Args:
            store: Where it lives.
            memory: The address of its ``wasmtime_memory_t``.
            allocator: Takes size and alignment, returns where the guest put it.
            pace: The clock of the running call.
        """
        self.pace = pace
        self._store = store
        self._context = store.context
        self._memory = memory
        self._allocator = allocator

    def close(self) -> None:
        """Lets go of the allocator, which is the instance's, so that both go at once."""
        self._allocator = _closed

    def read(self, at: int, size: int, what: str, boundary: int = 1, elements: int = 0) -> bytes:
        """Returns bytes of the guest's.

        Args:
            at: Offset, as the guest gave it.
            size: How many bytes.
            what: What lies there, for the message.
            boundary: The alignment it must have.
            elements: How many Python values it will become: a guest can let many pointers share one region.

        Raises:
            TrapError: Outside the memory, or not aligned.
            LimitError: One result takes more than the host is willing to copy.
        """
        self._check(at, size, what, boundary)
        self.pace.take(elements, size)
        return ctypes.string_at(memory_data(self._context, self._memory) + at, size)

    def write(self, at: int, data: bytes | bytearray) -> None:
        """Copies bytes to where the allocator made room; they fit."""
        target = memory_data(self._context, self._memory) + at
        ctypes.memmove(target, bytes(data), len(data))

    def allocate(self, size: int, boundary: int) -> int:
        """Lets the guest make room.

        Returns:
            The offset; `boundary` for nothing, which is no one's memory but not null either.

        Raises:
            MemoryLimitError: The guest had no room, and its memory is limited.
            TrapError: It had none without a limit, or what it answered is outside of its memory or not aligned.
        """
        if not size:
            return boundary
        at = self._allocator(size, boundary)
        if not at or (at + size > memory_size(self._context, self._memory) and self._store.lacks(size)):
            raise self._store.refused_allocation(f"the guest's allocator has no room for {size} bytes")
        self._check(at, size, "what the guest's allocator returned", boundary)
        return at

    def _check(self, at: int, size: int, what: str, boundary: int) -> None:
        if at + size > memory_size(self._context, self._memory):
            raise TrapError(f"{what} is outside of the guest's memory: {size} bytes at {at:#x}")
        if at % boundary:
            raise TrapError(f"{what} is not aligned: {at:#x} is no multiple of {boundary}")


def _closed(_size: int, _alignment: int) -> int:
    raise InternalError("memory of an instance was asked for after its end")
