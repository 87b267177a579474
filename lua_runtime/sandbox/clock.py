"""What Lua's library `os` asks the host inside of the sandbox: the clock, and dates as the host has them."""

from __future__ import annotations

import struct
import time

__all__ = ["CLOCK_FUNCTIONS", "Clock"]

CLOCK_FUNCTIONS = range(3, 9)
"""Their numbers, as in ``c/host.h``."""
_CLOCK, _NOW, _LOCAL, _UTC, _SECONDS, _SHOW = CLOCK_FUNCTIONS

_seconds, _fields, _double = struct.Struct("<q"), struct.Struct("<9i"), struct.Struct("<d")
_LAYOUT_AT = _seconds.size + _fields.size
_TEXT_AT, _TEXT_BYTES = _LAYOUT_AT + 4, 256
_MOMENT_BYTES = _TEXT_AT + _TEXT_BYTES


class Clock:
    """Dates for one state. A date that cannot be is answered with 0: Lua says so."""

    def __init__(self) -> None:
        self._shown = time.gmtime(0)

    def serve(self, function: int, region: memoryview) -> int:
        """Answers a call.

        Args:
            function: One of `CLOCK_FUNCTIONS`.
            region: What the guest gives to be read and written: a ``Moment`` of ``c/platform.h``, or a double.
        """
        if function == _NOW:
            return int(time.time())
        try:
            if function == _CLOCK:
                _double.pack_into(region, 0, time.process_time())
                return 1
            return self._dated(function, region[:_MOMENT_BYTES])
        except (OverflowError, ValueError, OSError, struct.error):
            return 0

    def _dated(self, function: int, moment: memoryview) -> int:
        if function == _SHOW:  # what was taken apart last: by itself a date does not know its zone
            layout = bytes(moment[_LAYOUT_AT:_TEXT_AT]).split(b"\0")[0].decode("ascii")
            text = time.strftime(layout, self._shown).encode(errors="surrogateescape")[:_TEXT_BYTES]
            moment[_TEXT_AT : _TEXT_AT + len(text)] = text
            return len(text)
        if function == _SECONDS:
            second, minute, hour, day, month, year, *_, summer = _fields.unpack_from(moment, _seconds.size)
            date = (year + 1900, month + 1, day, hour, minute, second, 0, 1, summer)
            _seconds.pack_into(moment, 0, int(time.mktime(date)))
        (seconds,) = _seconds.unpack_from(moment)
        self._shown = shown = time.gmtime(seconds) if function == _UTC else time.localtime(seconds)
        _fields.pack_into(
            moment,
            _seconds.size,
            *(shown.tm_sec, shown.tm_min, shown.tm_hour, shown.tm_mday, shown.tm_mon - 1, shown.tm_year - 1900),
            *((shown.tm_wday + 1) % 7, shown.tm_yday - 1, shown.tm_isdst),
        )
        return 1
