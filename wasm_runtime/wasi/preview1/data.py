"""Reading and writing."""

from __future__ import annotations

from collections.abc import Iterable

from polycall.wasm_runtime.wasi.io.ends import Closed, Failed
from polycall.wasm_runtime.wasi.io.streams import InputStream, OutputStream
from polycall.wasm_runtime.wasi.preview1.entries import APPEND, NONBLOCK, File, Folder, Input, Output
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal, done
from polycall.wasm_runtime.wasi.preview1.functions import S64, U32, U64, served
from polycall.wasm_runtime.wasi.preview1.guest import Guest
from polycall.wasm_runtime.wasi.preview1.rights import Right

__all__ = ["FUNCTIONS"]

_PIECE = 1024 * 1024
_MOST_OFFSET = 2**63 - 1
_SET, _CURRENT, _END = range(3)


def fd_read(guest: Guest, fd: U32, buffers: U32, count: U32, result: U32) -> None:
    """Reads from where the descriptor is."""
    found = guest.table.find(fd)
    targets = guest.buffers(buffers, count)
    if isinstance(found, Input):
        found.need(Right.FD_READ)
        size = _read_stream(found.stream, targets, waits=not found.flags & NONBLOCK)
    else:
        file = _file(found, Right.FD_READ)
        size = _read_file(guest, file, targets, file.position)
        file.position += size
    guest.put_u32(result, size)


def fd_pread(guest: Guest, fd: U32, buffers: U32, count: U32, offset: U64, result: U32) -> None:
    """Reads from a place in a file."""
    file = guest.table.file(fd, Right.FD_READ | Right.FD_SEEK)
    guest.put_u32(result, _read_file(guest, file, guest.buffers(buffers, count), offset))


def fd_write(guest: Guest, fd: U32, buffers: U32, count: U32, result: U32) -> None:
    """Writes to where the descriptor is."""
    found = guest.table.find(fd)
    sources = guest.buffers(buffers, count)
    if isinstance(found, Output):
        found.need(Right.FD_WRITE)
        size = _write_stream(guest, found.stream, sources, waits=not found.flags & NONBLOCK)
    else:
        file = _file(found, Right.FD_WRITE)
        size = _write_file(guest, file, sources, file.position)
        appended = size and file.flags & APPEND
        file.position = done(file.descriptor.stat(guest.store))["size"] if appended else file.position + size
    guest.put_u32(result, size)


def fd_pwrite(guest: Guest, fd: U32, buffers: U32, count: U32, offset: U64, result: U32) -> None:
    """Writes to a place in a file; to its end if the descriptor appends, as Linux does."""
    file = guest.table.file(fd, Right.FD_WRITE | Right.FD_SEEK)
    guest.put_u32(result, _write_file(guest, file, guest.buffers(buffers, count), offset))


def fd_seek(guest: Guest, fd: U32, by: S64, whence: U32, result: U32) -> None:
    """Moves to a place in a file."""
    if whence not in (_SET, _CURRENT, _END):
        raise Refusal(Errno.INVAL)
    asks = whence == _CURRENT and not by
    file = guest.table.file(fd, Right.FD_TELL if asks else Right.FD_SEEK)
    base = 0 if whence == _SET else file.position
    if whence == _END:
        base = done(file.descriptor.stat(guest.store))["size"]
    if not 0 <= base + by <= _MOST_OFFSET:
        raise Refusal(Errno.INVAL)
    file.position = base + by
    guest.put_u64(result, file.position)


def fd_tell(guest: Guest, fd: U32, result: U32) -> None:
    """Writes where in the file the descriptor is."""
    guest.put_u64(result, guest.table.file(fd, Right.FD_TELL).position)


# --- files ---


def _file(found: object, right: int) -> File:
    if isinstance(found, Folder):
        raise Refusal(Errno.ISDIR)
    if not isinstance(found, File):
        raise Refusal(Errno.BADF)
    found.need(right)
    return found


def _read_file(guest: Guest, file: File, targets: Iterable[memoryview], offset: int) -> int:
    total = 0
    for target in targets:
        at = 0
        while at < len(target):
            guest.check_time()
            data, _ = done(file.descriptor.read(guest.store, min(len(target) - at, _PIECE), offset + total))
            if not data:
                return total
            target[at : at + len(data)] = data
            at += len(data)
            total += len(data)
    return total


def _write_file(guest: Guest, file: File, sources: Iterable[memoryview], offset: int) -> int:
    total = 0
    stream = done(file.descriptor.append_via_stream(guest.store)) if file.flags & APPEND else None
    try:
        for source in sources:
            for at in range(0, len(source), _PIECE):
                guest.check_time()
                data = bytes(source[at : at + _PIECE])
                size = _put(stream, data) if stream else done(file.descriptor.write(guest.store, data, offset + total))
                total += size
                if size < len(data):
                    return total
    except Refusal:
        if not total:
            raise
    finally:
        if stream is not None:
            stream.drop()
    return total


# --- streams ---


def _read_stream(stream: InputStream, targets: Iterable[memoryview], *, waits: bool) -> int:
    wanted = list(targets)
    try:
        data = stream.take(sum(map(len, wanted)))
        if wanted and not data and not waits:
            raise Refusal(Errno.AGAIN)
        while wanted and not data:
            stream.wait()
            data = stream.take(sum(map(len, wanted)))
    except Closed:
        return 0
    except Failed as failure:
        raise _of_stream(failure) from None
    at = 0
    for target in wanted:
        piece = data[at : at + len(target)]
        target[: len(piece)] = piece
        at += len(piece)
    return len(data)


def _write_stream(guest: Guest, stream: OutputStream, sources: Iterable[memoryview], *, waits: bool) -> int:
    total = 0
    for source in sources:
        for at in range(0, len(source), _PIECE):
            guest.check_time()
            data = bytes(source[at : at + _PIECE])
            if waits:
                total += _put(stream, data)
                continue
            size = _put_at_once(stream, data)
            total += size
            if size < len(data):
                if not total:
                    raise Refusal(Errno.AGAIN)
                return total
    return total


def _put(stream: OutputStream, data: bytes) -> int:
    try:
        stream.put_all(data)
    except Closed:
        raise Refusal(Errno.PIPE) from None
    except Failed as failure:
        raise _of_stream(failure) from None
    return len(data)


def _put_at_once(stream: OutputStream, data: bytes) -> int:
    try:
        size = min(stream.permit(), len(data))
        stream.put(data[:size])
    except Closed:
        raise Refusal(Errno.PIPE) from None
    except Failed as failure:
        raise _of_stream(failure) from None
    return size


def _of_stream(failure: Failed) -> Refusal:
    return Refusal.of_code(failure.error.cause)


FUNCTIONS = served(fd_read, fd_pread, fd_write, fd_pwrite, fd_seek, fd_tell)
