"""Time zones for the module ``time``: the machine's own, and those of the IANA database."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from polycall.lua_runtime.session import MOST_NAME_BYTES, RefusedError, Session
from polycall.lua_runtime.values import readable

__all__ = ["host_functions"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = int((datetime(1, 1, 3, tzinfo=UTC) - _EPOCH).total_seconds())
_LATEST = int((datetime(9999, 12, 29, tzinfo=UTC) - _EPOCH).total_seconds())
_MOST_ZONE_BYTES = 100


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/time/zones.lua`` calls."""

    def zone_at(name: bytes, seconds: int) -> Any:
        """Gives the offset in seconds east of UTC, and the abbreviation, at a Unix time.

        Outside of the years 1 to 9999, which the rules do not reach, they stay as they are at that end.
        """
        reached = min(max(seconds, _EARLIEST), _LATEST)
        if name == b"Local":
            local = time.localtime(reached)
            return session.answer([local.tm_gmtoff, local.tm_zone])
        there = (_EPOCH + timedelta(seconds=reached)).astimezone(_zone(name))
        offset = there.utcoffset() or timedelta()
        return session.answer([round(offset.total_seconds()), there.tzname() or ""])

    return (session.safe(zone_at, MOST_NAME_BYTES),)


def _zone(name: bytes) -> ZoneInfo:
    """Returns a zone by its name; zoneinfo keeps what it has read, and reads nothing outside of its folders.

    Raises:
        RefusedError: There is none.
    """
    if len(name) > _MOST_ZONE_BYTES:
        raise RefusedError(f"time.load_location: the name of a zone has at most {_MOST_ZONE_BYTES} bytes", "NotFound")
    try:
        return ZoneInfo(name.decode("ascii"))
    except (ValueError, OSError, LookupError):
        message = f'time.load_location: there is no time zone "{readable(name)}"; names are like "Europe/Lisbon"'
        raise RefusedError(message, "NotFound") from None
