"""What a folder holds."""

from __future__ import annotations

import struct

from polycall.wasm_runtime.wasi.preview1.functions import U32, U64, served
from polycall.wasm_runtime.wasi.preview1.guest import Guest
from polycall.wasm_runtime.wasi.preview1.rights import Right

__all__ = ["FUNCTIONS"]

_DIRENT = struct.Struct("<QQIB3x")


def fd_readdir(guest: Guest, fd: U32, at: U32, size: U32, place: U64, result: U32) -> None:
    """Writes what a folder holds from a place on, until it or the buffer ends; the last name may be cut."""
    folder = guest.table.folder(fd, Right.FD_READDIR)
    target = guest.bytes_at(at, size)
    used = 0
    for listed in folder.listing.after(guest.store, place, guest.check_time):
        name, number = listed.name.encode(), folder.listing.number(guest.store, listed)
        entry = _DIRENT.pack(listed.place, number, len(name), listed.filetype) + name
        piece = entry[: size - used]
        target[used : used + len(piece)] = piece
        used += len(piece)
        if used == size:
            break
    guest.put_u32(result, used)


FUNCTIONS = served(fd_readdir)
