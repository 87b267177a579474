"""A folder of the host that nothing leads out of: the one way in which files are reached on behalf of a guest.

A path is never resolved first and opened afterwards, because what it means could change in between. It is walked: each
folder is opened relative to the one before it (``openat``) and without following a symbolic link (``O_NOFOLLOW``). A
link is read and its target walked in turn, so it may lead anywhere inside; ``..`` goes back to the folder that the walk
came from, never to whatever the file system says is above. This is what ``openat2`` calls ``RESOLVE_BENEATH``, except
that an absolute link is followed if it names the folder's own inside. The magic links of ``/proc`` are read as text.

Everything here raises `OSError`, as the operating system does; an attempt to leave is a `PermissionError`.
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
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

__all__ = ["ConfinedFolder", "Member"]

T = TypeVar("T")

_FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LINK_MET = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})
_MOST_LINKS = 40
_MOST_LEVELS = 64
_MOST_STEPS = 4096
_MOST_BYTES = 4096


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
    """

    def __init__(self, folder: Path, *, read_only: str | None = None) -> None:
        self.folder = folder
        self.read_only = read_only

    def open(self, path: str, flags: int, *, linked: bool = False) -> int:
        """Opens a regular file and returns its descriptor, which the caller must close.

        Nothing waits or is set off by it: a device, a pipe or a socket is refused before it is opened.
        Any flag that could change something is refused where the folder is read-only.

        Args:
            path: From the folder; a leading slash means the folder itself.
            flags: As of `os.open`. ``O_TRUNC`` takes effect only once the file has been found to be admissible.
            linked: Whether the file may have further names (hard links), which may lie outside of the folder: only for
                files whose content is known to be the right one, or that no guest reads.

        Raises:
            OSError: It cannot be opened; `PermissionError` if it leads out, is no file, or has further names.
        """
        if flags & _CHANGING:
            self._refuse_change()

        def act(parent: int, name: str) -> int:
            with contextlib.suppress(FileNotFoundError):
                _refuse_special(os.stat(name, dir_fd=parent, follow_symlinks=False))
            extra = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
            descriptor = os.open(name, (flags & ~os.O_TRUNC) | extra, 0o666, dir_fd=parent)
            try:
                _admit(os.fstat(descriptor), linked)
                if flags & os.O_TRUNC:
                    os.ftruncate(descriptor, 0)
            except BaseException:
                os.close(descriptor)
                raise
            return descriptor

        return self._at(path, act)

    def read(self, path: str, most_bytes: int, *, linked: bool = False) -> bytes:
        """Returns the content of a file.

        Raises:
            OSError: As of `open`; ``EFBIG`` if it is larger than `most_bytes`.
        """
        with os.fdopen(self.open(path, os.O_RDONLY, linked=linked), "rb", buffering=0) as file:
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
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
                _refuse_special(status)
                permissions = stat.S_IMODE(status.st_mode)
            except FileNotFoundError:
                permissions = mode
            _replace(parent, name, content, permissions)

        self._at(path, act)

    def status(self, path: str) -> os.stat_result:
        """Returns what is known of a file or folder, following links that stay inside."""

        def act(parent: int, name: str) -> os.stat_result:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
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
        """Walks to a path and does something there, as `_Walk.reach` says."""
        if "\0" in path:
            raise OSError(errno.EINVAL, "the path holds a NUL character")
        if len(os.fsencode(path)) > _MOST_BYTES:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        with _Walk(self.folder, path) as walk:
            return walk.reach(act)


class _Walk:
    """One walk: the folders that are open behind it, and the steps ahead, the next one last."""

    def __init__(self, folder: Path, path: str) -> None:
        self._folder = folder
        self._ahead = path.split("/")[::-1]
        self._behind: list[int] = []
        self._links = 0
        self._steps = 0

    def __enter__(self) -> Self:
        self._behind.append(os.open(self._folder, _FOLDER))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._back_to(0)

    def reach(self, act: Callable[[int, str], T]) -> T:
        """Calls `act` with an open folder and the last name, "." for the folder itself.

        `act` must not follow a symbolic link: where it raises ELOOP, the walk goes on to the target of the link.
        """
        while True:
            name = self._last_name()
            try:
                return act(self._behind[-1], name)
            except OSError as error:
                if error.errno not in _LINK_MET or not self._follow(name):
                    raise

    def _last_name(self) -> str:
        while self._ahead:
            name = self._ahead.pop()
            self._steps += 1
            if self._steps > _MOST_STEPS:  # what links lead to counts as well: forty of them may be long
                raise OSError(errno.ENAMETOOLONG, f"the path has more than {_MOST_STEPS:,} steps")
            if name == "..":
                self._leave()
            elif name not in ("", "."):
                if not any(self._ahead):  # nothing but trailing slashes
                    return name
                self._enter(name)
        return "."

    def _enter(self, name: str) -> None:
        if len(self._behind) > _MOST_LEVELS:
            raise OSError(errno.ENAMETOOLONG, f"the path is more than {_MOST_LEVELS} folders deep")
        try:
            self._behind.append(os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=self._behind[-1]))
        except OSError as error:
            if error.errno not in _LINK_MET or not self._follow(name):
                raise

    def _leave(self) -> None:
        if len(self._behind) == 1:
            raise _leads_out()
        os.close(self._behind.pop())

    def _follow(self, name: str) -> bool:
        """Puts the target of a link ahead; False if there is no link."""
        try:
            target = os.readlink(name, dir_fd=self._behind[-1])
        except OSError:
            return False
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.startswith("/"):
            target = self._from_folder(target)
            self._back_to(1)
        self._ahead += target.split("/")[::-1]
        return True

    def _from_folder(self, target: str) -> str:
        for base in (self._folder, Path(os.path.realpath(self._folder))):
            if Path(target).is_relative_to(base):
                return str(Path(target).relative_to(base))
        raise _leads_out()

    def _back_to(self, count: int) -> None:
        while len(self._behind) > count:
            os.close(self._behind.pop())


def _leads_out() -> PermissionError:
    return PermissionError(errno.EACCES, "the path leads out of the folder")


def _refuse_special(status: os.stat_result) -> None:
    mode = status.st_mode
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise PermissionError(errno.EACCES, "it is no regular file")


def _admit(status: os.stat_result, linked: bool) -> None:
    _refuse_special(status)
    if status.st_nlink > 1 and not linked:
        raise PermissionError(errno.EACCES, "the file has other names (hard links), which may lie outside; copy it")


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
