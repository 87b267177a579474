"""What is done to a name in a folder."""

from __future__ import annotations

from polycall.wasm_runtime.wasi.filesystem.descriptor import Descriptor
from polycall.wasm_runtime.wasi.preview1.entries import Entry, File, Folder
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal, done
from polycall.wasm_runtime.wasi.preview1.files import new_times, packed
from polycall.wasm_runtime.wasi.preview1.functions import U32, U64, served
from polycall.wasm_runtime.wasi.preview1.guest import Guest
from polycall.wasm_runtime.wasi.preview1.rights import Right

__all__ = ["FUNCTIONS"]

_FOLLOW = 1
_CREATE, _DIRECTORY, _EXCLUSIVE, _TRUNCATE = 1, 2, 4, 8
_OPEN_FLAGS = ((_CREATE, "create"), (_DIRECTORY, "directory"), (_EXCLUSIVE, "exclusive"), (_TRUNCATE, "truncate"))
_DSYNC, _RSYNC, _SYNC = 2, 8, 16
_SYNC_FLAGS = ((_DSYNC, "data-integrity-sync"), (_RSYNC, "requested-write-sync"), (_SYNC, "file-integrity-sync"))
_FDFLAGS = 31


def path_open(
    guest: Guest,
    fd: U32,
    lookup: U32,
    at: U32,
    size: U32,
    how: U32,
    rights: U64,
    _inheriting: U64,
    flags: U32,
    result: U32,
) -> None:
    """Opens a file or folder."""
    if how & ~15 or flags & ~_FDFLAGS:
        raise Refusal(Errno.INVAL)
    folder = guest.table.folder(fd, _needed(how))
    path = guest.text(at, size)
    found = done(
        folder.descriptor.open_at(
            guest.store,
            _path_flags(lookup),
            path,
            [name for bit, name in _OPEN_FLAGS if how & bit],
            _descriptor_flags(rights & _MASK, how, flags),
        )
    )
    guest.put_u32(result, guest.table.add(_entry(guest, found, folder, rights & _MASK, flags)))


_MASK = 2**30 - 1
_READ_OR_WRITE = Right.FD_READ | Right.FD_WRITE


def _needed(how: int) -> int:
    needed = Right.PATH_OPEN
    if how & _CREATE:
        needed |= Right.PATH_CREATE_FILE
    if how & _TRUNCATE:
        needed |= Right.PATH_FILESTAT_SET_SIZE
    return needed


def _descriptor_flags(rights: int, how: int, flags: int) -> list[str]:
    names = [name for bit, name in _SYNC_FLAGS if flags & bit]
    writes = bool(rights & Right.FD_WRITE)
    if writes or how & _TRUNCATE:
        names.append("write")
    # Whoever asks for neither gets a descriptor that its rights let it neither read nor write.
    if not writes or rights & Right.FD_READ:
        names.append("read")
    return names


def _entry(guest: Guest, descriptor: Descriptor, folder: Folder, rights: int, flags: int) -> Entry:
    if done(descriptor.get_type(guest.store)) == "directory":
        return Folder(descriptor, folder.inheriting)
    return File(descriptor, folder.inheriting & ~(_READ_OR_WRITE & ~rights), flags)


def path_create_directory(guest: Guest, fd: U32, at: U32, size: U32) -> None:
    """Makes a folder."""
    folder = guest.table.folder(fd, Right.PATH_CREATE_DIRECTORY)
    done(folder.descriptor.create_directory_at(guest.store, guest.text(at, size)))


def path_remove_directory(guest: Guest, fd: U32, at: U32, size: U32) -> None:
    """Removes an empty folder."""
    folder = guest.table.folder(fd, Right.PATH_REMOVE_DIRECTORY)
    done(folder.descriptor.remove_directory_at(guest.store, guest.text(at, size)))


def path_unlink_file(guest: Guest, fd: U32, at: U32, size: U32) -> None:
    """Removes a file, or a link."""
    folder = guest.table.folder(fd, Right.PATH_UNLINK_FILE)
    done(folder.descriptor.unlink_file_at(guest.store, guest.text(at, size)))


def path_filestat_get(guest: Guest, fd: U32, lookup: U32, at: U32, size: U32, result: U32) -> None:
    """Writes what is known of a file or folder."""
    folder = guest.table.folder(fd, Right.PATH_FILESTAT_GET)
    follow, path = _path_flags(lookup), guest.text(at, size)
    stat = done(folder.descriptor.stat_at(guest.store, follow, path))
    guest.put(result, packed(stat, done(folder.descriptor.metadata_hash_at(guest.store, follow, path))), 8)


def path_filestat_set_times(
    guest: Guest, fd: U32, lookup: U32, at: U32, size: U32, accessed: U64, modified: U64, flags: U32
) -> None:
    """Sets the times of a file or folder."""
    times = new_times(accessed, modified, flags)
    folder = guest.table.folder(fd, Right.PATH_FILESTAT_SET_TIMES)
    done(folder.descriptor.set_times_at(guest.store, _path_flags(lookup), guest.text(at, size), *times))


def path_link(guest: Guest, fd: U32, lookup: U32, at: U32, size: U32, to_fd: U32, to_at: U32, to_size: U32) -> None:
    """Gives a file another name."""
    source = guest.table.folder(fd, Right.PATH_LINK_SOURCE)
    target = guest.table.folder(to_fd, Right.PATH_LINK_TARGET)
    path, to_path = guest.text(at, size), guest.text(to_at, to_size)
    done(source.descriptor.link_at(guest.store, _path_flags(lookup), path, target.descriptor, to_path))


def path_rename(guest: Guest, fd: U32, at: U32, size: U32, to_fd: U32, to_at: U32, to_size: U32) -> None:
    """Moves a file or folder."""
    source = guest.table.folder(fd, Right.PATH_RENAME_SOURCE)
    target = guest.table.folder(to_fd, Right.PATH_RENAME_TARGET)
    path, to_path = guest.text(at, size), guest.text(to_at, to_size)
    done(source.descriptor.rename_at(guest.store, path, target.descriptor, to_path))


def path_symlink(guest: Guest, at: U32, size: U32, fd: U32, to_at: U32, to_size: U32) -> None:
    """Makes a symbolic link."""
    folder = guest.table.folder(fd, Right.PATH_SYMLINK)
    content, path = guest.text(at, size), guest.text(to_at, to_size)
    done(folder.descriptor.symlink_at(guest.store, content, path))


def path_readlink(guest: Guest, fd: U32, at: U32, size: U32, target: U32, target_size: U32, result: U32) -> None:
    """Writes where a symbolic link leads; no more of it than there is room for."""
    folder = guest.table.folder(fd, Right.PATH_READLINK)
    content = done(folder.descriptor.readlink_at(guest.store, guest.text(at, size))).encode()[:target_size]
    guest.put(target, content)
    guest.put_u32(result, len(content))


def _path_flags(lookup: int) -> list[str]:
    if lookup & ~_FOLLOW:
        raise Refusal(Errno.INVAL)
    return ["symlink-follow"] if lookup & _FOLLOW else []


FUNCTIONS = served(
    path_open,
    path_create_directory,
    path_remove_directory,
    path_unlink_file,
    path_filestat_get,
    path_filestat_set_times,
    path_link,
    path_rename,
    path_symlink,
    path_readlink,
)
