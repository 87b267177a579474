"""What an ``fs.directory`` hands out: data, which guests may write, or source, which they only read.

A folder is one or the other, never both: who may write what is read as declarations or code may do anything.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from polycall.registry.entries.entry import Entry

if TYPE_CHECKING:
    from polycall.registry.entries.data_kinds import FsDirectorySpec

__all__ = ["declared_folder", "holds", "is_source"]


def declared_folder(entry: Entry, root: Path) -> Path:
    """Returns the folder that an ``fs.directory`` entry names, which need not be there.

    Args:
        entry: The entry.
        root: The project folder.
    """
    spec: FsDirectorySpec = entry.spec
    return (root if spec.base == "project" else entry.source_root) / spec.directory


def is_source(folder: Path, entry: Entry, root: Path) -> bool:
    """Says whether a folder stays source although an entry hands it out: it holds its declaring file, or the project.

    Args:
        folder: What the entry hands out, without symbolic links in its path.
        entry: The entry.
        root: The project folder.
    """
    return holds(folder, Path(os.path.normpath(root / entry.location.file))) or holds(folder, root)


def holds(folder: Path, path: Path) -> bool:
    """Says whether a path is a folder or lies in it at any depth, however the two are spelt.

    Neither path has symbolic links in it. Upper and lower case may be one to the file system, and a folder may be
    mounted twice: what counts is which folder it is, and its path where it is not there yet.
    """
    if path.is_relative_to(folder):
        return True
    try:
        wanted = folder.stat()
    except (OSError, ValueError):
        return False
    return any(_is(each, wanted) for each in (path, *path.parents))


def _is(path: Path, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), wanted)
    except (OSError, ValueError):
        return False
