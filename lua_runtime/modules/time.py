"""The module ``time``: the clock and waiting (specification: system facts 4.4).

What a Time, a Duration and a Location are is told in ``lua/modules/time``; here they are integers and names.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from polycall.interop.waiting import Wakeup
from polycall.lua_runtime.session import RefusedError, Session

__all__ = ["host_functions"]

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

    def remainder(seconds: int, nanoseconds: int, step: int) -> int:  # here, where integers do not end at 64 bits
        return ((seconds - _YEAR_ONE) * _NANOSECONDS + nanoseconds) % step

    return session.safe(now), session.safe(sleep), session.safe(remainder)
