"""Who refers to whom in an index, kept up to date while single entries come and go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from polycall.interop.errors import Problem
from polycall.interop.ids import EntryId
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.entries.references import cycle_problems, reference_problems

__all__ = ["Linkage", "by_name"]


def by_name(entry: Entry, problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yields problems of an entry with a place that says whose they are: one of Python's stands in no file."""
    for problem in problems:
        yield problem if problem.line else problem._replace(file=str(entry.id))


class Linkage:
    """The users of every entry, and who has which public name of a variable. One thread at a time uses it.

    To look at one entry costs what it and those that refer to it say, however many others there are.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._users: dict[EntryId, set[EntryId]] = {}
        self._variables: dict[str, EntryId] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Takes an entry in."""
        for reference in entry.references:
            self._users.setdefault(reference.target, set()).add(entry.id)
        if entry.kind == "env.variable" and entry.spec is not None:
            self._variables[entry.spec.variable] = entry.id

    def discard(self, entry: Entry) -> None:
        """Lets an entry go."""
        for reference in entry.references:
            users = self._users.get(reference.target, set())
            users.discard(entry.id)
            if not users:
                self._users.pop(reference.target, None)
        if entry.kind == "env.variable" and entry.spec is not None:
            self._variables.pop(entry.spec.variable, None)

    def problems(self, entry: Entry, index: Index) -> Iterator[Problem]:
        """Yields what is wrong between an entry and the others.

        Args:
            entry: The entry, which is not taken in.
            index: All entries, with it.
        """
        yield from reference_problems(index.by_id, of=(entry,))
        yield from cycle_problems(index.by_id, of=(entry,))
        yield from self.left_behind(entry.id, index)
        if entry.kind == "env.variable" and entry.spec is not None:
            other = self._variables.get(entry.spec.variable, entry.id)
            if other != entry.id:
                message = f"the variable {entry.spec.variable} is taken: it is that of {other}"
                yield entry.problem("variable", message, "public names are unique: choose another one")

    def left_behind(self, entry_id: EntryId, index: Index) -> Iterator[Problem]:
        """Yields what is wrong with references to an entry, in an index that has another one there, or none."""
        for user in sorted(self._users.get(entry_id, ())):
            if user != entry_id:
                entry = index.get(user)
                yield from by_name(entry, reference_problems(index.by_id, of=(entry,)))

    def affected(self, entry_id: EntryId) -> set[EntryId]:
        """Returns an entry and all that refer to it, directly or not."""
        found, ahead = {entry_id}, [entry_id]
        while ahead:
            new = self._users.get(ahead.pop(), set()) - found
            found |= new
            ahead += new
        return found
