"""Files themselves: what is known of them, their size, their times, their way to the disk."""

from __future__ import annotations

import struct
from typing import Any

from polycall.wasm_runtime.wasi.preview1.entries import File, Folder
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal, done
from polycall.wasm_runtime.wasi.preview1.functions import U32, U64, served
from polycall.wasm_runtime.wasi.preview1.guest import Guest
from polycall.wasm_runtime.wasi.preview1.listing import filetype_of, number_of
from polycall.wasm_runtime.wasi.preview1.rights import NONE, Right

__all__ = ["FUNCTIONS", "new_times", "packed"]

_FILESTAT = struct.Struct("<QQB7xQQQQQ")
_ADVICE = ("normal", "sequential", "random", "will-need", "dont-need", "no-reuse")
_MOST_OFFSET = 2**63 - 1
_DEVICE = 1
"""One for all files: which disks the host has is none of the guest's business, and numbers of files are unique."""

_BILLION = 1_000_000_000
_ATIM, _ATIM_NOW, _MTIM, _MTIM_NOW = 1, 2, 4, 8
_MOST_TIME = 2**64 - 1


def packed(stat: dict[str, Any], metadata_hash: dict[str, int]) -> bytes:
    """Returns what is known of a file, as preview 1 lays it out.

    Args:
        stat: A ``descriptor-stat``.
        metadata_hash: A ``metadata-hash-value``.
    """
    times = (stat[f"{name}-timestamp"] for name in ("data-access", "data-modification", "status-change"))
    return _FILESTAT.pack(
        _DEVICE,
        number_of(metadata_hash),
        filetype_of(stat["type"]),
        stat["link-count"],
        stat["size"],
        *(0 if each is None else min(each["seconds"] * _BILLION + each["nanoseconds"], _MOST_TIME) for each in times),
    )


def new_times(accessed: int, modified: int, flags: int) -> tuple[Any, Any]:
    """Returns two ``new-timestamp``, of the last access and the last change.

    Raises:
        Refusal: The flags contradict each other.
    """
    if flags & ~(_ATIM | _ATIM_NOW | _MTIM | _MTIM_NOW):
        raise Refusal(Errno.INVAL)
    return (
        _new_time(accessed, is_set=flags & _ATIM, now=flags & _ATIM_NOW),
        _new_time(modified, is_set=flags & _MTIM, now=flags & _MTIM_NOW),
    )


def _new_time(time: int, *, is_set: int, now: int) -> Any:
    if is_set and now:
        raise Refusal(Errno.INVAL)
    if is_set:
        return {"timestamp": {"seconds": time // _BILLION, "nanoseconds": time % _BILLION}}
    return {"now": True} if now else {"no-change": True}


def fd_filestat_get(guest: Guest, fd: U32, result: U32) -> None:
    """Writes what is known of what is behind a descriptor."""
    found = guest.table.find(fd, Right.FD_FILESTAT_GET)
    if isinstance(found, (File, Folder)):
        stat = done(found.descriptor.stat(guest.store))
        guest.put(result, packed(stat, done(found.descriptor.metadata_hash(guest.store))), 8)
    else:
        guest.put(result, _FILESTAT.pack(0, 0, found.filetype, 0, 0, 0, 0, 0), 8)


def fd_filestat_set_size(guest: Guest, fd: U32, size: U64) -> None:
    """Cuts a file, or lengthens it by zeroes."""
    file = _file(guest, fd, Right.FD_FILESTAT_SET_SIZE)
    done(file.descriptor.set_size(guest.store, size))


def fd_filestat_set_times(guest: Guest, fd: U32, accessed: U64, modified: U64, flags: U32) -> None:
    """Sets the times of a file or folder."""
    times = new_times(accessed, modified, flags)
    found = _in_mount(guest, fd, Right.FD_FILESTAT_SET_TIMES)
    done(found.descriptor.set_times(guest.store, *times))


def fd_allocate(guest: Guest, fd: U32, offset: U64, size: U64) -> None:
    """Sees that a file reaches as far as this."""
    file = _file(guest, fd, Right.FD_ALLOCATE)
    file.need(Right.FD_WRITE)
    if not size:
        raise Refusal(Errno.INVAL)
    end = offset + size
    if end > _MOST_OFFSET:
        raise Refusal(Errno.FBIG)
    if done(file.descriptor.stat(guest.store))["size"] < end:
        done(file.descriptor.set_size(guest.store, end))


def fd_advise(guest: Guest, fd: U32, offset: U64, size: U64, advice: U32) -> None:
    """Tells the system how a file will be used."""
    if advice >= len(_ADVICE):
        raise Refusal(Errno.INVAL)
    file = _file(guest, fd, Right.FD_ADVISE)
    done(file.descriptor.advise(guest.store, offset, size, _ADVICE[advice]))


def fd_sync(guest: Guest, fd: U32) -> None:
    """Sees a file to the disk."""
    done(_in_mount(guest, fd, Right.FD_SYNC).descriptor.sync(guest.store))


def fd_datasync(guest: Guest, fd: U32) -> None:
    """Sees what a file holds to the disk."""
    done(_in_mount(guest, fd, Right.FD_DATASYNC).descriptor.sync_data(guest.store))


def _in_mount(guest: Guest, fd: int, right: int) -> File | Folder:
    found = guest.table.find(fd)
    if not isinstance(found, (File, Folder)):
        raise Refusal(Errno.INVAL)
    found.need(right)
    return found


def _file(guest: Guest, fd: int, right: int) -> File:
    found = _in_mount(guest, fd, NONE)
    if isinstance(found, Folder):
        raise Refusal(Errno.ISDIR)
    found.need(right)
    return found


FUNCTIONS = served(
    fd_filestat_get,
    fd_filestat_set_size,
    fd_filestat_set_times,
    fd_allocate,
    fd_advise,
    fd_sync,
    fd_datasync,
)
