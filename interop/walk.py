"""The walk to a path in a folder that nothing leads out of: the one way in which guests' paths are followed.

A path is never resolved first and used afterwards, because what it means could change in between. It is walked: each
folder is opened relative to the one before it (``openat``) and without following a symbolic link (``O_NOFOLLOW``). A
link is read and its target walked in turn, so it may lead anywhere inside; ``..`` goes back to the folder that the walk
came from, never to whatever the file system says is above. This is what ``openat2`` calls ``RESOLVE_BENEATH``. The
magic links of ``/proc`` are read as text. What is done at the end is done to one name in an open folder, with calls
that follow no link; no name that reaches the system has a slash in it, so none makes it follow one after all.

Everything here raises `OSError`, as the operating system does; an attempt to leave is a `PermissionError`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TypeVar

__all__ = ["FOLDER", "error_of", "leads_out", "walk"]

T = TypeVar("T")

FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
"""How a folder is opened in which something else is going to be opened."""

_LINK_MET = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})
_MOST_LINKS = 40
_MOST_LEVELS = 64
_MOST_STEPS = 4096
_MOST_BYTES = 4096


def error_of(number: int) -> OSError:
    """Returns the error of the system that has this number."""
    return OSError(number, os.strerror(number))


def leads_out() -> OSError:
    """Returns the error of a path that leads out."""
    return PermissionError(errno.EPERM, "the path leads out of the folder")


def _refuse_absolute(_target: str) -> str:
    raise leads_out()


def walk(
    start: int,
    path: str,
    act: Callable[[int, str], T],
    *,
    follow: bool = True,
    inside: Callable[[str], str] = _refuse_absolute,
) -> T:
    """Walks to a path and does something there.

    Args:
        start: The open folder that the walk begins in and never leaves; it stays open.
        path: Where to. Slashes at its beginning and its end mean nothing; who calls may refuse them, or want a folder.
        act: Called with an open folder and the last name, "." for the folder itself. It must not follow a symbolic
            link: where it raises ELOOP, or ENOTDIR and there is a link, the walk goes on to the target of the link.
        follow: Whether a link at the very end is followed.
        inside: Turns the absolute target of a link into a path from `start`; raises if it does not lead there.

    Raises:
        OSError: A step is not possible, or what `act` raised.
    """
    if "\0" in path:
        raise OSError(errno.EINVAL, "the path holds a NUL character")
    if len(os.fsencode(path)) > _MOST_BYTES:
        raise error_of(errno.ENAMETOOLONG)
    walked = _Walk(start, path, inside)
    try:
        return walked.reach(act, follow)
    finally:
        walked.back_to_start()


class _Walk:
    """One walk: the folders that are open behind it, and the steps ahead, the next one last."""

    def __init__(self, start: int, path: str, inside: Callable[[str], str]) -> None:
        self._start = start
        self._inside = inside
        self._ahead = path.rstrip("/").split("/")[::-1]
        self._behind: list[int] = []
        self._links = 0
        self._steps = 0

    def reach(self, act: Callable[[int, str], T], follow: bool) -> T:
        while True:
            name = self._last_name()
            try:
                return act(self._here(), name)
            except OSError as error:
                if not follow or error.errno not in _LINK_MET or not self._follow(name):
                    raise

    def back_to_start(self) -> None:
        while self._behind:
            os.close(self._behind.pop())

    def _here(self) -> int:
        return self._behind[-1] if self._behind else self._start

    def _last_name(self) -> str:
        while self._ahead:
            name = self._ahead.pop()
            self._steps += 1
            if self._steps > _MOST_STEPS:  # what links lead to counts as well: forty of them may be long
                raise OSError(errno.ENAMETOOLONG, f"the path has more than {_MOST_STEPS:,} steps")
            if name == "..":
                self._leave()
            elif name not in ("", "."):
                if not self._ahead:
                    return name
                self._enter(name)
        return "."

    def _enter(self, name: str) -> None:
        if len(self._behind) >= _MOST_LEVELS:
            raise OSError(errno.ENAMETOOLONG, f"the path is more than {_MOST_LEVELS} folders deep")
        try:
            self._behind.append(os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=self._here()))
        except OSError as error:
            if error.errno not in _LINK_MET or not self._follow(name):
                raise

    def _leave(self) -> None:
        if not self._behind:
            raise leads_out()
        os.close(self._behind.pop())

    def _follow(self, name: str) -> bool:
        """Puts the target of a link ahead; False if there is no link."""
        try:
            target = os.readlink(name, dir_fd=self._here())
        except OSError:
            return False
        self._links += 1
        if self._links > _MOST_LINKS:
            raise error_of(errno.ELOOP)
        if target.startswith("/"):
            target = self._inside(target)
            self.back_to_start()
        # A target with a slash at its end is a folder, wherever the link stands: the walk enters it.
        self._ahead += (f"{target}." if target.endswith("/") else target).split("/")[::-1]
        return True
