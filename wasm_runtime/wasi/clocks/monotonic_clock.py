"""``wasi:clocks/monotonic-clock``: a clock that never goes back; it began when this process loaded it."""

from __future__ import annotations

import time

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.io.poll import Poll, Pollable
from polycall.wasm_runtime.wasi.readiness import Timer
from polycall.wasm_runtime.wasi.session import session_of

__all__ = ["MonotonicClock", "monotonic_now", "timer_at"]

_now = time.monotonic_ns
_BEGIN = _now()
"""The system's own clock would tell a guest how long the machine has been running."""


def monotonic_now() -> int:
    """Returns the time of the guests' clock, in nanoseconds."""
    return _now() - _BEGIN


def timer_at(instant: int) -> Timer:
    """Returns a timer for a time of the guests' clock, in nanoseconds."""
    return Timer((_BEGIN + instant) / 1_000_000_000)


class MonotonicClock(HostInterface):
    """The interface."""

    name = "wasi:clocks/monotonic-clock@0.2.12"
    wit = """
        use poll.{pollable};
        type instant = u64;
        type duration = u64;
        now: func() -> instant;
        resolution: func() -> duration;
        subscribe-instant: func(when: instant) -> pollable;
        subscribe-duration: func(when: duration) -> pollable;
    """
    uses = (Poll,)

    def now(self, _store: GuestStore) -> int:
        """Returns the time in nanoseconds."""
        return _now() - _BEGIN

    def resolution(self, _store: GuestStore) -> int:
        """Returns how fine the clock is, in nanoseconds."""
        return 1

    def subscribe_instant(self, store: GuestStore, when: int) -> Pollable:
        """Returns what is ready at a time."""
        return Pollable(session_of(store), timer_at(when), "a point in time")

    def subscribe_duration(self, store: GuestStore, duration: int) -> Pollable:
        """Returns what is ready when so many nanoseconds have passed."""
        return Pollable(session_of(store), timer_at(monotonic_now() + duration), "a point in time")
