"""Times as text by Go's layouts (Go: ``Time.Format``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from polycall.lua_runtime.modules.go_layout import DAYS, MONTHS, civil_of, days_before, split_layout

__all__ = ["format_time"]


class _Moment(NamedTuple):
    year: int
    month: int
    day: int
    year_day: int
    weekday: int
    hour: int
    minute: int
    second: int
    offset: int
    abbreviation: str


def format_time(layout: str, seconds: int, nanoseconds: int, offset: int, abbreviation: str) -> str:
    """Returns a time as text.

    Args:
        layout: As Go has them.
        seconds: Unix time.
        nanoseconds: Of the second.
        offset: Of the zone at that time, in seconds east of UTC.
        abbreviation: Of the zone at that time.
    """
    moment = _moment(seconds + offset, offset, abbreviation)
    text = ""
    for literal, part in split_layout(layout):
        text += literal
        if part in _WRITERS:
            text += _WRITERS[part](moment)
        elif part[:1] in ("-", "Z"):
            text += _offset_text(part, offset)
        elif part:
            text += _fraction(part, nanoseconds)
    return text


def _moment(local: int, offset: int, abbreviation: str) -> _Moment:
    days, rest = divmod(local, 86_400)
    year, month, day = civil_of(days)
    hour, rest = divmod(rest, 3600)
    year_day = days - days_before(year, 1, 1) + 1
    return _Moment(year, month, day, year_day, (days + 4) % 7, hour, *divmod(rest, 60), offset, abbreviation)


def _year(year: int) -> str:
    return f"-{-year:04}" if year < 0 else f"{year:04}"


def _half_day(hour: int) -> int:
    return hour % 12 or 12


def _abbreviation(moment: _Moment) -> str:
    return moment.abbreviation or _offset_text("-0700" if moment.offset % 3600 else "-07", moment.offset)


_WRITERS: Mapping[str, Callable[[_Moment], str]] = {
    "January": lambda moment: MONTHS[moment.month - 1],
    "Jan": lambda moment: MONTHS[moment.month - 1][:3],
    "1": lambda moment: str(moment.month),
    "01": lambda moment: f"{moment.month:02}",
    "Monday": lambda moment: DAYS[moment.weekday],
    "Mon": lambda moment: DAYS[moment.weekday][:3],
    "2": lambda moment: str(moment.day),
    "_2": lambda moment: f"{moment.day:2}",
    "02": lambda moment: f"{moment.day:02}",
    "__2": lambda moment: f"{moment.year_day:3}",
    "002": lambda moment: f"{moment.year_day:03}",
    "15": lambda moment: f"{moment.hour:02}",
    "3": lambda moment: str(_half_day(moment.hour)),
    "03": lambda moment: f"{_half_day(moment.hour):02}",
    "4": lambda moment: str(moment.minute),
    "04": lambda moment: f"{moment.minute:02}",
    "5": lambda moment: str(moment.second),
    "05": lambda moment: f"{moment.second:02}",
    "2006": lambda moment: _year(moment.year),
    "06": lambda moment: f"{max(moment.year, 0) % 100:02}",
    "PM": lambda moment: "PM" if moment.hour >= 12 else "AM",
    "pm": lambda moment: "pm" if moment.hour >= 12 else "am",
    "MST": _abbreviation,
}


def _offset_text(part: str, offset: int) -> str:
    if part.startswith("Z") and offset == 0:
        return "Z"
    minutes, second = divmod(abs(offset), 60)
    hour, minute = divmod(minutes, 60)
    colon = ":" if ":" in part else ""
    numbers = (hour, minute, second)[: len(part.replace(":", "")) // 2]  # -07, -0700 or -070000
    return ("-" if offset < 0 else "+") + colon.join(f"{number:02}" for number in numbers)


def _fraction(part: str, nanoseconds: int) -> str:
    digits = f"{nanoseconds:09}"[: len(part) - 1].ljust(len(part) - 1, "0")
    if part[1] == "9":
        digits = digits.rstrip("0")
    return part[0] + digits if digits else ""
