"""How much there is in the folder of compiled code, and what is removed from it."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from polycall.wasm_runtime.engine.cache_folder import WRITING

__all__ = ["CacheUsage", "cache_usage", "clear_cache", "prune"]

_OURS = re.compile(r"([0-9a-f]{64})\.(?:compiled|seen)")
_ABANDONED_SECONDS = 3600


class CacheUsage(NamedTuple):
    """What is in the cache.

    Attributes:
        files: How many files.
        size_bytes: What they hold together.
    """

    files: int
    size_bytes: int


class _Kept(NamedTuple):
    path: Path
    size_bytes: int
    used: float


def cache_usage(directory: Path) -> CacheUsage:
    """Returns how much compiled code is in a folder, which need not be there.

    Raises:
        OSError: The folder cannot be read.
    """
    return _usage(list(_kept(directory)))


def clear_cache(directory: Path) -> CacheUsage:
    """Removes all compiled code from a folder, and nothing else; programs that run it are not disturbed.

    Returns:
        What was removed.

    Raises:
        OSError: Something cannot be removed.
    """
    removed = list(_kept(directory))
    for file in removed:
        file.path.unlink(missing_ok=True)
    return _usage(removed)


def prune(directory: Path, max_bytes: int) -> None:
    """Removes what was not used for the longest time, until what is left is not more than `max_bytes`.

    Processes may do this at once: each file is then gone for all of them, and who had it open keeps it.
    """
    with suppress(OSError):  # what is removed meanwhile; what another may not let go of (Windows)
        programs: dict[str, list[_Kept]] = {}
        for file in _kept(directory):
            programs.setdefault(file.path.stem, []).append(file)
        total = sum(file.size_bytes for files in programs.values() for file in files)
        for files in sorted(programs.values(), key=lambda files: max(file.used for file in files)):
            if total > max_bytes:
                total -= _removed(files)


def _removed(files: list[_Kept]) -> int:
    for file in files:
        with suppress(OSError):
            file.path.unlink(missing_ok=True)
    return sum(file.size_bytes for file in files)


def _kept(directory: Path) -> Iterator[_Kept]:
    """Yields the files that the cache has made, also those that a process was writing when it ended."""
    now = time.time()
    try:
        found = list(os.scandir(directory))
    except FileNotFoundError:
        return
    for entry in found:
        is_complete = _OURS.fullmatch(entry.name) is not None
        if is_complete or entry.name.startswith(WRITING):
            with suppress(FileNotFoundError):  # removed by another process
                status = entry.stat(follow_symlinks=False)
                is_left = is_complete or now - status.st_mtime > _ABANDONED_SECONDS
                if is_left and not stat.S_ISDIR(status.st_mode):
                    yield _Kept(Path(entry.path), status.st_size, status.st_mtime)


def _usage(files: list[_Kept]) -> CacheUsage:
    return CacheUsage(len(files), sum(file.size_bytes for file in files))
