"""Durations as text, such as ``1h30m``: the grammar of Go's ``time.ParseDuration``."""

from __future__ import annotations

import re

__all__ = ["MOST_DURATION_BYTES", "parse_duration"]

MOST_DURATION_BYTES = 200
"""How long a text may be that is read."""

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "\N{MICRO SIGN}s": 1_000,
    "\N{GREEK SMALL LETTER MU}s": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(rf"([0-9]*)(?:\.([0-9]*))?({'|'.join(sorted(_UNITS, key=len, reverse=True))})(?![a-z])")


def parse_duration(text: str) -> int:
    """Returns nanoseconds; what is less than one is cut off.

    Args:
        text: Of bounded length: integers of any length are read.

    Raises:
        ValueError: The text is no duration, or more than 64 bits of nanoseconds.
    """
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(text)
    total, at = 0, 0
    while part := _PART.match(rest, at):
        total += _nanoseconds(part[1], part[2] or "", _UNITS[part[3]])
        at = part.end()
    total = -total if text.startswith("-") else total
    if at != len(rest) or not -(2**63) <= total < 2**63:
        raise ValueError(text)
    return total


def _nanoseconds(whole: str, fraction: str, unit: int) -> int:
    if not whole and not fraction:
        raise ValueError("a unit without a number")
    scale: int = 10 ** len(fraction)
    return int(whole or "0") * unit + int(fraction or "0") * unit // scale
