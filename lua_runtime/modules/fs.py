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
from polycall.interop.values import Value
from polycall.lua_runtime.modules.offered import offered
from polycall.lua_runtime.session import MOST_TEXT_BYTES, Session

__all__ = ["host_functions"]

MOST_READ_BYTES = MOST_TEXT_BYTES
"""What one read gives at most, where the entry has no smaller memory limit."""

MOST_MEMBERS = 50_000
"""Names that `readdir` gives; to list them takes some 50 ms."""

_MOST_PATH_BYTES = 64 << 10
"""Of a path with the current folder before it; `polycall.interop.confined` refuses what is long for a path."""


_FILE, _DIRECTORY, _OTHER = "file", "directory", "other"
_MAKING = {b"r": 0, b"w": os.O_CREAT | os.O_TRUNC, b"a": os.O_CREAT | os.O_APPEND, b"wx": os.O_CREAT | os.O_EXCL}
"""What a mode, but for its ``+``, does to files that are there or are not."""

_Act = Callable[..., Value]


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/fs.lua`` calls."""
    folders, files = _Folders(session), _Files(session)
    most_read = MOST_READ_BYTES if session.memory_limit is None else min(MOST_READ_BYTES, session.memory_limit)

    def read_file(folder: ConfinedFolder, path: str) -> bytes:
        return folder.read(path, most_read)

    def write_file(folder: ConfinedFolder, path: str, mode: bytes, data: bytes) -> None:
        with _opened(folder, path, mode) as file:
            _write_all(session, file, data)

    def read(file: FileIO, size: int) -> bytes | None:
        return file.read(min(size, most_read)) or None

    def write(file: FileIO, data: bytes) -> int:
        _write_all(session, file, data)
        return len(data)

    def sync(file: FileIO) -> bool:
        os.fsync(file)
        return True

    by_path: tuple[_Act, ...] = (read_file, files.open, _status, _members, _changed)
    by_path += (ConfinedFolder.make_folder, ConfinedFolder.remove)
    by_number: tuple[_Act, ...] = (read, FileIO.seek, _file_status, sync)
    return (
        *(offered(session, folders.get), offered(session, files.close)),
        *(folders.action(write_file, MOST_TEXT_BYTES), files.action(write, MOST_TEXT_BYTES)),
        *map(folders.action, by_path),
        *map(files.action, by_number),
    )


class _Folders:
    """The folders that the state has asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._namespace = session.entry_id.partition(":")[0]
        self._names: list[str] = []

    def get(self, services: Services, name: bytes) -> int:
        target = name.decode()
        services.file_systems.folder(target, self._namespace)  # fails here if there is none
        if target not in self._names:
            self._names.append(target)
        return self._names.index(target)

    def action(self, act: _Act, most: int = _MOST_PATH_BYTES) -> Callable[..., Any]:
        """Returns a host function that acts on a path in a folder; it gives true if ``act`` gives nothing."""

        def by_path(services: Services, number: int, path: bytes, *more: bytes) -> Any:
            # As it is declared at the moment: a state may outlive a reload.
            folder = services.file_systems.folder(self._names[number], self._namespace)
            answer = act(folder, os.fsdecode(path), *more)
            return self._session.answer(True if answer is None else answer)

        return offered(self._session, by_path, most)


class _Files:
    """The files that the running call has open."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers = itertools.count(1)

    def open(self, folder: ConfinedFolder, path: str, mode: bytes) -> int:
        session = self._session
        file = open_for_guest(session.context or session.starting, lambda: _opened(folder, path, mode))
        number = next(self._numbers)
        session.untidy = True
        session.files[number] = file
        return number

    def close(self, _services: Services, number: int) -> bool:
        self._file(number).close()
        del self._session.files[number]
        return True

    def action(self, act: _Act, most: int = _MOST_PATH_BYTES) -> Callable[..., Any]:
        """Returns a host function that acts on an open file."""

        def by_number(_services: Services, number: int, *more: Any) -> Any:
            return self._session.answer(act(self._file(number), *more))

        return offered(self._session, by_number, most)

    def _file(self, number: int) -> FileIO:
        file = self._session.files.get(number)
        if file is None:
            raise OSError(errno.EBADF, "the file is closed")
        return file


def _opened(folder: ConfinedFolder, path: str, mode: bytes) -> FileIO:
    making, plus, _ = mode.partition(b"+")
    access, use = (os.O_RDWR, "r+") if plus else (os.O_RDONLY, "r") if making == b"r" else (os.O_WRONLY, "w")
    return FileIO(folder.open(path, _MAKING[making] | access), use)


def _status(folder: ConfinedFolder, path: str) -> Value:
    return _shown(folder.status(path), path)


def _members(folder: ConfinedFolder, path: str) -> Value:
    members = folder.members(path, MOST_MEMBERS)
    return [{"name": os.fsencode(name), "type": _DIRECTORY if is_folder else _FILE} for name, is_folder in members]


def _changed(folder: ConfinedFolder, path: str) -> Value:
    """Returns the path without detours if a folder is there; what it means is found out anew at each use."""
    if not stat.S_ISDIR(folder.status(path).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    return os.fsencode(posixpath.normpath("/" + path.lstrip("/")))


def _file_status(file: FileIO, path: bytes) -> Value:
    return _shown(os.fstat(file.fileno()), os.fsdecode(path))


def _write_all(session: Session, file: FileIO, data: bytes) -> None:
    for piece in session.pieces(data):
        left = piece
        while left:
            left = left[file.write(left) :]


def _shown(status: os.stat_result, path: str) -> Value:
    is_folder, is_file = stat.S_ISDIR(status.st_mode), stat.S_ISREG(status.st_mode)
    return {
        "name": os.fsencode(posixpath.basename(path.rstrip("/")) or "/"),
        "size": status.st_size,
        "mode": stat.S_IMODE(status.st_mode),
        "modified": int(status.st_mtime),
        "is_dir": is_folder,
        "type": _DIRECTORY if is_folder else _FILE if is_file else _OTHER,
    }
