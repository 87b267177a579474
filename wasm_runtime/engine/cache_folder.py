"""The folder of compiled code: where it is, whether it can be trusted, and its files."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = ["WRITING", "CacheFolder", "Obstacle", "UnusableError", "default_cache_directory"]

WRITING = ".writing-"
"""How the names of files begin that are not complete yet."""

_HOMELESS = Path(os.devnull, "polycall")
"""The cache directory of somebody who has no home: nothing can be made there."""
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_IN_THE_WAY = (FileExistsError, NotADirectoryError, FileNotFoundError)
_PROBE_BYTES = 64 * 1024


def default_cache_directory() -> Path:
    """Returns ``$POLYCALL_CACHE_DIR``, else ``polycall`` in the user's cache directory (XDG base directories)."""
    own = os.environ.get("POLYCALL_CACHE_DIR")
    try:
        if own:
            return Path(own).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "polycall"
    except RuntimeError:  # "~" leads nowhere: HOME is not set, and the system does not know the user
        return _HOMELESS


class Obstacle(NamedTuple):
    """Why a cache directory cannot be used.

    Attributes:
        problem: What is wrong with it.
        remedy: What really mends it.
    """

    problem: str
    remedy: str

    def __str__(self) -> str:
        """Returns both."""
        return f"{self.problem}; {self.remedy}"


class UnusableError(Exception):
    """The cache directory, or a file in it, cannot be used.

    Attributes:
        obstacle: Why.
    """

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(str(obstacle))
        self.obstacle = obstacle


class CacheFolder:
    """A folder whose files are run as machine code: it counts only if nobody but the user could have written them.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def obstacle(self) -> Obstacle | None:
        """Returns why nothing can be kept here, or None; whatever was made to find out is gone again."""
        try:
            # A link that leads nowhere is there as well: no folder can be made in its place.
            existing = next(path for path in (self.path, *self.path.absolute().parents) if _is_there(path))
            found = self._distrust() if existing == self.path else None
            if found is None:
                import tempfile  # noqa: PLC0415  # see `write`

                # Only a write tells: to root, permissions say nothing, and they say nothing of a full disk.
                with tempfile.TemporaryDirectory(prefix=".polycall-", dir=existing) as probe:
                    Path(probe, "probe").write_bytes(bytes(_PROBE_BYTES))
        except OSError as error:
            return self._obstacle_of(error)
        return found

    def make(self) -> None:
        """Makes the folder, private to the user, unless it is there.

        Raises:
            UnusableError: It cannot be made, or the one that is there must not be used.
        """
        with self._obstacles():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check()

    @contextmanager
    def open(self, name: str) -> Iterator[tuple[BinaryIO, os.stat_result]]:
        """Opens a file to read it.

        Raises:
            FileNotFoundError: It is not there.
            UnusableError: Others could have written it.
        """
        with self._obstacles(FileNotFoundError):
            self._check()
            # Without O_NONBLOCK, opening a pipe that somebody put there would wait for a writer.
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(self.path / name, flags), "rb") as file:
                status = os.fstat(file.fileno())
                _check_file(name, status)
                yield file, status

    def write(self, name: str, *parts: bytes | bytearray) -> None:
        """Puts a file in its place; readers see the whole file or none, also when two processes write it at once.

        Raises:
            UnusableError: It cannot be written.
        """
        import tempfile  # noqa: PLC0415  # it loads a dozen modules, and most processes write nothing

        with self._obstacles():
            descriptor, temporary = tempfile.mkstemp(dir=self.path, prefix=WRITING)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.writelines(parts)
                if sys.platform != "win32":  # where it could not be replaced any more
                    Path(temporary).chmod(0o400)  # nobody shall write into a file that others run
                Path(temporary).replace(self.path / name)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise

    @contextmanager
    def _obstacles(self, *expected: type[OSError]) -> Iterator[None]:
        try:
            yield
        except expected:
            raise
        except OSError as error:
            raise UnusableError(self._obstacle_of(error)) from error

    def _check(self) -> None:
        found = self._distrust()
        if found is not None:
            raise UnusableError(found)

    def _distrust(self) -> Obstacle | None:
        status = self.path.stat()
        if not stat.S_ISDIR(status.st_mode):
            return Obstacle("it is no folder", f"remove it, or {self._elsewhere()}")
        if sys.platform == "win32":  # a user's folders are private there, and st_uid says nothing
            return None
        if status.st_uid != os.getuid():
            return Obstacle("it belongs to another user", self._elsewhere())
        if status.st_mode & _OTHERS_MAY_WRITE:
            return Obstacle("other users may write to it", f"set its mode to 0700, or {self._elsewhere()}")
        return None

    def _obstacle_of(self, error: OSError) -> Obstacle:
        if self.path == _HOMELESS:
            return Obstacle("there is no home directory to keep it in", self._elsewhere())
        if isinstance(error, _IN_THE_WAY) and _is_there(self.path):
            return Obstacle("it is no folder", f"remove it, or {self._elsewhere()}")
        if error.errno is None:  # ours, about one file
            return Obstacle(str(error), f"remove it, or {self._elsewhere()}")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Obstacle(os.strerror(error.errno), f"make room there, or {self._elsewhere()}")
        return Obstacle(error.strerror or str(error), self._elsewhere())

    def _elsewhere(self) -> str:
        if self.path == default_cache_directory():
            return "set POLYCALL_CACHE_DIR to a folder of your own"
        # What a program says wins over the variable; a worker process knows neither.
        return "set POLYCALL_CACHE_DIR, or what the program gives as cache_directory, to a folder of your own"


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _check_file(name: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{name} is no regular file")
    if sys.platform == "win32":
        return
    if status.st_uid != os.getuid():
        raise OSError(f"{name} belongs to another user")
    if status.st_mode & _OTHERS_MAY_WRITE:
        raise OSError(f"{name} may be written by other users")
