"""What differs between two indexes of one project: which entries may go on as they are, and which may not."""

from __future__ import annotations

from collections.abc import Mapping

from polycall.interop.ids import EntryId
from polycall.interop.public import public
from polycall.interop.records import record
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index

__all__ = ["Changes", "changes_between"]


@public
@record
class Changes:
    """What a reload did; each is a tuple of ids, as text, in the order of the index.

    Attributes:
        added: Entries that were not there before.
        removed: Entries that are gone: a call to one raises `NotFoundError`.
        changed: Entries that say something else now, or refer to one that does, directly or not.
        kept: The others: those of them that were called before keep their compiled code and their instances.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    kept: tuple[str, ...]


def changes_between(old: Index, new: Index) -> Changes:
    """Compares two indexes.

    An entry is the same if its kind, its keys and its resolved spec are (which has the text of ``file://`` values, the
    hash of a binary, and the project's defaults), and so are the entries it refers to: libraries, file systems.
    Metadata does not count. The place of inline text does, because a guest's errors name its lines.
    """
    before, after = ({entry.id: entry for entry in index} for index in (old, new))
    same = _same(before, after)
    return Changes(
        added=tuple(str(entry_id) for entry_id in after if entry_id not in before),
        removed=tuple(str(entry_id) for entry_id in before if entry_id not in after),
        changed=tuple(str(entry_id) for entry_id in after if entry_id in before and entry_id not in same),
        kept=tuple(str(entry_id) for entry_id in after if entry_id in same),
    )


def _same(before: Mapping[EntryId, Entry], after: Mapping[EntryId, Entry]) -> set[EntryId]:
    same = {entry_id for entry_id in before.keys() & after.keys() if _alike(before[entry_id], after[entry_id])}
    users: dict[EntryId, list[EntryId]] = {}
    for entry in after.values():
        for reference in entry.references:
            users.setdefault(reference.target, []).append(entry.id)
    waiting = [entry_id for entry_id in after if entry_id not in same]
    while waiting:
        affected = [user for user in users.get(waiting.pop(), ()) if user in same]
        same.difference_update(affected)
        waiting += affected
    return same


def _alike(old: Entry, new: Entry) -> bool:
    return old is new or (
        old.kind == new.kind
        and old.source_root == new.source_root
        and old.spec == new.spec
        and old.data == new.data
    )  # fmt: skip
