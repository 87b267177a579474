"""What only all entries together can get wrong: names used twice, references to nothing, references in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import chain

from polycall.interop.errors import Problem
from polycall.interop.ids import EntryId, cut, suggestion
from polycall.registry.entries.entry import Entry, Reference

__all__ = ["by_id", "cycle_problems", "reference_problems", "variable_problems"]

_MOST_SUGGESTIONS = 25
_MOST_MEMBERS = 20


def by_id(entries: Iterable[Entry]) -> tuple[dict[EntryId, Entry], list[Problem]]:
    """Returns the entries by id, and a problem for each id that is there already."""
    found: dict[EntryId, Entry] = {}
    problems = []
    for entry in entries:
        first = found.setdefault(entry.id, entry)
        if first is not entry:
            message = f"the id {entry.id} is taken: first declared in {first.location}"
            problems.append(entry.problem("", message, "rename one of the two"))
    return found, problems


def variable_problems(entries: Iterable[Entry]) -> Iterator[Problem]:
    """Yields a problem for each ``env.variable`` whose public name another one has."""
    first: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind == "env.variable" and entry.spec is not None:
            other = first.setdefault(entry.spec.variable, entry)
            if other is not entry:
                message = f"the variable {entry.spec.variable} is taken: it is that of {other.id} in {other.location}"
                yield entry.problem("variable", message, "public names are unique in a project: choose another one")


def reference_problems(
    entries: Mapping[EntryId, Entry], unknown: Set[str] = frozenset(), *, of: Iterable[Entry] | None = None
) -> Iterator[Problem]:
    """Yields a problem for each reference to an entry that is not there, or is of a kind that makes no sense.

    Args:
        entries: All entries.
        of: Those whose references are looked at; None for all of them.
        unknown: Namespaces some of whose entries are not known, because a file could not be read: an entry that seems
            missing there may well exist.
    """
    neighbours = _Neighbours(entries)
    for entry in entries.values() if of is None else of:
        for reference in entry.references:
            target = entries.get(reference.target)
            if target is None:
                if reference.target.namespace not in unknown:
                    message = f"there is no entry {cut(str(reference.target))}"
                    yield _problem(reference, message, neighbours.suggestion(reference.target))
            elif target.kind and reference.kinds and target.kind not in reference.kinds:
                expected = " or ".join(reference.kinds)
                yield _problem(reference, f"expected {expected}, got {target.id}, which is {target.kind}")


def cycle_problems(entries: Mapping[EntryId, Entry], *, of: Iterable[Entry] | None = None) -> Iterator[Problem]:
    """Yields a problem for each reference that leads back to its own entry, at that reference; arguments as above."""
    finished: set[EntryId] = set()
    for start in entries.values() if of is None else of:
        # Walked with a list instead of recursion: a chain of imports may be longer than Python's stack.
        path = {start.id: iter(start.references if start.id not in finished else ())}
        while path:
            current = next(reversed(path))
            reference = next(path[current], None)
            if reference is None:
                finished.add(current)
                del path[current]
            elif reference.target in path:
                yield _cycle(reference, list(path))
            elif reference.target in entries and reference.target not in finished:
                path[reference.target] = iter(entries[reference.target].references)


def _cycle(reference: Reference, path: list[EntryId]) -> Problem:
    members = path[path.index(reference.target) :]
    circle = " -> ".join(map(str, (*_shown(members), members[0])))
    if ".imports." not in reference.path:
        return _problem(reference, f"these references form a circle: {circle}", "leave one of them out")
    hint = "move what both need into a library of its own" if len(members) > 1 else "an entry cannot import itself"
    return _problem(reference, f"these imports form a circle: {circle}", hint)


def _shown(members: list[EntryId]) -> list[EntryId | str]:
    left_out = len(members) - _MOST_MEMBERS
    return list(members) if left_out <= 0 else [*members[: _MOST_MEMBERS - 1], f"({left_out} more)", members[-1]]


def _problem(reference: Reference, message: str, hint: str | None = None) -> Problem:
    return Problem(*reference.location, reference.path, message, hint)


class _Neighbours:
    """Finds what a wrong reference may have meant: the right name in another namespace, or a near name in its own.

    Comparing takes milliseconds for each thousand names, so that only the first wrong references get a suggestion: a
    renamed namespace must not make its users wait for thousands of them.
    """

    def __init__(self, entries: Iterable[EntryId]) -> None:
        self._entries = entries
        self._namesakes: dict[str, list[EntryId]] = {}
        self._names: dict[str, list[str]] = {}
        self._suggestions_left = _MOST_SUGGESTIONS

    def _look(self) -> None:
        for entry_id in self._entries:
            self._namesakes.setdefault(entry_id.name, []).append(entry_id)
            self._names.setdefault(entry_id.namespace, []).append(str(entry_id))

    def suggestion(self, target: EntryId) -> str | None:
        if not self._suggestions_left:
            return None
        if not self._names:  # not before: most have nothing wrong, and there may be many names
            self._look()
        self._suggestions_left -= 1
        namesakes = map(str, self._namesakes.get(target.name, ()))
        from polycall.registry.documents.accents import accent_twin  # noqa: PLC0415  # most references are right

        twin = accent_twin(str(target), map(str, chain.from_iterable(self._namesakes.values())))
        if twin is not None:
            return twin
        if target.namespace not in self._names:
            return suggestion(str(target), namesakes) or f'no entry has the namespace "{target.namespace}"'
        return suggestion(str(target), (*self._names[target.namespace], *namesakes))
