"""A guest's linear memory: the one place where pointers and lengths of a guest's are checked before they are used.

What relies on it: a memory never shrinks and, as the engine is configured, never moves. So a view of it may be too
short, never wrong.
"""

from __future__ import annotations

from polycall.interop.errors import TrapError
from polycall.wasm_runtime.engine.native import memory_data, memory_size, view

__all__ = ["GuestMemory"]

_NONE = memoryview(b"")


def _release(view_of_memory: memoryview) -> None:
    if view_of_memory is not _NONE:  # which all have before they have one
        view_of_memory.release()


class GuestMemory:
    """One linear memory of a store.

    Attributes:
        view: Its bytes, as many as it had when somebody last looked.
        size: How many those are.
    """

    __slots__ = ("_before", "_context", "_memory", "size", "view")

    def __init__(self, context: int, memory: int) -> None:
        """Wraps a memory.

        Args:
            context: The ``wasmtime_context_t`` of its store.
            memory: The address of its ``wasmtime_memory_t``, which lives as long as this.
        """
        self._context = context
        self._memory = memory
        self._before = self.view = _NONE
        self.size = 0

    def fence(self, at: int, size: int, what: str, boundary: int = 1) -> memoryview:
        """Returns the memory as it is now, if a region lies in it.

        Args:
            at: Offset, as the guest gave it: an unsigned number.
            size: How many bytes, of any size.
            what: What lies there, for the message.
            boundary: The alignment it must have.

        Raises:
            TrapError: It is outside of the memory, or not aligned.
        """
        if self.ends_before(at + size):
            raise TrapError(f"{what} is outside of the guest's memory: {size} bytes at {at:#x}")
        if at % boundary:
            raise TrapError(f"{what} is not aligned: {at:#x} is no multiple of {boundary}")
        return self.view

    def ends_before(self, end: int) -> bool:
        """Says whether it has fewer bytes."""
        if end > self.size:
            self._look()
        return end > self.size

    def whole(self) -> memoryview:
        """Returns all of the memory as it is now."""
        self._look()
        return self.view

    @property
    def address(self) -> int:
        """Where the memory lies in ours."""
        found: int = memory_data(self._context, self._memory)
        return found

    def close(self) -> None:
        """Lets go of the memory; to be called before its store is deleted."""
        _release(self._before)
        _release(self.view)
        self._before = self.view = _NONE
        self.size = self._memory = 0

    def _look(self) -> None:
        size = memory_size(self._context, self._memory) if self._memory else 0
        if size == self.size:
            return
        # Whoever reads a list while one of its items is found to lie further out goes on in the view that it has. There
        # is one such view at most: no guest runs while a value is read, so the memory is seen to have grown but once.
        _release(self._before)
        self._before, self.view = self.view, view(memory_data(self._context, self._memory), size)
        self.size = size
