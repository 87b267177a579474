"""The types that an entry declares of itself, by its ``wit``. No engine is needed to read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from polycall.interop.errors import PreparationError
from polycall.registry.entries.entry import Entry
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_parser import find_types
from polycall.wasm_runtime.wit.wit_types import WitType

__all__ = ["EntryTypes", "types_of_wit"]


class EntryTypes(NamedTuple):
    """What an entry takes and gives.

    Attributes:
        signature: Its parameters and its result.
        names: The types that have a name where it is declared.
    """

    signature: Signature
    names: Mapping[str, WitType]


def types_of_wit(entry: Entry) -> EntryTypes:
    """Returns the types that the ``wit`` of an entry declares.

    Raises:
        PreparationError: It is no WIT, or does not declare what the entry's method names.
    """
    wit, method = entry.spec.wit, entry.spec.method
    try:
        return EntryTypes(*find_types(wit, method))
    except PreparationError:
        if entry.kind != "function.lua" or "_" not in method:
            raise
    return EntryTypes(*find_types(wit, method.replace("_", "-")))  # Lua has no names with -
