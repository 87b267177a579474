"""The module ``time``: the clock, zones, layouts, durations, waiting (specification: system facts 4.4).

What a Time, a Duration and a Location are is told in ``lua/modules/time.lua``; here they are integers and names.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from polycall.interop.waiting import Wakeup
from polycall.lua_runtime.modules.durations import MOST_DURATION_BYTES, parse_duration
from polycall.lua_runtime.modules.go_format import format_time
from polycall.lua_runtime.modules.go_parse import LayoutError, parse_time
from polycall.lua_runtime.modules.zones import Zone, find_zone, require_zone
from polycall.lua_runtime.session import MOST_NAME_BYTES, RefusedError, Session
from polycall.lua_runtime.values import readable

__all__ = ["host_functions"]

_MOST_LAYOUT_BYTES = 1024
_NANOSECONDS = 1_000_000_000
_YEAR_ONE = -62_135_596_800


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/time.lua`` calls."""

    def now() -> int:
        return time.time_ns()

    def sleep(nanoseconds: int) -> Any:
        if session.context is None:
            raise RefusedError("time.sleep works only in a call of the entry, not at start-up")
        if nanoseconds > 0:
            until = time.monotonic() + nanoseconds / _NANOSECONDS
            Wakeup().wait(session.context, "time.sleep", until, session.closing)
        return None

    def zone_at(key: bytes, seconds: int) -> Any:
        return session.answer([*find_zone(key.decode()).at(seconds)])

    def check_zone(name: bytes) -> bool:
        require_zone(name)
        return True

    def write(layout: bytes, seconds: int, nanoseconds: int, offset: int, abbreviation: bytes) -> Any:
        text = format_time(_layout(layout), seconds, nanoseconds, offset, abbreviation.decode("latin-1"))
        return session.answer(text.encode("latin-1"))

    def read(layout: bytes, text: bytes, key: bytes | None, offset: int, abbreviation: bytes) -> Any:
        zone = find_zone(key.decode()) if key else Zone(None, offset, abbreviation.decode("latin-1"))
        try:
            found = parse_time(_layout(layout), _layout(text), zone, find_zone("Local") if key is None else zone)
        except LayoutError as error:
            raise RefusedError(f"time.parse: {error}") from None
        name = found.name.encode("latin-1")
        return session.answer([found.seconds, found.nanoseconds, found.place, name, found.offset])

    def duration(text: bytes) -> Any:
        if len(text) > MOST_DURATION_BYTES:
            raise RefusedError(f"a duration has at most {MOST_DURATION_BYTES} bytes")
        try:
            return session.answer(parse_duration(text.decode()))
        except ValueError:
            shown = readable(text[:60])
            raise RefusedError(f'expected a duration such as "1h30m" or "250ms", got "{shown}"') from None

    def remainder(seconds: int, nanoseconds: int, step: int) -> int:
        return ((seconds - _YEAR_ONE) * _NANOSECONDS + nanoseconds) % step

    functions = (now, sleep, zone_at, check_zone, write, read, duration, remainder)
    return tuple(session.safe(function, MOST_NAME_BYTES) for function in functions)


def _layout(text: bytes) -> str:
    """Returns the text with a character for each byte: what is no part of a time passes through as it is."""
    if len(text) > _MOST_LAYOUT_BYTES:
        raise RefusedError(f"a layout, or a time as text, has at most {_MOST_LAYOUT_BYTES} bytes")
    return text.decode("latin-1")
