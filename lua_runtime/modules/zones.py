"""Time zones: UTC, the machine's own, those of the IANA database, and fixed offsets."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from polycall.lua_runtime.session import RefusedError
from polycall.lua_runtime.values import readable

__all__ = ["LOCAL", "Zone", "find_zone", "require_zone"]

LOCAL = "Local"
"""The name of the machine's own zone."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = int((datetime(1, 1, 3, tzinfo=UTC) - _EPOCH).total_seconds())
_LATEST = int((datetime(9999, 12, 29, tzinfo=UTC) - _EPOCH).total_seconds())
_MOST_NAME_BYTES = 100


class Zone(NamedTuple):
    """A zone.

    Attributes:
        rules: Of the IANA database, or `LOCAL`, or None for a fixed offset.
        offset: Seconds east of UTC, if it is fixed.
        abbreviation: Of a fixed zone.
    """

    rules: tzinfo | str | None
    offset: int = 0
    abbreviation: str = "UTC"

    def at(self, seconds: int) -> tuple[int, str]:
        """Returns the offset in seconds east of UTC, and the abbreviation, at a Unix time.

        Outside of the years 1 to 9999, which the rules do not reach, they stay as they are at that end.
        """
        if self.rules is None:
            return self.offset, self.abbreviation
        reached = min(max(seconds, _EARLIEST), _LATEST)
        if isinstance(self.rules, str):
            local = time.localtime(reached)
            return local.tm_gmtoff, local.tm_zone
        there = (_EPOCH + timedelta(seconds=reached)).astimezone(self.rules)
        offset = there.utcoffset() or timedelta()
        return round(offset.total_seconds()), there.tzname() or ""


def find_zone(name: str) -> Zone:
    """Returns a zone by its name.

    Raises:
        LookupError: There is none.
    """
    if name == LOCAL:
        return Zone(LOCAL)
    try:
        return Zone(ZoneInfo(name))  # zoneinfo keeps what it has read, and reads nothing outside of its folders
    except (ValueError, OSError) as error:
        raise LookupError(name) from error


def require_zone(name: bytes) -> None:
    """Refuses a name that no zone has.

    Raises:
        RefusedError: Of kind NotFound.
    """
    if len(name) > _MOST_NAME_BYTES:
        raise RefusedError(f"time.load_location: the name of a zone has at most {_MOST_NAME_BYTES} bytes", "NotFound")
    try:
        find_zone(name.decode("ascii"))
    except (LookupError, UnicodeDecodeError):
        shown = readable(name)
        message = f'time.load_location: there is no time zone "{shown}"; names are like "Europe/Lisbon"'
        raise RefusedError(message, "NotFound") from None
