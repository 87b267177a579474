"""Compiled code on disk, so that a second start compiles nothing."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import sys
import tempfile
from pathlib import Path

__all__ = ["CompileCache", "default_cache_directory"]

_log = logging.getLogger(__name__)

_MAGIC = b"polycall-wasm-1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size
_REMEDY = "set POLYCALL_CACHE_DIR to a folder of your own"
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_PROBE_BYTES = 64 * 1024


def default_cache_directory() -> Path:
    """Returns ``$POLYCALL_CACHE_DIR``, else ``polycall`` in the user's cache directory (XDG base directories)."""
    own = os.environ.get("POLYCALL_CACHE_DIR")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "polycall"


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

    def obstacle(self) -> str | None:
        """Returns why nothing can be kept here, or None; whatever was made to find out is gone again."""
        existing = next(path for path in (self._directory, *self._directory.absolute().parents) if path.exists())
        try:
            if existing == self._directory and not _is_private(existing.stat()):
                return "other users may write to it"
            # Only a write tells: to root, permissions say nothing, and they say nothing of a full disk.
            with tempfile.TemporaryDirectory(prefix=".polycall-", dir=existing) as probe:
                Path(probe, "probe").write_bytes(bytes(_PROBE_BYTES))
        except OSError as error:
            return error.strerror or str(error)
        return None

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
                raise OSError(f"{path} is no regular file")
            if sys.platform != "win32" and status.st_uid != os.getuid():
                raise OSError(f"{path} belongs to another user")
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
        status = self._directory.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(str(self._directory))
        if _is_private(status):
            return True
        self._warn_unusable(f"other users may write to it; set its mode to 0700, or {_REMEDY}")
        return False

    def _warn_unusable(self, problem: OSError | str) -> None:
        if isinstance(problem, (FileExistsError, NotADirectoryError)):
            problem = f"it is no folder; {_REMEDY}"
        elif isinstance(problem, OSError):
            problem = f"{problem}; {_REMEDY}"
        self._warn(f"WebAssembly is compiled without the cache in {self._directory}: {problem}")

    def _warn(self, problem: str) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("%s", problem)


def _is_private(status: os.stat_result) -> bool:
    if sys.platform == "win32":  # a user's folders are private there, and st_uid says nothing
        return True
    return status.st_uid == os.getuid() and not status.st_mode & _OTHERS_MAY_WRITE


def _framed(key: str, body: bytes) -> bytes:
    digest = hashlib.sha256(key.encode() + body).digest()  # with the key: one program's file is no other's
    return _MAGIC + digest + body
