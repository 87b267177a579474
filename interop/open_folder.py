"""A folder that a guest has open, and what it does in it by path: the ``*-at`` functions of ``wasi:filesystem``.

Each open folder is a root of its own: `polycall.interop.walk` never leaves it, an absolute path or link is refused,
and so are ``..`` that lead above it. A path with a slash at its end names a folder, or nothing. What would be
changed by a name, a link for one, is never followed to something else.

Everything here raises `OSError`, with the numbers that the operating system would use for it.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Hashable
from typing import Literal, NamedTuple, TypeVar

from polycall.interop.confined import open_at, refuse_special
from polycall.interop.walk import error_of, leads_out, walk

__all__ = ["CHANGING", "NewTime", "OpenFolder", "set_times"]

T = TypeVar("T")

CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
"""The flags of opening by which something can be changed."""

NewTime = int | Literal["now"] | None
"""Nanoseconds since 1970; None leaves a time as it is."""


class _Place(NamedTuple):
    """Where something is changed: a name in an open folder, and whether the path had a slash at its end."""

    folder: int
    name: str
    slash: bool

    def mode(self) -> int:
        return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False).st_mode

    def refuse_slash(self) -> None:
        """Refuses to make something here that is no folder, if the path says that it is one."""
        if self.slash:
            raise error_of(errno.EEXIST if stat.S_ISDIR(self.mode()) else errno.ENOTDIR)


class OpenFolder:
    """A folder that is open.

    Args:
        descriptor: Of the folder, open for reading; whoever has it closes it.
        mount: What it was reached from. Nothing is moved or linked from one mount to another.
        read_only: Whether everything that changes something is refused.
    """

    __slots__ = ("descriptor", "mount", "read_only")

    def __init__(self, descriptor: int, mount: Hashable, *, read_only: bool) -> None:
        self.descriptor = descriptor
        self.mount = mount
        self.read_only = read_only

    def open(self, path: str, flags: int, *, follow: bool) -> int:
        """Opens a regular file or a folder and returns its descriptor, which the caller must close.

        Args:
            path: From here.
            flags: As of `os.open`.
            follow: Whether a link at the end is followed; else it is ``ELOOP``.
        """
        if flags & CHANGING:
            self.refuse_change()
        before, slash = _name_of(path)
        makes = bool(flags & os.O_CREAT)

        def admit(mode: int) -> None:
            if stat.S_ISDIR(mode):
                if flags & CHANGING:
                    raise error_of(errno.EISDIR)
            elif stat.S_ISLNK(mode):
                raise error_of(errno.ELOOP)
            elif flags & os.O_DIRECTORY:
                raise error_of(errno.ENOTDIR)
            refuse_special(mode)

        def act(parent: int, name: str) -> int:
            ends_in_slash = slash and name != "."
            if makes and flags & os.O_EXCL and not ends_in_slash and _exists(parent, name):
                raise error_of(errno.EEXIST)
            if makes and ends_in_slash:  # a folder is made by other means
                raise error_of(errno.EISDIR)
            return open_at(parent, name, flags, admit)

        return walk(self.descriptor, f"{before}/." if slash and not makes else before, act, follow=follow)

    def status(self, path: str, *, follow: bool) -> os.stat_result:
        """Returns what is known of something."""
        return self._at(path, lambda parent, name: _status(parent, name, follow), follow=follow)

    def set_times(self, path: str, accessed: NewTime, modified: NewTime, *, follow: bool) -> None:
        """Sets when something was read and written last."""
        self.refuse_change()

        def act(parent: int, name: str) -> None:
            status = _status(parent, name, follow)
            set_times(name, status, accessed, modified, parent=parent)

        self._at(path, act, follow=follow)

    def read_link(self, path: str) -> str:
        """Returns where a symbolic link leads; ``EPERM`` if that is an absolute path."""
        target = self._at(path, lambda parent, name: os.readlink(name, dir_fd=parent), follow=False)
        if target.startswith("/"):
            raise leads_out()
        return target

    def make_folder(self, path: str) -> None:
        """Makes a folder."""
        self._change(path, lambda new: os.mkdir(new.name, dir_fd=new.folder))

    def make_link(self, target: str, path: str) -> None:
        """Makes a symbolic link; ``EPERM`` if its target is absolute."""
        self.refuse_change()
        if target.startswith("/"):
            raise leads_out()
        if "\0" in target:
            raise error_of(errno.EINVAL)

        def act(new: _Place) -> None:
            new.refuse_slash()
            os.symlink(target, new.name, dir_fd=new.folder)

        self._change(path, act)

    def remove_folder(self, path: str) -> None:
        """Removes an empty folder."""
        self._change(path, lambda old: os.rmdir(old.name, dir_fd=old.folder))

    def remove_file(self, path: str) -> None:
        """Removes what is no folder: a link itself."""

        def act(old: _Place) -> None:
            if stat.S_ISDIR(old.mode()):
                raise error_of(errno.EISDIR)
            if old.slash:
                raise error_of(errno.ENOTDIR)
            os.unlink(old.name, dir_fd=old.folder)

        self._change(path, act)

    def rename(self, path: str, to: OpenFolder, new_path: str) -> None:
        """Gives something another name, in a folder of the same mount."""

        def act(old: _Place, new: _Place) -> None:
            if not stat.S_ISDIR(old.mode()) and (old.slash or new.slash):
                raise error_of(errno.ENOTDIR)
            os.rename(old.name, new.name, src_dir_fd=old.folder, dst_dir_fd=new.folder)

        self._change_both(path, to, new_path, act)

    def link(self, path: str, to: OpenFolder, new_path: str) -> None:
        """Gives a file or a symbolic link one more name, in a folder of the same mount."""

        def act(old: _Place, new: _Place) -> None:
            mode = old.mode()
            if old.slash and not stat.S_ISDIR(mode):
                raise error_of(errno.ENOTDIR)
            new.refuse_slash()
            if _exists(new.folder, new.name):
                raise error_of(errno.EEXIST)
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                raise error_of(errno.EPERM)
            os.link(old.name, new.name, src_dir_fd=old.folder, dst_dir_fd=new.folder, follow_symlinks=False)

        self._change_both(path, to, new_path, act)

    def refuse_change(self) -> None:
        """Raises ``EROFS`` where nothing may be changed."""
        if self.read_only:
            raise error_of(errno.EROFS)

    def _at(self, path: str, act: Callable[[int, str], T], *, follow: bool) -> T:
        name, slash = _name_of(path)
        return walk(self.descriptor, f"{name}/." if slash else name, act, follow=follow)

    def _change(self, path: str, act: Callable[[_Place], None]) -> None:
        """Does something to a name, whatever has it."""
        self.refuse_change()
        before, slash = _name_of(path)
        walk(self.descriptor, before, lambda folder, name: act(_Place(folder, name, slash)), follow=False)

    def _change_both(self, path: str, to: OpenFolder, new_path: str, act: Callable[[_Place, _Place], None]) -> None:
        to.refuse_change()
        self.refuse_change()
        if self.mount != to.mount:
            raise error_of(errno.EXDEV)
        self._change(path, lambda old: to._change(new_path, lambda new: act(old, new)))


def set_times(
    target: str | int, status: os.stat_result, accessed: NewTime, modified: NewTime, *, parent: int | None = None
) -> None:
    """Sets when something was read and written last.

    Args:
        target: A descriptor, or a name in `parent`; a link itself.
        status: What is known of it.
        accessed: When it was read.
        modified: When it was written.
        parent: An open folder.
    """
    if accessed is None and modified is None:
        return
    times = None
    if (accessed, modified) != ("now", "now"):
        times = _time(accessed, status.st_atime_ns), _time(modified, status.st_mtime_ns)
    if isinstance(target, int):
        os.utime(target, ns=times) if times else os.utime(target)
    elif times:
        os.utime(target, ns=times, dir_fd=parent, follow_symlinks=False)
    else:
        os.utime(target, dir_fd=parent, follow_symlinks=False)


def _time(new: NewTime, old: int) -> int:
    if new is None:
        return old
    return time.time_ns() if new == "now" else new


def _name_of(path: str) -> tuple[str, bool]:
    """Returns a path without the slashes at its end, and whether there were any.

    Raises:
        OSError: It is empty, or absolute.
    """
    if not path:
        raise error_of(errno.ENOENT)
    if path.startswith("/"):
        raise leads_out()
    name = path.rstrip("/")
    return name, len(name) < len(path)


def _exists(parent: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _status(parent: int, name: str, follow: bool) -> os.stat_result:
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if follow and stat.S_ISLNK(status.st_mode):
        raise error_of(errno.ELOOP)  # the walk goes on
    return status
