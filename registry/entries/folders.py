"""What an ``fs.directory`` hands out: data, which guests may write, or source, which they only read.

A folder is one or the other, never both: who may write what is read as declarations or code may do anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polycall.registry.entries.entry import Entry

if TYPE_CHECKING:
    from polycall.registry.entries.data_kinds import FsDirectorySpec

__all__ = [
    "Nested",
    "Place",
    "declared_folder",
    "holds",
    "identity_of",
    "is_source",
    "link_target",
    "nesting",
    "places",
]

_MOST_LINKS = 40


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


class Place(NamedTuple):
    """Something that opening a path passes.

    Attributes:
        path: Where it is.
        ahead: The names that are still to come, the next one last.
    """

    path: Path
    ahead: list[str]


def link_target(path: Path) -> Path | None:
    """Returns where the link leads that stands at a path; None if none does."""
    try:
        return path.readlink()
    except (OSError, ValueError):
        return None


def places(path: Path, target_of: Callable[[Path], Path | None] = link_target) -> Iterator[Place]:
    """Yields every place that opening an absolute path passes, links and what they lead to; the last is its end.

    Args:
        path: The path.
        target_of: What reads a link.
    """
    ahead, at, links = list(path.parts[:0:-1]), Path(path.anchor), 0
    while ahead:
        name = ahead.pop()
        at = at.parent if name == ".." else at / name
        yield Place(at, ahead)
        target = target_of(at)
        if target is None:
            continue
        links += 1
        if links > _MOST_LINKS:
            return
        at = Path(target.anchor) if target.is_absolute() else at.parent
        ahead += target.parts[: 0 if target.is_absolute() else None : -1]


def identity_of(path: Path) -> tuple[int, int] | None:
    """Returns which file, folder or link is at a path, however it is spelt; None if nothing is."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


class Nested(NamedTuple):
    """A folder that lies in another one which guests may write: what stands there is up to them.

    Attributes:
        outer: The outermost such folder.
        entry: The entry that hands it out.
        inside: The path from there.
    """

    outer: Path
    entry: Entry
    inside: str


def nesting(entries: Iterable[Entry], root: Path) -> Mapping[Entry, Nested]:
    """Returns which ``fs.directory`` entries name a folder within that of another one, which is no source.

    By the way that leads there, not by what is at its end: a guest may have put a link there.

    Args:
        entries: All of them, of that kind.
        root: The project folder.
    """
    folders = {entry: declared_folder(entry, root) for entry in entries}
    writable = {entry: path for entry, path in folders.items() if not is_source(_real(path), entry, root)}
    if len(folders) < 2 or not writable:
        return {}
    by_path = {spelt: entry for entry, path in writable.items() for spelt in _spellings(path)}
    by_identity = {identity: entry for entry, path in writable.items() if (identity := identity_of(path))}
    found = {}
    for entry, path in folders.items():
        for place in places(path):
            outer = by_path.get(place.path) or by_identity.get(identity_of(place.path) or (0, 0))
            if place.ahead and outer is not None and outer is not entry:
                found[entry] = Nested(place.path, outer, "/".join(reversed(place.ahead)))
                break
    return found


def _spellings(path: Path) -> tuple[Path, Path]:
    plain = Path(os.path.normpath(path))
    return plain, _real(plain.parent) / plain.name


def _real(path: Path) -> Path:
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):  # a link that may not be read, a NUL character: nobody can be handed this out
        return path
