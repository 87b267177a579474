"""Text to times by Go's layouts (Go: ``time.Parse``, ``time.ParseInLocation``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn

from polycall.lua_runtime.modules.go_layout import DAYS, MONTHS, civil_of, days_before, days_in, split_layout
from polycall.lua_runtime.modules.zones import Zone

__all__ = ["LayoutError", "ParsedTime", "parse_time"]

_DIGITS = re.compile("[0-9]+")
_FRACTION = re.compile("[.,]([0-9]+)")
_NUMBERS = {
    0: re.compile("[0-9]{1,3}"),
    1: re.compile("[0-9]{1,2}"),
    2: re.compile("[0-9]{2}"),
    3: re.compile("[0-9]{3}"),
}
_OFFSETS = {
    "07": re.compile("([+-])([0-9]{2})"),
    "0700": re.compile("([+-])([0-9]{2})([0-9]{2})"),
    "07:00": re.compile("([+-])([0-9]{2}):([0-9]{2})"),
    "070000": re.compile("([+-])([0-9]{2})([0-9]{2})([0-9]{2})"),
    "07:00:00": re.compile("([+-])([0-9]{2}):([0-9]{2}):([0-9]{2})"),
}
_ABBREVIATION = re.compile("ChST|MeST|GMT[+-][0-9]{1,2}|[+-][0-9]{2}|WITA|[A-Z]{3,4}T(?![A-Z])|[A-Z]{3}(?![A-Z])")


class LayoutError(Exception):
    """The text does not fit the layout; the message says where."""


class ParsedTime(NamedTuple):
    """A time that was read.

    Attributes:
        seconds: Unix time.
        nanoseconds: Of the second.
        place: ``utc``; ``default`` for the zone that was asked for; ``local`` for the zone in which the text's offset
            or abbreviation is known; ``fixed`` for a zone that the text alone tells.
        name: Of a fixed zone.
        offset: Of a fixed zone, in seconds east of UTC.
    """

    seconds: int
    nanoseconds: int
    place: str
    name: str = ""
    offset: int = 0


def parse_time(layout: str, text: str, default: Zone, local: Zone) -> ParsedTime:
    """Reads a time.

    Args:
        layout: As Go has them.
        text: What should fit it.
        default: The zone of a time whose text names none.
        local: The zone whose offsets and abbreviations are known.

    Raises:
        LayoutError: The text does not fit, or names what does not exist, such as February 30.
    """
    reader = _Reader(text)
    pieces = split_layout(layout)
    for index, (literal, part) in enumerate(pieces):
        reader.skip(literal)
        if part:
            reader.read(part, fraction_follows=_is_fraction(pieces[index + 1]))
    if reader.rest:
        reader.fail("nothing more")
    return reader.time(default, local)


def _is_fraction(piece: tuple[str, str]) -> bool:
    return not piece[0] and piece[1][:1] in (".", ",")


class _Reader:
    """What has been read of a text so far, and what is left of it."""

    def __init__(self, text: str) -> None:
        self.rest = text
        self._text = text
        self._found: dict[str, int] = {}
        self._nanoseconds = 0
        self._half: str | None = None
        self._utc = False
        self._offset: int | None = None
        self._abbreviation = ""

    def fail(self, expected: str) -> NoReturn:
        at = len(self._text) - len(self.rest)
        raise LayoutError(f'expected {expected} at character {at + 1} of "{self._text[:100]}"')

    def skip(self, literal: str) -> None:
        for index, char in enumerate(literal):
            if char != " ":
                if not self.rest.startswith(char):
                    self.fail(f'"{literal[index:]}"')
                self.rest = self.rest[1:]
            elif not literal[:index].endswith(" "):
                if self.rest and self.rest[0] != " ":
                    self.fail("a space")
                self.rest = self.rest.lstrip(" ")

    def read(self, part: str, *, fraction_follows: bool) -> None:
        if part in _FIELDS:
            field, least, bounds = _FIELDS[part]
            if part[0] == "_":
                padding = len(self.rest) - len(self.rest.lstrip(" "))
                self.rest = self.rest[min(padding, len(part) - 1) :]
            self._found[field] = self._number(field, least, bounds)
            if field == "second" and not fraction_follows and (found := _FRACTION.match(self.rest)):
                self._take_fraction(found)
        elif part in _WORDS:
            field, words, length = _WORDS[part]
            self._found[field] = self._word(words, length)
        elif part[0] in "-Z":
            self._read_offset(part)
        else:
            _OTHERS.get(part, _Reader._read_fraction)(self, part)

    def _number(self, field: str, least: int, bounds: tuple[int, int]) -> int:
        found = _NUMBERS[least].match(self.rest)
        if not found or not bounds[0] <= int(found[0]) <= bounds[1]:
            self.fail(f"a {field.replace('_', ' ')}")
        self.rest = self.rest[found.end() :]
        return int(found[0])

    def _word(self, words: Sequence[str], length: int) -> int:
        for index, word in enumerate(words, 1):
            if self.rest[: len(word[:length])].lower() == word[:length].lower():
                self.rest = self.rest[len(word[:length]) :]
                return index
        self.fail(f"a name such as {words[0][:length]}")

    def _read_year(self, part: str) -> None:
        found = _DIGITS.match(self.rest[:4] if part == "2006" else self.rest[:2])
        if not found or len(found[0]) != (4 if part == "2006" else 2):
            self.fail("a year")
        self.rest = self.rest[found.end() :]
        year = int(found[0])
        self._found["year"] = year if part == "2006" else year + (1900 if year >= 69 else 2000)

    def _read_half(self, part: str) -> None:
        half = self.rest[:2]
        if half not in (("AM", "PM") if part == "PM" else ("am", "pm")):
            self.fail(f"A{part[1]} or {part}" if part == "PM" else "am or pm")
        self._half, self.rest = half.upper(), self.rest[2:]

    def _read_offset(self, part: str) -> None:
        if part[0] == "Z" and self.rest.startswith("Z"):
            self._utc, self.rest = True, self.rest[1:]
            return
        found = _OFFSETS[part[1:]].match(self.rest)
        numbers = [int(number) for number in found.groups()[1:]] if found else []
        if not found or numbers[0] > 24 or any(number >= 60 for number in numbers[1:]):
            self.fail(f"an offset such as {part.replace('Z', '-')}")
        self.rest = self.rest[found.end() :]
        seconds = sum(number * unit for number, unit in zip(numbers, (3600, 60, 1), strict=False))
        self._offset = -seconds if found[1] == "-" else seconds

    def _read_abbreviation(self, _part: str) -> None:
        if self.rest.startswith("UTC"):
            self._utc, self.rest = True, self.rest[3:]
            return
        found = _ABBREVIATION.match(self.rest)
        if not found:
            self.fail("the abbreviation of a time zone")
        self._abbreviation, self.rest = found[0], self.rest[found.end() :]

    def _read_fraction(self, part: str) -> None:
        found = _FRACTION.match(self.rest)
        if part[1] == "9":
            if found:
                self._take_fraction(found)
            return
        if not found or len(found[1]) < len(part) - 1:
            self.fail(f"a fraction of {len(part) - 1} digits")
        self._nanoseconds = int(found[1][: len(part) - 1][:9].ljust(9, "0"))
        self.rest = self.rest[len(part) :]

    def _take_fraction(self, found: re.Match[str]) -> None:
        self._nanoseconds = int(found[1][:9].ljust(9, "0"))
        self.rest = self.rest[found.end() :]

    def time(self, default: Zone, local: Zone) -> ParsedTime:
        wall = self._wall()
        if self._utc:
            return ParsedTime(wall, self._nanoseconds, "utc")
        if self._offset is not None:
            return self._by_offset(wall, self._offset, local)
        if self._abbreviation:
            return self._by_abbreviation(wall, local)
        offset, _ = default.at(wall - default.at(wall)[0])
        return ParsedTime(wall - offset, self._nanoseconds, "default")

    def _wall(self) -> int:
        year = self._found.get("year", 0)
        month, day = self._month_and_day(year)
        hour = self._found.get("hour", 0)
        if self._half is not None and hour <= 12:
            hour = hour % 12 + (12 if self._half == "PM" else 0)
        seconds = hour * 3600 + self._found.get("minute", 0) * 60 + self._found.get("second", 0)
        return days_before(year, month, day) * 86_400 + seconds

    def _month_and_day(self, year: int) -> tuple[int, int]:
        year_day = self._found.get("day_of_the_year")
        month, day = self._found.get("month", 1), self._found.get("day", 1)
        if year_day is not None:
            found_year, *found = civil_of(days_before(year, 1, 1) + year_day - 1)
            said = (self._found.get("month", found[0]), self._found.get("day", found[1]))
            if found_year != year or said != tuple(found):
                raise LayoutError(f'the day of the year does not fit in "{self._text[:100]}"')
            month, day = found
        if not 1 <= day <= days_in(year, month):
            raise LayoutError(f'there is no day {day} in that month in "{self._text[:100]}"')
        return month, day

    def _by_offset(self, wall: int, offset: int, local: Zone) -> ParsedTime:
        seconds = wall - offset
        there, name = local.at(seconds)
        if there == offset and self._abbreviation in ("", name):
            return ParsedTime(seconds, self._nanoseconds, "local")
        return ParsedTime(seconds, self._nanoseconds, "fixed", self._abbreviation, offset)

    def _by_abbreviation(self, wall: int, local: Zone) -> ParsedTime:
        year = self._found.get("year", 0)
        # The zone's abbreviation at that time; else the other one of its year, for a text that ignores summer time.
        for moment in (wall - local.at(wall)[0], *(days_before(year, month, 1) * 86_400 for month in (1, 7))):
            offset, name = local.at(moment)
            if name == self._abbreviation:
                return ParsedTime(wall - offset, self._nanoseconds, "local")
        told = re.fullmatch("(?:GMT)?([+-][0-9]+)", self._abbreviation)
        offset = int(told[1]) * 3600 if told else 0  # Go's fabricated zones: what is not known has offset 0
        return ParsedTime(wall - offset, self._nanoseconds, "fixed", self._abbreviation, offset)


_FIELDS: Mapping[str, tuple[str, int, tuple[int, int]]] = {
    "1": ("month", 1, (1, 12)),
    "01": ("month", 2, (1, 12)),
    "2": ("day", 1, (0, 99)),
    "_2": ("day", 1, (0, 99)),
    "02": ("day", 2, (0, 99)),
    "002": ("day_of_the_year", 3, (1, 366)),
    "__2": ("day_of_the_year", 0, (1, 366)),
    "15": ("hour", 1, (0, 23)),
    "3": ("hour", 1, (0, 12)),
    "03": ("hour", 2, (0, 12)),
    "4": ("minute", 1, (0, 59)),
    "04": ("minute", 2, (0, 59)),
    "5": ("second", 1, (0, 59)),
    "05": ("second", 2, (0, 59)),
}
_WORDS: Mapping[str, tuple[str, Sequence[str], int]] = {
    "January": ("month", MONTHS, 9),
    "Jan": ("month", MONTHS, 3),
    "Monday": ("weekday", DAYS, 9),
    "Mon": ("weekday", DAYS, 3),
}
_OTHERS: Mapping[str, Callable[[_Reader, str], None]] = {
    "2006": _Reader._read_year,
    "06": _Reader._read_year,
    "PM": _Reader._read_half,
    "pm": _Reader._read_half,
    "MST": _Reader._read_abbreviation,
}
