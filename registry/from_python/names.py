"""How Python names an entry."""

from __future__ import annotations

from polycall.interop.ids import EntryId
from polycall.interop.values import describe

__all__ = ["id_text"]


def id_text(entry_id: object) -> str:
    """Returns ``namespace:name`` of a text or an `EntryId`, whatever is derived of them.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(entry_id, EntryId):
        return str(entry_id)
    if isinstance(entry_id, str):
        return str.__str__(entry_id)
    raise TypeError(f'an entry is named by the text "namespace:name" or an EntryId, not by {describe(entry_id)}')
