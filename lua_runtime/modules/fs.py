"""The module ``fs``: files inside ``fs.directory`` entries (specification: system facts 1.8, 4.4).

Lua holds numbers only. A folder's number stays good as long as the state; an open file's until the end of the call.
"""

from __future__ import annotations

import errno
import itertools
import os
import posixpath
import stat
from collections.abc import Callable
from io import FileIO
from typing import Any

from polycall.interop.confined import ConfinedFolder
from polycall.interop.open_files import open_for_guest
from polycall.interop.services import Services
from polycall.lua_runtime.modules.offered import offered
from polycall.lua_runtime.session import MOST_NAME_BYTES, MOST_TEXT_BYTES, RefusedError, Session

__all__ = ["host_functions"]

MOST_READ_BYTES = MOST_TEXT_BYTES
"""What one read gives at most, where the entry has no smaller memory limit."""

MOST_MEMBERS = 50_000
"""Names that `readdir` gives; to list them takes some 50 ms."""

_MOST_PATH_BYTES = 64 << 10
"""Of a path with the current folder before it; `polycall.interop.confined` refuses what is long for a path."""


_FILE, _DIRECTORY, _OTHER = "file", "directory", "other"
_CREATE = os.O_CREAT | os.O_WRONLY
_FLAGS = {
    b"r": os.O_RDONLY,
    b"r+": os.O_RDWR,
    b"w": _CREATE | os.O_TRUNC,
    b"w+": os.O_CREAT | os.O_RDWR | os.O_TRUNC,
    b"a": _CREATE | os.O_APPEND,
    b"a+": os.O_CREAT | os.O_RDWR | os.O_APPEND,
    b"wx": _CREATE | os.O_EXCL,
    b"wx+": os.O_CREAT | os.O_RDWR | os.O_EXCL,
}
_FILE_MODES = {os.O_RDONLY: "r", os.O_WRONLY: "w", os.O_RDWR: "r+"}
_WHENCE = {b"set": os.SEEK_SET, b"cur": os.SEEK_CUR, b"end": os.SEEK_END}


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/fs.lua`` calls."""
    folders, files = _Folders(session), _Files(session)

    def open_file(services: Services, number: int, path: bytes, mode: bytes) -> int:
        return files.open(folders.at(services, number), path, mode)

    functions = (
        *(folders.get, folders.read_file, folders.write_file, folders.status, folders.members),
        *(folders.make_folder, folders.remove, folders.change),
        *(files.read, files.write, files.seek, files.status, files.sync, files.close, open_file),
    )
    writers = (folders.write_file, files.write)
    return tuple(
        offered(session, function, MOST_TEXT_BYTES if function in writers else _MOST_PATH_BYTES)
        for function in functions
    )


class _Folders:
    """The folders that the state has asked for, and what is done in them by path."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._namespace = session.entry_id.partition(":")[0]
        self._names: list[str] = []

    def at(self, services: Services, number: int) -> ConfinedFolder:
        """Returns the folder as it is declared at the moment: a state may outlive a reload."""
        return services.file_systems.folder(self._names[number], self._namespace)

    def get(self, services: Services, name: bytes) -> int:
        if len(name) > MOST_NAME_BYTES:
            raise RefusedError(f"an id has at most {MOST_NAME_BYTES} bytes, not {len(name)}")
        target = name.decode()
        services.file_systems.folder(target, self._namespace)  # fails here if there is none
        if target not in self._names:
            self._names.append(target)
        return self._names.index(target)

    def read_file(self, services: Services, number: int, path: bytes) -> Any:
        return self._session.answer(self.at(services, number).read(os.fsdecode(path), _most_read(self._session)))

    def write_file(self, services: Services, number: int, path: bytes, mode: bytes, data: bytes) -> bool:
        descriptor = self.at(services, number).open(os.fsdecode(path), _FLAGS[mode])
        with FileIO(descriptor, "w") as file:
            _write_all(self._session, file, data)
        return True

    def status(self, services: Services, number: int, path: bytes) -> Any:
        return self._session.answer(_shown(self.at(services, number).status(os.fsdecode(path)), path))

    def members(self, services: Services, number: int, path: bytes) -> Any:
        members = self.at(services, number).members(os.fsdecode(path), MOST_MEMBERS)
        return self._session.answer(
            [{"name": os.fsencode(name), "type": _DIRECTORY if is_folder else _FILE} for name, is_folder in members]
        )

    def make_folder(self, services: Services, number: int, path: bytes) -> bool:
        self.at(services, number).make_folder(os.fsdecode(path))
        return True

    def remove(self, services: Services, number: int, path: bytes) -> bool:
        self.at(services, number).remove(os.fsdecode(path))
        return True

    def change(self, services: Services, number: int, path: bytes) -> Any:
        """Returns the path without detours if a folder is there; what it means is found out anew at each use."""
        if not stat.S_ISDIR(self.at(services, number).status(os.fsdecode(path)).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return self._session.answer(posixpath.normpath(b"/" + path.lstrip(b"/")))


class _Files:
    """The files that the running call has open."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers = itertools.count(1)

    def open(self, folder: ConfinedFolder, path: bytes, mode: bytes) -> int:
        session, flags = self._session, _FLAGS[mode]
        file = open_for_guest(
            session.context or session.starting,
            lambda: FileIO(folder.open(os.fsdecode(path), flags), _FILE_MODES[flags & os.O_ACCMODE]),
        )
        number = next(self._numbers)
        session.untidy = True
        session.files[number] = file
        return number

    def read(self, _services: Services, number: int, size: int) -> Any:
        data = self._file(number, os.O_RDONLY).read(min(size, _most_read(self._session)))
        return self._session.answer(data or None)

    def write(self, _services: Services, number: int, data: bytes) -> int:
        _write_all(self._session, self._file(number, os.O_WRONLY), data)
        return len(data)

    def seek(self, _services: Services, number: int, whence: bytes, offset: int) -> int:
        return self._file(number).seek(offset, _WHENCE[whence])

    def status(self, _services: Services, number: int, name: bytes) -> Any:
        return self._session.answer(_shown(os.fstat(self._file(number).fileno()), name))

    def sync(self, _services: Services, number: int) -> bool:
        os.fsync(self._file(number).fileno())
        return True

    def close(self, _services: Services, number: int) -> bool:
        file = self._file(number)
        del self._session.files[number]
        file.close()
        return True

    def _file(self, number: int, use: int | None = None) -> FileIO:
        file = self._session.files.get(number)
        if file is None:
            raise OSError(errno.EBADF, "the file is closed")
        if (use == os.O_RDONLY and not file.readable()) or (use == os.O_WRONLY and not file.writable()):
            raise OSError(errno.EBADF, f"the file is not open for {'reading' if use == os.O_RDONLY else 'writing'}")
        return file


def _most_read(session: Session) -> int:
    return MOST_READ_BYTES if session.memory_limit is None else min(MOST_READ_BYTES, session.memory_limit)


def _write_all(session: Session, file: FileIO, data: bytes) -> None:
    for piece in session.pieces(data):
        left = piece
        while left:
            left = left[file.write(left) :]


def _shown(status: os.stat_result, path: bytes) -> dict[str, Any]:
    is_folder, is_file = stat.S_ISDIR(status.st_mode), stat.S_ISREG(status.st_mode)
    return {
        "name": posixpath.basename(path.rstrip(b"/")) or b"/",
        "size": status.st_size,
        "mode": stat.S_IMODE(status.st_mode),
        "modified": int(status.st_mtime),
        "is_dir": is_folder,
        "type": _DIRECTORY if is_folder else _FILE if is_file else _OTHER,
    }
