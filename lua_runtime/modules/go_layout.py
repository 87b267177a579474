"""Go's layouts: what in a text such as ``2006-01-02 15:04`` stands for a part of a time (Go: package time)."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["DAYS", "MONTHS", "civil_of", "days_before", "days_in", "split_layout"]

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

_PART = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|PM|pm|2006|__2|_2(?!006)|002|0[1-6]|15"
    r"|[-Z]07(?:0000|:00:00|00|:00)?|[.,](?:0+|9+)(?![0-9])|[1-5]"
)
_DAYS_IN_400_YEARS = 146_097


@lru_cache(maxsize=32)  # guests choose the layouts, of 1 KiB each at most
def split_layout(layout: str) -> tuple[tuple[str, str], ...]:
    """Returns the parts of a layout: each a text that stands for itself, and the part of a time that follows it.

    The last one has no part of a time.
    """
    pieces: list[tuple[str, str]] = []
    at = 0
    for found in _PART.finditer(layout):
        pieces.append((layout[at : found.start()], found[0]))
        at = found.end()
    return (*pieces, (layout[at:], ""))


def days_before(year: int, month: int, day: int) -> int:
    """Returns the days from 1970-01-01 to a day of the Gregorian calendar, which is continued in both directions."""
    year -= month <= 2
    of_era = year % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year // 400 * _DAYS_IN_400_YEARS + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def civil_of(days: int) -> tuple[int, int, int]:
    """Returns year, month and day of a number of days since 1970-01-01."""
    era, of_era = divmod(days + 719_468, _DAYS_IN_400_YEARS)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return era * 400 + year + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def days_in(year: int, month: int) -> int:
    """Returns how many days a month has."""
    return days_before(year + month // 12, month % 12 + 1, 1) - days_before(year, month, 1)
