"""Signals that come while a guest waits in the main thread."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import polycall
from wasi_guests import SLEEPER, wasi_project

GUEST, FOREVER = "app:guest", 10**15

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no such timers here")


class HandlerError(Exception):
    """What a handler of the user's raises."""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[polycall.Registry]:
    before = signal.getsignal(signal.SIGALRM)
    with polycall.load(wasi_project(tmp_path, SLEEPER, "sleep", "wasi:clocks", "wasi:io")) as registry:
        registry.call(GUEST, 0)
        yield registry
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def alarm(seconds: float, error: type[BaseException] | None) -> list[float]:
    """Has a signal come, whose handler notes the time and raises."""
    came: list[float] = []

    def handle(_number: int, _frame: object) -> None:
        came.append(time.monotonic())
        if error is not None:
            raise error

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    return came


@pytest.mark.parametrize("timeout", [None, 60])
def test_ctrl_c_ends_the_wait_at_once(registry: polycall.Registry, timeout: float | None) -> None:
    for _ in range(3):
        came = alarm(0.05, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            registry.call(GUEST, FOREVER, timeout=timeout)
        assert time.monotonic() - came[0] < 1
        assert registry.call(GUEST, 0) is None
    assert registry.stats().entries[GUEST].pool.in_use == 0


def test_a_handler_that_raises_something_else_ends_the_call_with_it_as_the_cause(registry: polycall.Registry) -> None:
    alarm(0.05, HandlerError)
    with pytest.raises(polycall.PolycallError) as caught:
        registry.call(GUEST, FOREVER)
    assert isinstance(caught.value.__cause__, HandlerError)
    assert registry.call(GUEST, 0) is None


def test_a_handler_that_raises_nothing_leaves_the_guest_asleep(registry: polycall.Registry) -> None:
    came = alarm(0.02, None)
    started = time.monotonic()
    assert registry.call(GUEST, 100_000_000) is None
    assert len(came) == 1
    assert time.monotonic() - started >= 0.1


def test_a_handler_may_cancel_the_call_of_its_own_thread(registry: polycall.Registry) -> None:
    cancellation = polycall.Cancellation()
    signal.signal(signal.SIGALRM, lambda *_: cancellation.cancel())
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(polycall.CancelledError, match="while it waited for a point in time"):
        registry.call(GUEST, FOREVER, cancellation=cancellation)


def test_a_handler_may_close_the_registry(registry: polycall.Registry) -> None:
    signal.signal(signal.SIGALRM, lambda *_: registry.close())
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(polycall.PoolClosedError, match="the registry was closed while the call waited"):
        registry.call(GUEST, FOREVER)


def test_many_threads_wait_while_the_main_one_is_interrupted(registry: polycall.Registry) -> None:
    outcomes: list[object] = []

    def sleep() -> None:
        outcomes.append(registry.call(GUEST, 300_000_000))

    threads = [threading.Thread(target=sleep) for _ in range(8)]
    for thread in threads:
        thread.start()
    alarm(0.05, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        registry.call(GUEST, FOREVER)
    for thread in threads:
        thread.join(60)
    assert outcomes == [None] * 8
