"""A folder of the host that nothing leads out of, by its path: what Lua's ``fs`` and the host itself do there.

What guests of WASI do in folders that they have open is in `polycall.interop.open_folder`; both follow paths as
`polycall.interop.walk` says. An absolute link is followed here if it names the folder's own inside. Everything raises
`OSError`, as the operating system does; an attempt to leave is a `PermissionError`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, TypeVar

from polycall.interop.walk import FOLDER, error_of, leads_out, walk

__all__ = ["ConfinedFolder", "Member", "open_at", "refuse_special"]

T = TypeVar("T")

_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Member(NamedTuple):
    """What a folder holds under one name.

    Attributes:
        name: The name; bytes that are not UTF-8 are surrogates, as in `os.fsdecode`.
        is_folder: Whether it is a folder itself; a symbolic link is none.
    """

    name: str
    is_folder: bool


class ConfinedFolder:
    """A folder of the host. Holds no file open between operations; safe to use from many threads.

    Args:
        folder: Its path. Symbolic links in it are the host's own and are followed.
        read_only: Why nothing in it may be changed through this object; None if everything may.
        inside: A path from `folder`, where what this stands for is: a way on which guests may put links, which is
            walked at each use as a guest's path is. Nothing leads out of what is found there.
    """

    def __init__(self, folder: Path, *, read_only: str | None = None, inside: str = "") -> None:
        self.folder = folder
        self.read_only = read_only
        self.inside = inside

    def open(self, path: str, flags: int) -> int:
        """Opens a regular file and returns its descriptor, which the caller must close.

        Nothing waits or is set off by it: a device, a pipe or a socket is refused before it is opened.
        Any flag that could change something is refused where the folder is read-only.

        Args:
            path: From the folder; a leading slash means the folder itself.
            flags: As of `os.open`. ``O_TRUNC`` takes effect only once the file has been found to be a regular one.

        Raises:
            OSError: It cannot be opened; `PermissionError` if it leads out or is no file.
        """
        if flags & _CHANGING:
            self._refuse_change()
        return self._at(path, lambda parent, name: open_at(parent, name, flags, _admit_file))

    def open_itself(self) -> int:
        """Opens the folder, to be read, and returns its descriptor, which the caller must close."""
        return self._start(os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def read(self, path: str, most_bytes: int) -> bytes:
        """Returns the content of a file.

        Raises:
            OSError: As of `open`; ``EFBIG`` if it is larger than `most_bytes`.
        """
        with os.fdopen(self.open(path, os.O_RDONLY), "rb", buffering=0) as file:
            pieces, left = [], most_bytes + 1
            while left and (piece := file.read(left)):
                pieces.append(piece)
                left -= len(piece)
        if not left:
            raise OSError(errno.EFBIG, f"the file has more than {most_bytes:,} bytes")
        return b"".join(pieces)

    def replace(self, path: str, content: bytes, mode: int) -> None:
        """Writes a whole file so that others see the old content or the new, never a part.

        Args:
            path: The file; its folder must exist.
            content: What it holds afterwards.
            mode: Its permissions if it is new; an old file's are kept.
        """
        self._refuse_change()

        def act(parent: int, name: str) -> None:
            try:
                found = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
                _admit_file(found)
                permissions = stat.S_IMODE(found)
            except FileNotFoundError:
                permissions = mode
            _replace(parent, name, content, permissions)

        self._at(path, act)

    def status(self, path: str) -> os.stat_result:
        """Returns what is known of a file or folder, following links that stay inside."""

        def act(parent: int, name: str) -> os.stat_result:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                raise error_of(errno.ELOOP)
            return status

        return self._at(path, act)

    def members(self, path: str, most: int) -> list[Member]:
        """Returns what a folder holds, sorted by name.

        Raises:
            OSError: As always; ``EFBIG`` if it holds more than `most`.
        """

        def act(parent: int, name: str) -> list[Member]:
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                with os.scandir(descriptor) as found:
                    return [Member(each.name, each.is_dir(follow_symlinks=False)) for each in islice(found, most + 1)]
            finally:
                os.close(descriptor)

        members = self._at(path, act)
        if len(members) > most:
            raise OSError(errno.EFBIG, f"the folder holds more than {most:,} names")
        return sorted(members, key=itemgetter(0))  # names alone: comparing pairs takes three times as long

    def make_folder(self, path: str, mode: int = 0o777) -> None:
        """Makes a folder in one that exists."""
        self._refuse_change()
        self._at(path, lambda parent, name: os.mkdir(name, mode, dir_fd=parent))

    def remove(self, path: str) -> None:
        """Removes a file, an empty folder, or a symbolic link itself."""
        self._refuse_change()

        def act(parent: int, name: str) -> None:
            if name == ".":
                raise PermissionError(errno.EPERM, "the folder itself cannot be removed")
            if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                os.rmdir(name, dir_fd=parent)
            else:
                os.unlink(name, dir_fd=parent)

        self._at(path, act)

    def _refuse_change(self) -> None:
        if self.read_only is not None:
            raise PermissionError(errno.EROFS, self.read_only)

    def _at(self, path: str, act: Callable[[int, str], T]) -> T:
        start = self._start(FOLDER)
        try:
            return walk(start, path, act, inside=self._from_folder)
        finally:
            os.close(start)

    def _start(self, flags: int) -> int:
        if not self.inside:
            return os.open(self.folder, flags)
        outer = os.open(self.folder, FOLDER)
        try:
            return walk(outer, self.inside, lambda at, name: os.open(name, flags | os.O_NOFOLLOW, dir_fd=at))
        finally:
            os.close(outer)

    def _from_folder(self, target: str) -> str:
        if self.inside:
            raise leads_out()
        for base in (self.folder, Path(os.path.realpath(self.folder))):
            if Path(target).is_relative_to(base):
                slash = "/" if target.endswith("/") else ""
                return f"{Path(target).relative_to(base)}{slash}"
        raise leads_out()


def open_at(parent: int, name: str, flags: int, admit: Callable[[int], None]) -> int:
    """Opens what has a name in an open folder, and returns its descriptor, which the caller must close.

    No link is followed, nothing is waited for, and what is not admitted is not even opened, and changed in no case.

    Args:
        parent: The folder.
        name: Without a slash.
        flags: As of `os.open`.
        admit: Raises unless something of this mode (``st_mode``) may be opened.
    """
    with contextlib.suppress(FileNotFoundError):
        admit(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    extra = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    descriptor = os.open(name, (flags & ~os.O_TRUNC) | extra, 0o666, dir_fd=parent)
    try:
        admit(os.fstat(descriptor).st_mode)  # it may be another one by now
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _admit_file(mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise error_of(errno.ELOOP)
    if stat.S_ISDIR(mode):
        raise error_of(errno.EISDIR)
    refuse_special(mode)


def refuse_special(mode: int) -> None:
    """Refuses what is neither a regular file nor a folder nor a link: a device, a pipe, a socket."""
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        raise PermissionError(errno.EPERM, "it is no regular file")


def _replace(parent: int, name: str, content: bytes, permissions: int) -> None:
    temporary = f".{os.urandom(8).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=parent), "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), permissions)
            os.fsync(file.fileno())
        os.replace(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=parent)
        raise
