"""Paths of the host that came out of a declaration: any text at all, so that asking about one must not raise."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["is_file", "is_folder", "is_there", "shown_path"]


def is_there(path: Path) -> bool:
    """Says whether anything is there; a name that nothing can have is not there."""
    try:
        return path.exists()
    except OSError:  # pathlib lets a name that is too long through
        return False


def is_file(path: Path) -> bool:
    """Says whether a regular file, or a link to one, is there; a name that no file can have is not there."""
    try:
        return path.is_file()
    except OSError:  # pathlib lets a name that is too long through
        return False


def is_folder(path: Path) -> bool:
    """Says whether a folder, or a link to one, is there; a name that no folder can have is not there."""
    try:
        return path.is_dir()
    except OSError:  # as above
        return False


def shown_path(path: Path, project: Path) -> str:
    """Returns what messages call a path: relative to the project folder, with forward slashes."""
    return Path(os.path.relpath(path, project)).as_posix()
