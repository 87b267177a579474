"""Entry ids: ``namespace:name``, how they are read, compared and suggested."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from polycall.interop.public import public

__all__ = ["NAMESPACE", "EntryId", "cut", "near_names", "suggestion"]

NAMESPACE = re.compile(r"[^\s.:]+(?:\.[^\s.:]+)*")
"""Names joined by dots; in a form that ECMAScript reads alike."""

_LONGEST_NAME = 100
"""Characters: longer text is no misspelt name, and comparing it would take time and memory without bound."""

_LEAST_ALIKE = 0.7
_MOST_NAMES = 20_000
_MOST_COMPARED = 40_000
"""Characters of all names that are compared for one hint: about 10 ms."""


@public
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
    """Returns up to `limit` candidates that `name` may be a misspelling of, the likeliest first.

    Guests and projects choose both sides, so the work has a bound whatever they are: long names are no misspelt ones,
    and where there are too many, only some of those are compared that begin or end alike.
    """
    length = len(name)
    if not 0 < length <= _LONGEST_NAME:
        return []
    shortest, longest = length * _LEAST_ALIKE / (2 - _LEAST_ALIKE), length * (2 - _LEAST_ALIKE) / _LEAST_ALIKE
    few = dict.fromkeys(islice(candidates, _MOST_NAMES))  # in their order: the same names always get the same answer
    pool = [each for each in few if shortest <= len(each) <= longest]
    if sum(map(len, pool)) > _MOST_COMPARED:
        third = max(1, length // 3)  # one slip leaves the beginning or the end as it is
        start, end = name[:third], name[-third:]
        pool = [each for each in pool if each.startswith(start) or each.endswith(end)]
    scored = [(_likeness(name, each), each) for each in _within(pool, _MOST_COMPARED)]
    near = sorted((-score, each) for score, each in scored if score >= _LEAST_ALIKE)
    return [each for _, each in near[:limit]]


def _within(names: Iterable[str], characters: int) -> Iterator[str]:
    for name in names:
        characters -= len(name)
        if characters < 0:
            return
        yield name


def _likeness(left: str, right: str) -> float:
    """Returns 1 for equal texts, 0 for texts without a common character.

    It is twice the length of their longest common subsequence by the sum of their lengths. The bits of one integer are
    a row of the usual table (Hyyrö, 2004), so a comparison takes one step for each character of `right`.
    """
    places: dict[str, int] = {}
    for at, character in enumerate(left):
        places[character] = places.get(character, 0) | 1 << at
    whole = row = (1 << len(left)) - 1
    for character in right:
        matched = row & places.get(character, 0)
        row = (row + matched) | (row - matched)
    return 2 * (~row & whole).bit_count() / (len(left) + len(right))


def suggestion(name: str, candidates: Iterable[str]) -> str | None:
    """Returns ``did you mean "x"?`` (or ``... "x" or "y"?``) if a candidate is near `name`, else None."""
    near = [f'"{candidate}"' for candidate in near_names(name, candidates)]
    return f"did you mean {' or '.join(near)}?" if near else None
