"""Names and messages that a guest chose, as messages of ours show them."""

from __future__ import annotations

from collections.abc import Iterable

from polycall.interop.ids import cut

__all__ = ["listed", "look_alike", "shown"]

_LONGEST = 100
_MOST_LISTED = 12
_LONGEST_COMPARED = 200


def shown(text: str, longest: int = _LONGEST) -> str:
    """Returns text on one line that is safe on a terminal: cut at `longest` characters, what is not printable escaped.

    Names in a binary may hold anything: line breaks, a terminal's escape sequences, marks that turn text around.
    """
    cut_off = cut(text, longest)  # first: escaping 100,000 characters for the sake of 100 would take its time
    if cut_off.isprintable():
        return cut_off
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "backslashreplace").decode() for each in cut_off
    )


def look_alike(name: str, candidates: Iterable[str]) -> str | None:
    """Returns a hint if a candidate reads like `name` and is other characters (Unicode's NFC against NFD)."""
    from unicodedata import normalize  # noqa: PLC0415  # large, and for few names only

    for candidate in candidates:
        # Only short names: normalizing takes quadratic time where a name is nothing but accents.
        if candidate.isascii() or max(len(candidate), len(name)) > _LONGEST_COMPARED:
            continue
        if candidate != name and normalize("NFC", candidate) == normalize("NFC", name):
            written = candidate.encode("ascii", "backslashreplace").decode()
            return f'there is one that reads the same in other characters, "{written}" in YAML: write it like this'
    return None


def listed(names: Iterable[str], most: int = _MOST_LISTED) -> str:
    """Returns the names as a list in a sentence: the first `most` of them, each as `shown`, and how many more."""
    all_names = list(names)
    more = f", and {len(all_names) - most} more" if len(all_names) > most else ""
    return ", ".join(map(shown, all_names[:most])) + more
