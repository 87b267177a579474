"""Entries as plain data for guests (specification: system facts 4.4, ``registry``).

A guest that may look at entries must not get from there what another module would have to be granted for: the text
behind a ``file://`` of an entry that polycall runs stands as the declaration has it, and the values of environment
variables are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from polycall.interop.budget import CROSSING_BYTES, Budget, count
from polycall.interop.errors import CallError
from polycall.interop.ids import EntryId
from polycall.interop.values import Value, plain
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index, meta_filter

__all__ = ["EntryData"]

_MOST_FILTERS = 32
_LONGEST_FILTER = 256
_ENTRIES_BETWEEN_CHECKS = 64

_WITHHELD: Mapping[str, str] = {"env.storage.static": "values", "env.variable": "default"}


class EntryData:
    """See `polycall.interop.services.Entries`.

    Args:
        index: Gives the entries as they are at the moment.
    """

    def __init__(self, index: Callable[[], Index]) -> None:
        self._index = index

    def get(self, entry_id: str) -> dict[str, Value]:
        """Returns an entry as ``{id, kind, meta, data}``.

        Raises:
            NotFoundError: There is none.
            CallError: Invalid: the text is no id.
        """
        try:
            parsed = EntryId.parse(entry_id)
        except ValueError as error:
            raise CallError(str(error), kind="Invalid") from error
        return _shown(self._index().get(parsed), Budget(CROSSING_BYTES, "$.result"))

    def find(self, filters: Mapping[str, Value], check: Callable[[], None] | None = None) -> list[Value]:
        """Returns the entries that fit every filter, in the order of their ids; see `polycall.interop.services`.

        Raises:
            CallError: Invalid: a filter that begins with a dot and is not ``.kind``, ``.ns`` or ``.name``; too many
                filters, or one whose name is too long.
            ConversionError: The entries come to more than crosses at once.
        """
        if len(filters) > _MOST_FILTERS or any(len(key) > _LONGEST_FILTER for key in filters):
            message = f"expected at most {_MOST_FILTERS} filters, with names of at most {_LONGEST_FILTER} characters"
            raise CallError(message, kind="Invalid")
        fields = {key: wanted for key, wanted in filters.items() if key.startswith(".")}
        for key in fields.keys() - _FIELDS.keys():
            raise CallError(f'the filter "{key}" is none of {", ".join(_FIELDS)}', kind="Invalid")
        meta = {key.removeprefix("meta."): wanted for key, wanted in filters.items() if key not in fields}
        budget = Budget(CROSSING_BYTES, "$.result", check=check)
        found: list[Value] = []
        fits = meta_filter(meta)
        for number, entry in enumerate(self._index()):
            if check is not None and number % _ENTRIES_BETWEEN_CHECKS == 0:
                check()
            if fits(entry) and all(_FIELDS[key](entry) == wanted for key, wanted in fields.items()):
                found.append(_shown(entry, budget))
        return found


_FIELDS: Mapping[str, Callable[[Entry], str]] = {
    ".kind": lambda entry: entry.kind,
    ".ns": lambda entry: entry.id.namespace,
    ".name": lambda entry: entry.id.name,
}


def _shown(entry: Entry, budget: Budget) -> dict[str, Value]:
    data = entry.data
    if entry.spec is not None:
        withheld = _WITHHELD.get(entry.kind)
        data = {key: value for key, value in entry.declared_data().items() if key != withheld}
    count(entry.meta, budget)  # before anything is built of it
    count(data, budget)
    return {"id": str(entry.id), "kind": entry.kind, "meta": plain(entry.meta), "data": plain(data)}
