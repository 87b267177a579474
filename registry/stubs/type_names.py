"""Names for the records, variants, enums and flags of one namespace: each type one name, each name one type."""

from __future__ import annotations

import re
from collections.abc import Mapping

from polycall.wasm_runtime.wit.wit_types import WitType

__all__ = ["TypeNames", "pascal"]


class TypeNames:
    """Gives names in the order in which types are met.

    Args:
        taken: Names that are somebody else's.
    """

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._names: dict[WitType, str] = {}
        self._taken = set(taken)

    def known(self, wit_type: WitType) -> str | None:
        """Returns the name that a type has, or None."""
        return self._names.get(wit_type)

    def give(self, wit_type: WitType, declared: Mapping[str, WitType], otherwise: str) -> str:
        """Returns a name that is nobody else's: the type's own where it has one.

        Args:
            wit_type: The type, which has none so far.
            declared: The types that have a name where it stands.
            otherwise: What it is called if it has none there.
        """
        own = next((name for name, found in declared.items() if found == wit_type), otherwise)
        name, count = pascal(own), 1
        while name in self._taken:
            count += 1
            name = f"{pascal(own)}{count}"
        self._taken.add(name)
        self._names[wit_type] = name
        return name


def pascal(name: str) -> str:
    """Returns ``UnitPrice`` of ``unit-price``, a name that begins with a letter."""
    words = re.split(r"[^A-Za-z0-9]+", name)
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return joined if joined[:1].isalpha() else f"T{joined}"
