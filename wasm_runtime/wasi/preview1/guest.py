"""The guest that calls: its memory, as the functions of preview 1 read and write it, its session, its descriptors.

A pointer that leads out of the memory, or to a number that is not aligned, ends the call: the specification has such
functions trap. What lies in the memory is hostile all the same: nothing is looked at before it was found to be inside.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from polycall.interop.errors import raise_if
from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal
from polycall.wasm_runtime.wasi.preview1.table import Table
from polycall.wasm_runtime.wasi.session import Session, session_of

__all__ = ["Guest", "guest_of"]

_MOST_PATH_BYTES = 4096
_MOST_BUFFERS = 1024
"""What one call reads or writes at most; it may always do less than it was asked for. POSIX calls it IOV_MAX."""

_MOST_BYTES = 2**31 - 1
_NOTHING = memoryview(bytearray())
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_BUFFER = struct.Struct("<II")


class Guest:
    """An instance of a core module that calls preview 1.

    Attributes:
        store: Its store.
        session: What its hosts know of it.
        memory: The memory that it exports.
        table: Its descriptors.
        variables: Its environment as `environ_sizes_get` has measured it in this call: it has made room for that, and
            `environ_get` must write no more. None if it has not asked.
    """

    def __init__(self, store: GuestStore, memory: GuestMemory) -> None:
        self.store = store
        self.session: Session = session_of(store)
        self.memory = memory
        self.table = Table(store)
        self.variables: list[bytes] | None = None

    def end_call(self) -> None:
        """Is told that a call has ended."""
        self.table.end_call()
        self.variables = None

    def close(self) -> None:
        """Lets go of the descriptors, which its session has closed, and of the memory."""
        self.table.close()
        self.memory = GuestMemory(0, 0)

    def check_time(self) -> None:
        """Ends a call that is over; to be called now and then by what may take long.

        Raises:
            DeadlineError, CancelledError: The call is over.
        """
        raise_if(self.session.running().interruption())

    # --- what it reads ---

    def bytes_at(self, at: int, size: int) -> memoryview:
        """Returns a piece of the memory, to be read or written at once; one without bytes may lie anywhere."""
        if not size:
            return _NOTHING
        return self.memory.fence(at, size, "a buffer")[at : at + size]

    def text(self, at: int, size: int) -> str:
        """Returns a path.

        Raises:
            Refusal: It is too long, is no UTF-8, or has a zero in it.
        """
        data = self.bytes_at(at, size)
        if size > _MOST_PATH_BYTES:
            raise Refusal(Errno.NAMETOOLONG)
        try:
            path = str(data, "utf-8")
        except UnicodeDecodeError:
            raise Refusal(Errno.ILSEQ) from None
        if "\0" in path:
            raise Refusal(Errno.INVAL)
        return path

    def buffers(self, at: int, count: int) -> Iterator[memoryview]:
        """Yields the buffers of a list that are not empty, all of them checked.

        Args:
            at: Where the list lies.
            count: How many it has; only so many are used as one call may have.
        """
        listed = self.memory.fence(at, count * _BUFFER.size, "a list of buffers", 4)
        used = min(count, _MOST_BUFFERS)
        found = list(_BUFFER.iter_unpack(listed[at : at + used * _BUFFER.size]))
        left = _MOST_BYTES
        for buffer, size in found:
            self.bytes_at(buffer, size)
        for buffer, size in found:
            taken = min(size, left)
            left -= taken
            if taken:
                yield self.bytes_at(buffer, taken)

    # --- what is written to it ---

    def put_u32(self, at: int, value: int) -> None:
        """Writes a number."""
        _U32.pack_into(self.memory.fence(at, 4, "where a result goes", 4), at, value)

    def put_u64(self, at: int, value: int) -> None:
        """Writes a number."""
        _U64.pack_into(self.memory.fence(at, 8, "where a result goes", 8), at, value)

    def put(self, at: int, data: bytes, boundary: int = 1) -> None:
        """Writes bytes, or a record."""
        self.memory.fence(at, len(data), "where a result goes", boundary)[at : at + len(data)] = data


def guest_of(store: GuestStore, memory: Callable[[], GuestMemory]) -> Guest:
    """Returns the guest of a store: one for all functions.

    Args:
        store: Whose.
        memory: Finds the memory that it exports.
    """
    return session_of(store).shared("preview1", lambda: Guest(store, memory()))
