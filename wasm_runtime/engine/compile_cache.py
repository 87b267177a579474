"""Compiled code, and what else was found out about binaries, on disk: a second start compiles nothing."""

from __future__ import annotations

import hashlib
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from polycall.interop.logs import logger
from polycall.wasm_runtime.engine import DEFAULT_CACHE_BYTES
from polycall.wasm_runtime.engine.cache_bound import prune
from polycall.wasm_runtime.engine.cache_folder import CacheFolder, UnusableError

__all__ = ["CompileCache"]


_MAGIC = b"polycall-wasm-2\n"
_TRAILER_BYTES = len(_MAGIC) + hashlib.sha256().digest_size
_YOUNG_NS = 2_000_000_000
"""How old a file must be for its times to tell it from what is written to it later: file systems count coarsely."""
_TOUCH_SECONDS = 3600
_LARGE_BYTES = 1024 * 1024
"""What is smaller is read, and its digest looked at, every time: mapping it would gain nothing, and who maps a file
relies on nobody writing into it."""
_IDENTITY = struct.Struct("<5Q")
_U64 = 2**64 - 1


class CompileCache:
    """A directory of files by key. Shared by threads and processes.

    The engine runs what it is given here as machine code, so a file counts only if it is whole and if nobody but the
    user could have written it. Whatever is wrong with the cache is said once in the log and otherwise ignored: a
    program is then compiled anew.

    ``KEY.compiled`` is what is kept, and behind it a digest of the key and of all that. ``KEY.seen`` says of which
    file, by its identity and times, the digest was found right. What is used has a file that is no older than an hour.
    """

    def __init__(self, directory: Path, max_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        """Makes nothing yet.

        Args:
            directory: Where the files are.
            max_bytes: How much there may be of them; those that were not used for the longest time go first.
        """
        self._folder = CacheFolder(directory)
        self._max_bytes = max_bytes
        self._warned = False

    def load(self, key: str) -> bytes | None:
        """Returns what was stored under `key`, or None."""
        with self._told(), self._folder.open(f"{key}.compiled") as (file, status):
            return self._content(key, file, status)
        return None

    def find(self, key: str) -> bytes | Path | None:
        """Returns what was stored under `key`; where that is large, the file that begins with it, to be mapped.

        The digest of a large file is computed once, for that takes a hundred times as long as mapping it.
        """
        with self._told(), self._folder.open(f"{key}.compiled") as (file, status):
            if status.st_size < _LARGE_BYTES:
                return self._content(key, file, status)
            if self._was_seen(key, status):
                return self._path(key)
            if self._content(key, file, status) is not None:
                self._note(key, file, status)
                return self._path(key)
        return None

    def store(self, key: str, content: bytes | bytearray) -> None:
        """Keeps something."""
        if len(content) > self._max_bytes:
            return
        with self._told():
            self._folder.make()
            self._folder.write(f"{key}.compiled", content, _trailer(key, content))
            prune(self._folder.path, self._max_bytes)

    def reject(self, key: str, reason: str) -> None:
        """Says that what `load` returned is no good."""
        self._warn(f"compiled code is refused ({reason}), so it is compiled anew and replaced: {self._path(key)}")

    def _content(self, key: str, file: BinaryIO, status: os.stat_result) -> bytes | None:
        content = file.read()
        if not self._is_whole(key, content):
            self._warn(f"compiled code is damaged, so it is compiled anew and replaced: {self._path(key)}")
            return None
        if status.st_size < _LARGE_BYTES:  # else its note says when it was used: its own times must not change
            self._used(f"{key}.compiled", status)
        return content[:-_TRAILER_BYTES]

    def _is_whole(self, key: str, content: bytes) -> bool:
        return content[-_TRAILER_BYTES:] == _trailer(key, memoryview(content)[:-_TRAILER_BYTES])

    def _was_seen(self, key: str, status: os.stat_result) -> bool:
        with suppress(OSError, UnusableError), self._folder.open(f"{key}.seen") as (file, seen):
            if file.read(_IDENTITY.size + 1) == _identity(status):
                self._used(f"{key}.seen", seen)
                return True
        return False

    def _note(self, key: str, file: BinaryIO, status: os.stat_result) -> None:
        """Notes that the digest of a file is right, if whatever is written to it from now on will change its times."""
        is_old = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _YOUNG_NS
        now = os.fstat(file.fileno())
        if is_old and _identity(now) == _identity(status):
            with suppress(OSError, UnusableError):  # a folder that can only be read serves as well, but slower
                os.fsync(file.fileno())  # a power failure must not leave the note without what it is about
                self._folder.write(f"{key}.seen", _identity(status))

    def _used(self, name: str, status: os.stat_result) -> None:
        if time.time() - status.st_mtime > _TOUCH_SECONDS:
            with suppress(OSError):
                os.utime(self._folder.path / name)

    def _path(self, key: str) -> Path:
        return self._folder.path / f"{key}.compiled"

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            pass
        except UnusableError as error:
            self._warn(f"WebAssembly is compiled without the cache in {self._folder.path}: {error.obstacle}")

    def _warn(self, problem: str) -> None:
        if not self._warned:
            self._warned = True
            logger(__name__).warning("%s", problem)


def _trailer(key: str, content: bytes | bytearray | memoryview) -> bytes:
    digest = hashlib.sha256(key.encode())  # one program's file is no other's
    digest.update(content)
    return _MAGIC + digest.digest()


def _identity(status: os.stat_result) -> bytes:
    found = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return _IDENTITY.pack(*(number & _U64 for number in found))
