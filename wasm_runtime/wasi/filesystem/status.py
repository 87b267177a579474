"""What guests learn of a file or a folder: nothing by which the host could be told from another."""

from __future__ import annotations

import os
import stat
from hashlib import blake2b
from typing import Any

from polycall.wasm_runtime.wasi.clocks.wall_clock import Datetime, datetime_of

__all__ = ["Status", "hash_of", "status_of", "type_of"]

Status = dict[str, Any]
"""A ``descriptor-stat``."""

_TYPES = {
    stat.S_IFBLK: "block-device",
    stat.S_IFCHR: "character-device",
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "fifo",
    stat.S_IFLNK: "symbolic-link",
    stat.S_IFREG: "regular-file",
    stat.S_IFSOCK: "socket",
}

_KEY = os.urandom(32)
"""Of this process alone: numbers of devices and files are the host's."""


def type_of(mode: int) -> str:
    """Returns the ``descriptor-type`` of a mode (``st_mode``)."""
    return _TYPES.get(stat.S_IFMT(mode), "unknown")


def status_of(status: os.stat_result) -> Status:
    """Returns a ``descriptor-stat``."""
    return {
        "type": type_of(status.st_mode),
        "link-count": status.st_nlink,
        "size": status.st_size,
        "data-access-timestamp": _time(status.st_atime_ns),
        "data-modification-timestamp": _time(status.st_mtime_ns),
        "status-change-timestamp": _time(status.st_ctime_ns),
    }


def _time(nanoseconds: int) -> Datetime | None:
    return None if nanoseconds < 0 else datetime_of(nanoseconds)  # before 1970 there are no guests' times


def hash_of(status: os.stat_result) -> dict[str, int]:
    """Returns a ``metadata-hash-value``: the same as long as it is the same file.

    What is written to a file does not change it: guests take it for the number of the file (``st_ino``).
    """
    digest = blake2b(f"{status.st_dev}:{status.st_ino}".encode(), key=_KEY, digest_size=16).digest()
    return {"lower": int.from_bytes(digest[:8], "little"), "upper": int.from_bytes(digest[8:], "little")}
