"""Which entries may be called: lists of ids, and of beginnings with a star."""

from __future__ import annotations

from collections.abc import Iterable

from polycall.interop.ids import EntryId, cut

__all__ = ["CalleePattern", "Callees"]

_SHOWN = 8
_EXPECTED = 'an entry id, "namespace:*", "namespace.*" or "*"'


class CalleePattern(str):
    """An item of a list ``calls``: an id, or the beginning of ids and a star."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str, namespace: str | None = None) -> CalleePattern:
        """Reads an item; a bare name belongs to the namespace given.

        A star stands behind the colon, or behind a dot of the namespace: ``shop*:...`` would be more than one shop.

        Raises:
            ValueError: It is none.
        """
        beginning = text.removesuffix("*")
        starred = beginning != text
        if "*" in beginning or (starred and beginning and ":" not in beginning and beginning[-1] != "."):
            raise ValueError(f"expected {_EXPECTED}")
        if starred:
            return cls(text)
        try:
            return cls(EntryId.parse(text, namespace))
        except ValueError:
            raise ValueError(f"expected {_EXPECTED}") from None


class Callees:
    """A list ``calls``. Shared by threads.

    Attributes:
        patterns: What it says.
    """

    __slots__ = ("_beginnings", "_ids", "patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self._ids = frozenset(each for each in self.patterns if not each.endswith("*"))
        self._beginnings = tuple(each[:-1] for each in self.patterns if each.endswith("*"))

    def allow(self, target: str) -> bool:
        """Says whether an entry may be called."""
        return target in self._ids or target.startswith(self._beginnings)

    def __str__(self) -> str:
        """Returns the list as a declaration has it, its beginning if it is long."""
        shown = [f'"{cut(each)}"' for each in self.patterns[:_SHOWN]]
        return f"[{', '.join(shown)}{', ...' if len(self.patterns) > _SHOWN else ''}]"
