"""``wasi:clocks``: two clocks, and pollables of the monotonic one."""

from __future__ import annotations

import time
from typing import Any

import pytest

from polycall.interop.errors import DeadlineError
from polycall.wasm_runtime.wasi.clocks.monotonic_clock import MonotonicClock
from polycall.wasm_runtime.wasi.clocks.wall_clock import WallClock, datetime_of
from polycall.wasm_runtime.wasi.io.poll import Poll
from wasi_sessions import HUGE, STORE, new_session, store_of

CLOCK = MonotonicClock()
SECOND = 1_000_000_000


@pytest.fixture
def store() -> Any:
    return store_of(new_session(seconds=30))


def test_the_monotonic_clock_never_goes_back_and_does_not_tell_how_long_the_machine_runs() -> None:
    times = [CLOCK.now(STORE) for _ in range(1000)]
    assert times == sorted(times)
    assert 0 < times[0] < time.monotonic_ns()
    assert CLOCK.resolution(STORE) == 1


def test_a_sleep_is_never_too_short(store: Any) -> None:
    for nanoseconds in (0, 1, 1000, 10_000_000):
        began = CLOCK.now(STORE)
        CLOCK.subscribe_duration(store, nanoseconds).block(STORE)
        assert nanoseconds <= CLOCK.now(STORE) - began < 10 * SECOND
        began = CLOCK.now(STORE)
        CLOCK.subscribe_instant(store, began + nanoseconds).block(STORE)
        assert nanoseconds <= CLOCK.now(STORE) - began < 10 * SECOND


def test_times_that_have_passed_are_ready(store: Any) -> None:
    for when in (0, 1, CLOCK.now(STORE) - 1, CLOCK.now(STORE)):
        assert CLOCK.subscribe_instant(store, when).ready(STORE)
    assert CLOCK.subscribe_duration(store, 0).ready(STORE)


@pytest.mark.parametrize("when", [HUGE, 2**63, 10**18])
def test_times_that_never_come_are_waited_for_until_the_deadline(when: int) -> None:
    session = new_session(seconds=0.03)
    for pollable in (
        CLOCK.subscribe_instant(store_of(session), when),
        CLOCK.subscribe_duration(store_of(session), when),
    ):
        assert not pollable.ready(STORE)
        with pytest.raises(DeadlineError, match="while it waited for a point in time"):
            pollable.block(STORE)


def test_a_timeout_is_a_pollable_among_others(store: Any) -> None:
    late, soon = CLOCK.subscribe_duration(store, 20 * SECOND), CLOCK.subscribe_duration(store, 1_000_000)
    assert Poll().poll(STORE, [late, soon]) == [1]


def test_the_wall_clock_is_that_of_the_system() -> None:
    before = time.time_ns()
    now = WallClock().now(STORE)
    assert before <= now["seconds"] * SECOND + now["nanoseconds"] <= time.time_ns()
    resolution = WallClock().resolution(STORE)
    assert 0 < resolution["seconds"] * SECOND + resolution["nanoseconds"] < SECOND


def test_times_before_1970_are_1970_and_parts_stay_within_a_second() -> None:
    assert datetime_of(-1) == {"seconds": 0, "nanoseconds": 0}
    assert datetime_of(0) == {"seconds": 0, "nanoseconds": 0}
    assert datetime_of(SECOND - 1) == {"seconds": 0, "nanoseconds": SECOND - 1}
    assert datetime_of(2**63) == {"seconds": 2**63 // SECOND, "nanoseconds": 2**63 % SECOND}
