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
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def default_cache_directory() -> Path:
    """Returns ``$POLYCALL_CACHE_DIR``, else ``polycall`` in the user's cache directory (XDG base directories)."""
    own = os.environ.get("POLYCALL_CACHE_DIR")
    if own:
        return Path(own)
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
            if not self._is_private():
                return None
            content = self._file(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn(str(error))
            return None
        body = content[len(_MAGIC) + _DIGEST_BYTES :]
        if content != _framed(key, body):
            self._warn(f"{self._file(key)} is damaged")
            return None
        return body

    def store(self, key: str, compiled: bytes) -> None:
        """Keeps a compiled program; readers see the whole file or none, also when two processes store it at once."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._is_private():
                self._replace(self._file(key), _framed(key, compiled))
        except OSError as error:
            self._warn(str(error))

    def reject(self, key: str, reason: str) -> None:
        """Says that the engine would not take what `load` returned."""
        self._warn(f"{self._file(key)}: {reason}")

    def _file(self, key: str) -> Path:
        return self._directory / f"{key}.compiled"

    def _replace(self, path: Path, content: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self._directory, prefix=".writing-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink()
            raise

    def _is_private(self) -> bool:
        if sys.platform == "win32":  # a user's folders are private there, and st_uid says nothing
            return True
        status = self._directory.stat()
        if status.st_uid == os.getuid() and not status.st_mode & _OTHERS_MAY_WRITE:
            return True
        self._warn(f"other users may write to {self._directory} (set its mode to 0700, or set POLYCALL_CACHE_DIR)")
        return False

    def _warn(self, problem: str) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("WebAssembly is compiled without the cache: %s", problem)


def _framed(key: str, body: bytes) -> bytes:
    digest = hashlib.sha256(key.encode() + body).digest()  # with the key: one program's file is no other's
    return _MAGIC + digest + body
