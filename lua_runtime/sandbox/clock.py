"""What Lua's library `os` asks the host inside of the sandbox: the clock, and dates as the host has them."""

from __future__ import annotations

import struct
import time

__all__ = ["CLOCK_FUNCTIONS", "clock_answer"]

CLOCK_FUNCTIONS = range(3, 9)
"""Their numbers, as in ``c/host.h``."""
_CLOCK, _NOW, _LOCAL, _UTC, _SECONDS, _SHOW = CLOCK_FUNCTIONS

_seconds, _fields, _date = struct.Struct("<q"), struct.Struct("<9i"), struct.Struct("<9iqi")
"""The last is what a date holds in there: the fields of C, Unix seconds, and whether the fields are UTC."""
_CONVERSION_BYTES = 4


def clock_answer(function: int, region: memoryview) -> int:
    """Answers a call, with -1 where there is no such date: Lua says so.

    Args:
        function: One of `CLOCK_FUNCTIONS`.
        region: What the guest gives to be read and written, of any size.
    """
    if function == _CLOCK:
        return time.process_time_ns()
    if function == _NOW:
        return int(time.time())
    try:
        return _show(region) if function == _SHOW else _break_down(function, region)
    except (OverflowError, ValueError, OSError, struct.error):
        return -1


def _break_down(function: int, region: memoryview) -> int:
    if function == _SECONDS:
        second, minute, hour, day, month, year, *_, summer = _fields.unpack_from(region)
        seconds = int(time.mktime((year + 1900, month + 1, day, hour, minute, second, 0, 1, summer)))
    else:
        (seconds,) = _seconds.unpack_from(region)
    date = _at(seconds, utc=function == _UTC)
    time_of_day, weekday = date[5:1:-1], (date.tm_wday + 1) % 7  # from the second to the day
    rest = (date.tm_mon - 1, date.tm_year - 1900, weekday, date.tm_yday - 1, date.tm_isdst)
    _date.pack_into(region, 0, *time_of_day, *rest, seconds, function == _UTC)
    return seconds if function == _SECONDS else 0


def _at(seconds: int, *, utc: bool) -> time.struct_time:
    return time.gmtime(seconds) if utc else time.localtime(seconds)


def _show(region: memoryview) -> int:
    *_, seconds, utc = _date.unpack_from(region)
    conversion = bytes(region[_date.size : _date.size + _CONVERSION_BYTES]).split(b"\0")[0].decode("ascii")
    text = time.strftime(conversion, _at(seconds, utc=utc)).encode(errors="surrogateescape")
    if len(text) >= len(region):
        return 0
    region[: len(text)] = text
    return len(text)
