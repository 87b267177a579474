"""Compiled code on disk, so that a second start compiles nothing."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

__all__ = ["CompileCache", "Obstacle", "default_cache_directory"]

_log = logging.getLogger(__name__)

_MAGIC = b"polycall-wasm-1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size
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


class CompileCache:
    """A directory of compiled programs by key.

    The engine runs what it is given here as machine code, so a file counts only if it is whole (its digest is checked
    before the engine sees it) and if nobody but the user could have written it. Whatever is wrong with the cache is
    said once in the log and otherwise ignored: a program is then compiled anew.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._warned = False

    def load(self, key: str) -> bytes | None:
        """Returns the compiled program that was stored under `key`, or None."""
        try:
            if not self._is_ours():
                return None
            content = self._read(self._file(key))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn_unusable(error)
            return None
        body = content[len(_MAGIC) + _DIGEST_BYTES :]
        if content != _framed(key, body):
            self._warn(f"compiled code is damaged, so it is compiled anew and replaced: {self._file(key)}")
            return None
        return body

    def store(self, key: str, compiled: bytes) -> None:
        """Keeps a compiled program; readers see the whole file or none, also when two processes store it at once."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._is_ours():
                self._replace(self._file(key), _framed(key, compiled))
        except OSError as error:
            self._warn_unusable(error)

    def obstacle(self) -> Obstacle | None:
        """Returns why nothing can be kept here, or None; whatever was made to find out is gone again."""
        try:
            # A link that leads nowhere is there as well: no folder can be made in its place.
            existing = next(path for path in (self._directory, *self._directory.absolute().parents) if _is_there(path))
            found = self._obstacle_in(existing.stat()) if existing == self._directory else None
            if found is None:
                # Only a write tells: to root, permissions say nothing, and they say nothing of a full disk.
                with tempfile.TemporaryDirectory(prefix=".polycall-", dir=existing) as probe:
                    Path(probe, "probe").write_bytes(bytes(_PROBE_BYTES))
        except OSError as error:
            return self._obstacle_of(error)
        return found

    def reject(self, key: str, reason: str) -> None:
        """Says that the engine would not take what `load` returned."""
        self._warn(f"compiled code is refused ({reason}), so it is compiled anew and replaced: {self._file(key)}")

    def _file(self, key: str) -> Path:
        return self._directory / f"{key}.compiled"

    def _read(self, path: Path) -> bytes:
        # Without O_NONBLOCK, opening a pipe that somebody put there would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"{path.name} is no regular file")
            if sys.platform != "win32" and status.st_uid != os.getuid():
                raise OSError(f"{path.name} belongs to another user")
            return file.read()

    def _replace(self, path: Path, content: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self._directory, prefix=".writing-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink()
            raise

    def _is_ours(self) -> bool:
        found = self._obstacle_in(self._directory.stat())
        if found is not None:
            self._warn_unusable(found)
        return found is None

    def _obstacle_in(self, status: os.stat_result) -> Obstacle | None:
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
        if self._directory == _HOMELESS:
            return Obstacle("there is no home directory to keep it in", self._elsewhere())
        if isinstance(error, _IN_THE_WAY) and _is_there(self._directory):
            return Obstacle("it is no folder", f"remove it, or {self._elsewhere()}")
        if error.errno is None:  # ours, about one file
            return Obstacle(str(error), f"remove it, or {self._elsewhere()}")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Obstacle(os.strerror(error.errno), f"make room there, or {self._elsewhere()}")
        return Obstacle(error.strerror or str(error), self._elsewhere())

    def _elsewhere(self) -> str:
        if self._directory == default_cache_directory():
            return "set POLYCALL_CACHE_DIR to a folder of your own"
        # What a program says wins over the variable; a worker process knows neither.
        return "set POLYCALL_CACHE_DIR, or what the program gives as cache_directory, to a folder of your own"

    def _warn_unusable(self, problem: OSError | Obstacle) -> None:
        found = problem if isinstance(problem, Obstacle) else self._obstacle_of(problem)
        self._warn(f"WebAssembly is compiled without the cache in {self._directory}: {found}")

    def _warn(self, problem: str) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("%s", problem)


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _framed(key: str, body: bytes) -> bytes:
    digest = hashlib.sha256(key.encode() + body).digest()  # with the key: one program's file is no other's
    return _MAGIC + digest + body
