"""What every descriptor has: its number, its kind, its rights, its flags."""

from __future__ import annotations

import struct

from polycall.wasm_runtime.wasi.preview1.entries import APPEND, NONBLOCK, Folder
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal
from polycall.wasm_runtime.wasi.preview1.functions import U32, U64, served
from polycall.wasm_runtime.wasi.preview1.guest import Guest
from polycall.wasm_runtime.wasi.preview1.rights import Right

__all__ = ["FUNCTIONS"]

_FDSTAT = struct.Struct("<BxH4xQQ")
_PRESTAT = struct.Struct("<B3xI")
_IS_FOLDER = 0


def fd_close(guest: Guest, fd: U32) -> None:
    """Closes a descriptor."""
    guest.table.close_one(fd)


def fd_renumber(guest: Guest, fd: U32, to: U32) -> None:
    """Gives a descriptor the number of another one, which is closed."""
    guest.table.renumber(fd, to)


def fd_fdstat_get(guest: Guest, fd: U32, result: U32) -> None:
    """Writes kind, flags and rights of a descriptor."""
    found = guest.table.find(fd)
    guest.put(result, _FDSTAT.pack(found.filetype, found.flags, found.rights, found.inheriting), 8)


def fd_fdstat_set_flags(guest: Guest, fd: U32, flags: U32) -> None:
    """Has a descriptor append, or not wait. The other flags are those that it was opened with."""
    if flags & ~(APPEND | NONBLOCK):
        raise Refusal(Errno.INVAL)
    found = guest.table.find(fd, Right.FD_FDSTAT_SET_FLAGS)
    found.flags = found.flags & ~(APPEND | NONBLOCK) | flags


def fd_fdstat_set_rights(guest: Guest, fd: U32, rights: U64, inheriting: U64) -> None:
    """Gives rights away."""
    found = guest.table.find(fd)
    if rights & ~found.rights or inheriting & ~found.inheriting:
        raise Refusal(Errno.NOTCAPABLE)
    found.rights, found.inheriting = rights, inheriting


def fd_prestat_get(guest: Guest, fd: U32, result: U32) -> None:
    """Says that a descriptor is one of the folders that the guest was given, and how long its name is."""
    guest.put(result, _PRESTAT.pack(_IS_FOLDER, len(_name(guest, fd))), 4)


def fd_prestat_dir_name(guest: Guest, fd: U32, at: U32, size: U32) -> None:
    """Writes the name of such a folder."""
    name = _name(guest, fd)
    if size < len(name):
        raise Refusal(Errno.NAMETOOLONG)
    guest.put(at, name)


def _name(guest: Guest, fd: int) -> bytes:
    found = guest.table.find(fd)
    if not isinstance(found, Folder) or found.name is None:
        raise Refusal(Errno.BADF)
    return found.name.encode()


FUNCTIONS = served(
    fd_close,
    fd_renumber,
    fd_fdstat_get,
    fd_fdstat_set_flags,
    fd_fdstat_set_rights,
    fd_prestat_get,
    fd_prestat_dir_name,
)
