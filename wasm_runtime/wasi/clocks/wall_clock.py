"""``wasi:clocks/wall-clock``: the time of day, since 1970 in UTC."""

from __future__ import annotations

import time

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore

__all__ = ["Datetime", "WallClock", "datetime_of"]

Datetime = dict[str, int]
"""``{"seconds": ..., "nanoseconds": ...}``."""


def datetime_of(nanoseconds: int) -> Datetime:
    """Returns a time since 1970 as guests have it; one before that is 1970."""
    seconds, rest = divmod(max(nanoseconds, 0), 1_000_000_000)
    return {"seconds": seconds, "nanoseconds": rest}


class WallClock(HostInterface):
    """The interface."""

    name = "wasi:clocks/wall-clock@0.2.12"
    wit = """
        record datetime { seconds: u64, nanoseconds: u32 }
        now: func() -> datetime;
        resolution: func() -> datetime;
    """

    def now(self, _store: GuestStore) -> Datetime:
        """Returns the time."""
        return datetime_of(time.time_ns())

    def resolution(self, _store: GuestStore) -> Datetime:
        """Returns how fine the clock is."""
        return datetime_of(max(1, round(time.get_clock_info("time").resolution * 1_000_000_000)))
