"""Names that look alike because Unicode has two ways to write an accent: one character (NFC), or two (NFD)."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["accent_twin"]

_LONGEST = 300


def accent_twin(name: str, candidates: Iterable[str]) -> str | None:
    """Returns a hint if one of the candidates is the same name with its accents encoded in the other way."""
    if name.isascii() or len(name) > _LONGEST:
        return None
    import unicodedata  # noqa: PLC0415  # large, and for few names only

    wanted = unicodedata.normalize("NFC", name)
    for candidate in candidates:
        if not candidate.isascii() and candidate != name and unicodedata.normalize("NFC", candidate) == wanted:
            kept, other = ("one character", "two") if len(candidate) < len(name) else ("two characters", "one")
            return (
                f'"{candidate}" differs only in how its accents are encoded: '
                f"there as {kept} each, here as {other}; copy the name from there"
            )
    return None
