"""What Python has put over the entries of the files: entries, and functions of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from polycall.interop.errors import DeclarationError, Problem
from polycall.interop.ids import EntryId
from polycall.registry.dispatch.python_functions import PythonFunction
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.entries.linkage import Linkage, by_name
from polycall.registry.reading.python_entries import folder_problems

__all__ = ["Additions", "Put"]


class Put(NamedTuple):
    """An entry that Python has put there.

    Attributes:
        entry: The entry.
        problems: What is wrong with its declaration.
        declare: Reads it again, with the settings of another index; None for a function, which has none.
        function: The function, if it is one.
        covers: What the files declare under its id, which `replace` has put it in the place of.
    """

    entry: Entry
    problems: Sequence[Problem] = ()
    declare: Callable[[Index], tuple[Entry, list[Problem]]] | None = None
    function: PythonFunction | None = None
    covers: Entry | None = None


class Additions:
    """The entries of Python's. One thread at a time uses it: who does has the dispatcher's lock.

    They stay when the files are read again: an entry that was added is nobody's file's, and one that was put in the
    place of a file's stands there until it is removed. Then that of the file is back.
    """

    def __init__(self, has_files: bool) -> None:
        self._has_files = has_files
        self._puts: dict[EntryId, Put] = {}
        self._linkage: Linkage | None = None

    def function(self, entry: Entry) -> PythonFunction | None:
        """Returns the function behind an entry, if Python has put one there."""
        put = self._puts.get(entry.id)
        return put.function if put is not None and put.entry is entry else None

    def check(self, index: Index, put: Put, *, replace: bool) -> Index:
        """Returns the index with an entry.

        Raises:
            ValueError: The id of a function is taken, and it is not to replace what is there.
            DeclarationError: The id of another entry is, or it does not go with the others.
        """
        entry = put.entry
        there = index.by_id.get(entry.id)
        taken = None if there is None or replace else f"the id {entry.id} is taken: declared in {there.location}"
        if taken is not None and put.function is not None:
            raise ValueError(taken)
        changed = index.with_entry(entry)
        problems = list(put.problems)
        if taken is not None:
            problems.append(entry.problem("id", taken, "replace() puts it in the place of that one"))
        problems += self._linked(index).problems(entry, changed)
        problems += folder_problems(entry, changed, has_files=self._has_files)
        if problems:
            raise DeclarationError(problems)
        return changed

    def put(self, index: Index, put: Put, *, replace: bool) -> tuple[Index, set[EntryId]]:
        """Takes an entry in; returns the index with it, and the ids of all that are others now. Raises as `check`."""
        changed = self.check(index, put, replace=replace)
        entry_id = put.entry.id
        there, known = index.by_id.get(entry_id), self._puts.get(entry_id)
        self._puts[entry_id] = put._replace(covers=there if known is None else known.covers)
        return changed, self._relinked(self._linked(index), there, put.entry)

    def remove(self, index: Index, entry_id: EntryId) -> tuple[Index, set[EntryId]]:
        """Returns the index without an entry, and the ids of all that are others now.

        Raises:
            NotFoundError: There is none.
            ValueError: Python has not put it there.
            DeclarationError: Others refer to it.
        """
        entry = index.get(entry_id)
        put = self._puts.get(entry_id)
        if put is None:
            raise ValueError(f"{entry_id} is declared in {entry.location}: take it out there, and reload")
        linkage = self._linked(index)
        changed = index.without(entry) if put.covers is None else index.with_entry(put.covers)
        problems = list(linkage.left_behind(entry_id, changed))
        if problems:
            raise DeclarationError(problems)
        del self._puts[entry_id]
        return changed, self._relinked(linkage, entry, put.covers)

    def over(self, declared: Index, present: Index) -> tuple[Index, dict[EntryId, Put]]:
        """Returns the index of the files with all that Python has put there, and the same anew; `take` takes it.

        Args:
            declared: What the files declare now.
            present: The index until now: what Python has put there is read again only if the settings are others.

        Raises:
            DeclarationError: The two do not go together.
        """
        index, puts, problems = declared, dict[EntryId, Put](), list[Problem]()
        for entry_id, put in self._puts.items():
            there = declared.by_id.get(entry_id)
            if there is not None and put.covers is None:
                what = "an entry was added from Python" if put.function is None else "a Python function is registered"
                problems.append(there.problem("", f"the id {entry_id} is taken: {what} under it"))
                continue
            again = put.declare if declared.settings != present.settings else None
            entry, wrong = (put.entry, list[Problem]()) if again is None else again(declared)
            problems += by_name(put.entry, wrong)
            puts[entry_id] = put._replace(entry=entry, covers=there)
            index = index.with_entry(entry)
        linkage = Linkage(index) if puts else None
        for put in puts.values():
            if linkage is not None:
                problems += by_name(put.entry, linkage.problems(put.entry, index))
                problems += by_name(put.entry, folder_problems(put.entry, index, has_files=self._has_files))
        if problems:
            raise DeclarationError(list(dict.fromkeys(problems)))
        return index, puts

    def take(self, puts: dict[EntryId, Put]) -> None:
        """Takes what `over` has returned."""
        self._puts, self._linkage = puts, None

    def _linked(self, index: Index) -> Linkage:
        """Returns who refers to whom; found out when it is first asked for: most registries are only read."""
        if self._linkage is None:
            self._linkage = Linkage(index)
        return self._linkage

    @staticmethod
    def _relinked(linkage: Linkage, old: Entry | None, new: Entry | None) -> set[EntryId]:
        """Takes an entry out and another one in; returns the ids of all that are others by that."""
        affected: set[EntryId] = set()
        for entry, change in ((old, linkage.discard), (new, linkage.add)):
            if entry is not None:
                affected |= linkage.affected(entry.id)
                change(entry)
        return affected
