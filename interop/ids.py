"""Entry ids: ``namespace:name``, how they are read, compared and suggested."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["EntryId", "cut", "near_names", "suggestion"]

_LONGEST_NAME = 100
"""Characters: longer text is no misspelt name, and comparing it would take time and memory without bound."""


class EntryId(NamedTuple):
    """The name of an entry: a namespace of dotted segments and a name inside it.

    The text form is split at its first colon, so a name may hold colons: ``a.b:c:d`` is the entry ``c:d`` of ``a.b``.
    """

    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str, default_namespace: str | None = None) -> EntryId:
        """Reads ``namespace:name``; a bare ``name`` belongs to `default_namespace`.

        Args:
            text: The id as a user or a guest wrote it.
            default_namespace: The namespace of the declaring entry, or None where only a full id makes sense.

        Returns:
            The id, with neither part empty.

        Raises:
            ValueError: The text has no namespace and there is no default, or a part is empty.
        """
        namespace, colon, name = text.partition(":")
        if not colon:
            namespace, name = default_namespace or "", text
        if not namespace:
            raise ValueError(f'"{cut(text)}" has no namespace: write "namespace:name"')
        if not name:
            raise ValueError(f'"{cut(text)}" has no name after the colon: write "namespace:name"')
        return cls(namespace, name)

    def __str__(self) -> str:
        """Returns ``namespace:name``."""
        return f"{self.namespace}:{self.name}"


def cut(name: str, longest: int = _LONGEST_NAME) -> str:
    """Returns a name as a message shows it: its beginning and ``...`` if it has more than `longest` characters."""
    return name if len(name) <= longest else name[:longest] + "..."


def near_names(name: str, candidates: Iterable[str], limit: int = 3) -> list[str]:
    """Returns up to `limit` candidates that `name` may be a misspelling of, the likeliest first."""
    if len(name) > _LONGEST_NAME:
        return []
    return difflib.get_close_matches(name, sorted(set(candidates)), n=limit, cutoff=0.7)


def suggestion(name: str, candidates: Iterable[str]) -> str | None:
    """Returns ``did you mean "x"?`` (or ``... "x" or "y"?``) if a candidate is near `name`, else None."""
    near = [f'"{candidate}"' for candidate in near_names(name, candidates)]
    return f"did you mean {' or '.join(near)}?" if near else None
