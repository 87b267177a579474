"""Which folders are data for guests, so that nothing in them is read as a declaration or as code.

An ``fs.directory`` makes its folder data if the file that declares it lies outside. Of two files that hand each other's
folder out, neither can be believed: a guest may have written either. So a file counts if every file that hands out a
folder around it has been found not to count, and does not count once one of these does; what is left open by this is a
problem that a person has to solve.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from polycall.registry.entries.entry import Entry
from polycall.registry.entries.folders import declared_folder, identity_of, is_source, link_target, nesting, places

__all__ = ["DataFolders", "Settled", "lies_in_data", "settle"]


class DataFolders:
    """The folders that some entries make data.

    Args:
        entries: The entries, of any kind.
        root: The project folder.
    """

    def __init__(self, entries: Iterable[Entry], root: Path) -> None:
        self._by_path: dict[Path, Entry] = {}
        handed_out = [entry for entry in entries if entry.kind == "fs.directory" and entry.spec is not None]
        nested = nesting(handed_out, root)
        for entry in handed_out:
            # One within data is data itself. Where it really is, a guest decides, who may have put a link there.
            if entry not in nested:
                folder = _resolved(declared_folder(entry, root))
                if not is_source(folder, entry, root):
                    self._by_path.setdefault(folder, entry)
        self._by_identity = {identity_of(folder): entry for folder, entry in self._by_path.items()}
        self._known: dict[Path, Entry | None] = {}
        self._places: dict[Path, tuple[Entry | None, Path | None]] = {}

    def holder(self, path: Path) -> Entry | None:
        """Returns the entry that makes data of a folder which a path lies in or leads through, or None.

        Where a path only leads through data, by links, a guest decides where it ends.
        """
        if not self._by_path:
            return None
        if path not in self._known:
            self._known[path] = next(filter(None, self._met(path)), None)
        return self._known[path]

    def _met(self, path: Path) -> Iterator[Entry | None]:
        """Yields what is known of every place that opening an absolute path passes, links and what they lead to."""
        for place in places(path, lambda at: self._place(at)[1]):
            yield self._place(place.path)[0]

    def _place(self, at: Path) -> tuple[Entry | None, Path | None]:
        """Returns the entry that hands a place out, and where the link leads that stands there; looked up once."""
        found = self._places.get(at)
        if found is None:
            found = self._places[at] = self._entry_at(at), link_target(at)
        return found

    def _entry_at(self, folder: Path) -> Entry | None:
        # By what it is as well, not only by its path: upper and lower case may be one, and a folder mounted twice.
        identity = identity_of(folder)
        return self._by_path.get(folder) or (self._by_identity.get(identity) if identity else None)


def lies_in_data(holder: Entry) -> str:
    """Returns the words for a file that lies in the folder of an entry: ``lies in data, which ...``."""
    return f"lies in {holder.spec.directory}, which {holder.id} hands out to guests as data"


def _resolved(folder: Path) -> Path:
    try:
        return Path(os.path.realpath(folder))
    except (OSError, ValueError):  # a link that may not be read, a NUL character: nobody can be handed this out
        return folder


class Settled(NamedTuple):
    """Which files count.

    Attributes:
        kept: The numbers of those that do.
        data: The folders that they make data.
        open: The numbers of those of which it cannot be said, with the entry of another one that hands them out.
    """

    kept: frozenset[int]
    data: DataFolders
    open: Mapping[int, Entry]


def settle(files: Sequence[tuple[Path, Sequence[Entry]]], root: Path) -> Settled:
    """Decides which files count.

    Args:
        files: The path of each, without symbolic links, and the entries that it declares.
        root: The project folder.
    """
    kept: set[int] = set()
    dropped: set[int] = set()
    while True:
        undecided = [number for number in range(len(files)) if number not in kept and number not in dropped]
        certain = DataFolders(_entries(files, kept), root)
        possible = DataFolders(_entries(files, {*kept, *undecided}), root)
        held = {number: possible.holder(files[number][0].parent) for number in undecided}
        newly_dropped = {number for number in undecided if certain.holder(files[number][0].parent)}
        newly_kept = {number for number, entry in held.items() if entry is None}
        if not newly_dropped and not newly_kept:
            return Settled(frozenset(kept), certain, {number: entry for number, entry in held.items() if entry})
        kept |= newly_kept
        dropped |= newly_dropped


def _entries(files: Sequence[tuple[Path, Sequence[Entry]]], numbers: Iterable[int]) -> Iterator[Entry]:
    for number in sorted(numbers):
        yield from files[number][1]
