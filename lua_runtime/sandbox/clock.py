"""What Lua's library `os` asks the host inside of the sandbox: the clock, and dates as the host has them."""

from __future__ import annotations

import struct
import time

__all__ = ["CLOCK_FUNCTIONS", "Clock"]

CLOCK_FUNCTIONS = range(3, 9)
"""Their numbers, as in ``c/host.h``."""
_CLOCK, _NOW, _LOCAL, _UTC, _SECONDS, _SHOW = CLOCK_FUNCTIONS

_seconds, _date = struct.Struct("<q"), struct.Struct("<9i")
_CONVERSION_BYTES = 4


class Clock:
    """Dates for one state."""

    _shown = time.gmtime(0)

    def answer(self, function: int, region: memoryview) -> int:
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
            return self._show(region) if function == _SHOW else self._break_down(function, region)
        except (OverflowError, ValueError, OSError, struct.error):
            return -1

    def _break_down(self, function: int, region: memoryview) -> int:
        if function == _SECONDS:
            second, minute, hour, day, month, year, *_, summer = _date.unpack_from(region)
            seconds = int(time.mktime((year + 1900, month + 1, day, hour, minute, second, 0, 1, summer)))
        else:
            (seconds,) = _seconds.unpack_from(region)
        self._shown = date = time.gmtime(seconds) if function == _UTC else time.localtime(seconds)
        time_of_day, weekday = date[5:1:-1], (date.tm_wday + 1) % 7  # from the second to the day
        rest = (date.tm_mon - 1, date.tm_year - 1900, weekday, date.tm_yday - 1, date.tm_isdst)
        _date.pack_into(region, 0, *time_of_day, *rest)
        return seconds if function == _SECONDS else 0

    def _show(self, region: memoryview) -> int:
        conversion = bytes(region[:_CONVERSION_BYTES]).split(b"\0")[0].decode("ascii")
        text = time.strftime(conversion, self._shown).encode(errors="surrogateescape")
        if len(text) >= len(region):
            return 0
        region[: len(text)] = text
        return len(text)
