"""How Python names an entry, and the values that a chain of calls has from it."""

from __future__ import annotations

from collections.abc import Mapping

from polycall.interop.ids import EntryId
from polycall.interop.values import Value, describe, plain

__all__ = ["context_values", "id_text"]


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


def context_values(values: Mapping[str, object]) -> dict[str, Value]:
    """Returns the context values of a call.

    Raises:
        TypeError: It is no mapping.
        ConversionError: What is in it is nothing that guests have.
    """
    checked = plain(values, "$.values")
    if not isinstance(checked, dict):
        raise TypeError(f"values is {describe(values)}; it must be a mapping of names to values, or None")
    return checked
