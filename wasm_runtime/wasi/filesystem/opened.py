"""What guests have open: a descriptor of the process, and how streams read and write the file behind it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from typing import Self

from polycall.wasm_runtime.wasi.filesystem.errors import failed
from polycall.wasm_runtime.wasi.io.ends import Closed, Sink, Source
from polycall.wasm_runtime.wasi.session import Session

__all__ = ["MOST_AT_ONCE", "FileSink", "FileSource", "Opened"]

MOST_AT_ONCE = 1024 * 1024
"""Bytes that one call reads or writes at most: a guest may not have the host make room for 2^64 of them."""

_MOST_OFFSET = 2**63 - 1
_APPEND = getattr(os, "RWF_APPEND", None)


class Opened:
    """A descriptor that is closed when the last one who holds it has let go: streams outlive the file's handle.

    Used by one thread at a time. Whoever watches the call is told of all that may wait for the disk.
    """

    __slots__ = ("__weakref__", "_holders", "_name", "_session", "descriptor")

    def __init__(self, descriptor: int, session: Session, name: str) -> None:
        """Takes a descriptor over.

        Args:
            descriptor: An open file or folder; who makes this holds it.
            session: Of the instance whose guest has it.
            name: Its path, as the guest says it.
        """
        self.descriptor = descriptor
        self._session = session
        self._name = name
        self._holders = 1

    def hold(self) -> Self:
        """Keeps it open until one `let_go` more."""
        self._holders += 1
        return self

    def let_go(self) -> None:
        """Closes it if nobody else holds it."""
        self._holders -= 1
        if not self._holders:
            descriptor, self.descriptor = self.descriptor, -1  # which no call of the system takes
            os.close(descriptor)

    def read(self, most: int, offset: int) -> bytes:
        """Returns what stands at a place, at most `MOST_AT_ONCE` bytes; nothing at the end."""
        size = min(most, MOST_AT_ONCE)
        return self._session.told(self._name, os.pread, self.descriptor, size, offset)

    def write(self, data: bytes | memoryview, offset: int) -> int:
        """Writes to a place; returns how much."""
        return self._session.told(self._name, os.pwrite, self.descriptor, data, offset)

    def append(self, data: bytes | memoryview) -> int:
        """Writes at the end, wherever that is by then; returns how much."""
        return self._session.told(self._name, self._append, data)

    def sync(self, how: Callable[[int], None] = os.fsync) -> None:
        """Returns when it is on the disk."""
        self._session.told(self._name, how, self.descriptor)

    def _append(self, data: bytes | memoryview) -> int:
        if _APPEND is not None:
            return os.pwritev(self.descriptor, [data], 0, _APPEND)
        flags = fcntl.fcntl(self.descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self.descriptor, fcntl.F_SETFL, flags | os.O_APPEND)  # of this descriptor alone: it is no copy
        try:
            return os.write(self.descriptor, data)
        finally:
            fcntl.fcntl(self.descriptor, fcntl.F_SETFL, flags)


class FileSource(Source):
    """A file from a place on. A file is always ready."""

    def __init__(self, opened: Opened, offset: int) -> None:
        self._opened = opened.hold()
        self._offset = offset
        self._closed = False

    def read(self, most: int) -> bytes:
        """Returns what comes next."""
        if self._offset > _MOST_OFFSET:
            raise Closed
        try:
            data = self._opened.read(most, self._offset)
        except OSError as error:
            raise failed(error) from error
        if not data:
            raise Closed
        self._offset += len(data)
        return data

    def close(self) -> None:
        """Lets go of the file."""
        if not self._closed:
            self._closed = True
            self._opened.let_go()


class FileSink(Sink):
    """A file from a place on, or at its end. What is written is in the file at once; `flush` has nothing to do."""

    def __init__(self, opened: Opened, offset: int | None) -> None:
        """Begins.

        Args:
            opened: The file.
            offset: Where to write; None for the end, wherever that is at each write.
        """
        self._opened = opened.hold()
        self._offset = offset
        self._closed = False

    def permit(self) -> int:
        """Returns how much one call may write."""
        return MOST_AT_ONCE

    def write(self, data: bytes) -> None:
        """Writes all of it."""
        try:
            written = self._write(data)
            while written < len(data):  # the disk is full at the next one, or a signal came
                written += self._write(memoryview(data)[written:])
        except OSError as error:
            raise failed(error) from error

    def _write(self, data: bytes | memoryview) -> int:
        if self._offset is None:
            return self._opened.append(data)
        if self._offset > _MOST_OFFSET:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        written = self._opened.write(data, self._offset)
        self._offset += written
        return written

    def close(self) -> None:
        """Lets go of the file."""
        if not self._closed:
            self._closed = True
            self._opened.let_go()
