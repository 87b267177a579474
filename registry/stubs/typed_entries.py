"""The functions of a project that stubs are written for, with what is known of their types."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from polycall.interop.errors import PolycallError
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.signatures.declared_types import EntryTypes
from polycall.registry.signatures.entry_types import TypesOfEntries

__all__ = ["TypedEntry", "by_namespace", "typed_entries"]

_KINDS = frozenset({"function.lua", "function.wasm", "function.wat"})


class TypedEntry(NamedTuple):
    """A function.

    Attributes:
        entry: Its declaration.
        types: What it takes and gives; None if nothing is known.
        problem: Why not, where there should be types; else None.
    """

    entry: Entry
    types: EntryTypes | None
    problem: str | None = None

    @property
    def comment(self) -> str:
        """What the entry says of itself, in one line."""
        return " ".join(str(self.entry.meta.get("comment") or self.entry.meta.get("description") or "").split())

    @property
    def is_lua(self) -> bool:
        """Whether an err of a result comes as ``nil, err``: a failed call, to others."""
        return self.entry.kind == "function.lua"


def typed_entries(index: Index) -> list[TypedEntry]:
    """Returns every function but the tests, in the order of the ids."""
    types = TypesOfEntries(index)
    return [
        _typed(entry, types)
        for entry in index
        if entry.kind in _KINDS and entry.spec is not None and entry.meta.get("type") != "test"
    ]


def by_namespace(entries: list[TypedEntry]) -> Iterator[tuple[str, list[TypedEntry]]]:
    """Yields each namespace with its functions."""
    for namespace, members in groupby(entries, key=lambda each: each.entry.id.namespace):
        yield namespace, list(members)


def _typed(entry: Entry, types: TypesOfEntries) -> TypedEntry:
    try:
        return TypedEntry(entry, types.of(entry))
    except PolycallError as error:  # `check` says the same, with its place
        return TypedEntry(entry, None, f"{entry.id}: {error.message}")
