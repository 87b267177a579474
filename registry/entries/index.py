"""All entries of a project, unchangeable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any, Self

from polycall.interop.errors import NotFoundError, Problem
from polycall.interop.ids import EntryId, cut, suggestion
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.folders import Nested, nesting
from polycall.registry.entries.settings import Settings
from polycall.registry.entries.shared_map import SharedMap

__all__ = ["Index", "meta_filter"]

_NO_SETTINGS = Settings()


class Index:
    """The entries of a project by id. Nothing in it changes, so threads share it freely.

    An index with one entry more, or less, shares the others with the one it was made of: that costs the same however
    many there are.

    Attributes:
        by_id: The entries, in no order.

    Args:
        entries: The entries, with ids that differ.
        root: The project folder.
        warnings: What is odd about the declarations without being wrong.
        settings: The project's; what they say of entries is in the entries already.
    """

    __slots__ = ("_alike", "_importers", "_nested", "_ordered", "_variables", "by_id", "root", "settings", "warnings")

    def __init__(
        self,
        entries: Iterable[Entry],
        root: Path,
        warnings: Iterable[Problem] = (),
        settings: Settings = _NO_SETTINGS,
    ) -> None:
        self.by_id = SharedMap({entry.id: entry for entry in entries})
        # Each of these is found out when it is first asked for: an index does not change.
        self._ordered: tuple[Entry, ...] | None = None
        self._alike: SharedMap[str, str] | None = None
        self._nested: Mapping[Entry, Nested] | None = None
        self._variables: Mapping[str, Entry] | None = None
        self._importers: Mapping[EntryId, Set[str]] | None = None
        self.root = root
        self.warnings = tuple(warnings)
        self.settings = settings

    def get(self, entry_id: EntryId | str) -> Entry:
        """Returns an entry.

        Args:
            entry_id: The id, as text ``namespace:name`` or parsed.

        Raises:
            NotFoundError: There is none; near ids are in the hint.
        """
        entry = self._find(entry_id)
        if entry is None:
            name = cut(str(entry_id))
            raise NotFoundError(f"there is no entry {name}", entry_id=name, hint=self._hint(entry_id))
        return entry

    def linked(self, target: str) -> str:
        """Returns the id of the entry that a linked function means: WIT has ``-`` in names, Lua and Python ``_``."""
        if target in self:
            return target
        if self._alike is None:
            self._alike = SharedMap({_folded(str(known)): str(known) for known in sorted(self.by_id, reverse=True)})
        return self._alike.get(_folded(target), target)

    def nested(self) -> Mapping[Entry, Nested]:
        """Returns which ``fs.directory`` entries name a folder within that of another one which guests may write."""
        if self._nested is None:  # what leads to the outer one is the host's
            self._nested = nesting(self.find(kind="fs.directory"), self.root)
        return self._nested

    def variables(self) -> Mapping[str, Entry]:
        """Returns the ``env.variable`` entries by their public names."""
        if self._variables is None:
            entries = (
                entry for entry in self.by_id.values() if entry.kind == "env.variable" and entry.spec is not None
            )
            self._variables = {entry.spec.variable: entry for entry in entries}
        return self._variables

    def importers(self) -> Mapping[EntryId, Set[str]]:
        """Returns the isolations of the Lua functions that refer to an entry, directly or not; of each that some do."""
        if self._importers is None:
            found: dict[EntryId, set[str]] = {}
            for function in self.find(kind="function.lua"):
                isolation = getattr(function.spec, "isolation", None) or self.settings.isolation
                ahead = [function]
                while ahead:
                    for reference in ahead.pop().references:
                        isolations, entry = found.setdefault(reference.target, set()), self.by_id.get(reference.target)
                        if isolation not in isolations:
                            isolations.add(isolation)
                            ahead += [] if entry is None else [entry]
            self._importers = found
        return self._importers

    def find(
        self, *, namespace: str | None = None, kind: str | None = None, meta: Mapping[str, Any] | None = None
    ) -> list[Entry]:
        """Returns the entries that fit every filter given, in the order of their ids.

        Args:
            namespace: A namespace; those below it (``app.orders`` below ``app``) belong to it.
            kind: A kind, or its beginning and a star: ``function.*``.
            meta: Metadata that must be equal; a key may lead down by dots: ``{"options.retry.max_attempts": 3}``.
        """
        fits = meta_filter(meta or {})
        return [
            entry
            for entry in self
            if (namespace is None or _in_namespace(entry, namespace))
            and (kind is None or _of_kind(entry, kind))
            and fits(entry)
        ]

    def has_below(self, entry: Entry, other: Index) -> bool:
        """Says whether all that an entry refers to, directly or not, is here what it is in another index."""
        seen, ahead = set[EntryId](), [reference.target for reference in entry.references]
        while ahead:
            target = ahead.pop()
            if target in seen:
                continue
            seen.add(target)
            found = self.by_id.get(target)
            if found is not other.by_id.get(target):
                return False
            ahead += [reference.target for reference in found.references] if found else ()
        return True

    def with_entry(self, entry: Entry) -> Self:
        """Returns an index that has an entry, instead of the one of its id if there is one."""
        old = self.by_id.get(entry.id)
        changed = self._with(self.by_id.with_item(entry.id, entry), old, entry)
        if self._alike is not None:
            text = str(entry.id)
            first = min(text, self._alike.get(_folded(text), text))
            changed._alike = self._alike.with_item(_folded(text), first)
        return changed

    def without(self, entry: Entry) -> Self:
        """Returns an index that has not an entry which this one has."""
        return self._with(self.by_id.without(entry.id), entry)

    def _with(self, by_id: SharedMap[EntryId, Entry], *changed: Entry | None) -> Self:
        index = type(self)((), self.root, self.warnings, self.settings)
        index.by_id = by_id
        kinds = {entry.kind for entry in changed if entry is not None}
        if "fs.directory" not in kinds:
            index._nested = self._nested
        if "env.variable" not in kinds:
            index._variables = self._variables
        return index

    def __contains__(self, entry_id: object) -> bool:
        """Says whether there is an entry of that id (text or `EntryId`)."""
        return isinstance(entry_id, (str, EntryId)) and self._find(entry_id) is not None

    def __iter__(self) -> Iterator[Entry]:
        """Iterates over the entries in the order of their ids."""
        if self._ordered is None:
            self._ordered = tuple(sorted(self.by_id.values(), key=lambda entry: entry.id))
        return iter(self._ordered)

    def __len__(self) -> int:
        """Returns the number of entries."""
        return len(self.by_id)

    def _find(self, entry_id: EntryId | str) -> Entry | None:
        if isinstance(entry_id, EntryId):
            return self.by_id.get(entry_id)
        try:
            return self.by_id.get(EntryId.parse(entry_id))
        except ValueError:
            return None

    def _hint(self, entry_id: EntryId | str) -> str | None:
        text = str(entry_id)
        name = text.rpartition(":")[2]
        namesakes = sorted(str(known) for known in self.by_id if known.name == name)
        if namesakes and ":" not in text:
            return f"write the namespace as well: {' or '.join(namesakes[:3])}"
        from polycall.registry.documents.accents import accent_twin  # noqa: PLC0415  # most ids are right

        return accent_twin(text, map(str, self.by_id)) or suggestion(text, map(str, self.by_id))


def _folded(entry_id: str) -> str:
    namespace, _, name = entry_id.partition(":")
    return f"{namespace}:{name.replace('_', '-')}"


def _in_namespace(entry: Entry, namespace: str) -> bool:
    own = entry.id.namespace
    return own == namespace or own.startswith(namespace + ".")


def _of_kind(entry: Entry, kind: str) -> bool:
    return entry.kind.startswith(kind[:-1]) if kind.endswith("*") else entry.kind == kind


def meta_filter(meta: Mapping[str, Any]) -> Callable[[Entry], bool]:
    """Returns what says whether an entry has metadata: read once, for any number of entries; see `Index.find`."""
    wanted = [(path, path.split("."), _frozen(value)) for path, value in meta.items()]
    return lambda entry: all(_meta_at(entry.meta, path, keys) == value for path, keys, value in wanted)


def _meta_at(meta: Mapping[str, Any], path: str, keys: list[str]) -> Any:
    if path in meta:
        return meta[path]
    found: Any = meta
    for key in keys:
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return found


def _frozen(value: Any) -> Any:
    """Returns a value in the form in which entries hold it, so that a list equals a list."""
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    return value
