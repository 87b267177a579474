"""Work aside goes on without the calls that cannot wait for it, once at a time."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from polycall.interop.aside import Asides
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, TrapError

PATIENCE_SECONDS = 30


def _call(deadline: float | None = None, cancellation: Cancellation | None = None) -> CallContext:
    return CallContext("app:tax", "lua", deadline=deadline, cancellation=cancellation)


def _patient() -> CallContext:
    return _call(time.monotonic() + PATIENCE_SECONDS)


class Work:
    """Work that ends when it may, and counts how often it was begun."""

    def __init__(self, end: Callable[[], object] = lambda: 5) -> None:
        self.begun = 0
        self.may_end = threading.Event()
        self._end = end

    def __call__(self) -> object:
        self.begun += 1
        assert self.may_end.wait(PATIENCE_SECONDS)
        return self._end()


def _fail() -> object:
    raise TrapError("no")


@pytest.mark.parametrize("make", [_call, _patient, lambda: _call(cancellation=Cancellation())])
def test_it_returns_and_raises_as_if_the_call_had_done_it(make: Callable[[], CallContext]) -> None:
    asides: Asides[str, object] = Asides()
    call = make()
    assert asides.done("five", lambda: 5, call, "five") == 5
    with pytest.raises(TrapError):
        asides.done("five", _fail, call, "nothing")


def test_a_call_that_is_over_leaves_the_work_to_the_next_one() -> None:
    asides: Asides[str, object] = Asides()
    work, switch = Work(), Cancellation()
    with pytest.raises(DeadlineError, match="the deadline of the call passed while it waited for the work"):
        asides.done("work", work, _call(time.monotonic() + 0.02), "the work")
    switch.cancel()
    with pytest.raises(CancelledError, match="the call was cancelled while it waited for the work"):
        asides.done("work", work, _call(cancellation=switch), "the work")
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(asides.done, "work", work, _patient(), "the work") for _ in range(3)]
        assert asides.done("other", lambda: 7, _patient(), "other work") == 7
        work.may_end.set()
        assert [call.result(PATIENCE_SECONDS) for call in calls] == [5, 5, 5]
    assert 1 <= work.begun <= 2  # a thread that came late found it ended


def test_each_call_gets_a_failure_of_its_own() -> None:
    asides: Asides[str, object] = Asides()
    work = Work(_fail)
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(asides.done, "work", work, _patient(), "the work") for _ in range(3)]
        work.may_end.set()
        failures = [call.exception(PATIENCE_SECONDS) for call in calls]
    assert all(isinstance(failure, TrapError) for failure in failures)
    assert len(set(map(id, failures))) == 3


def test_a_failure_leaves_nothing_to_the_garbage_collector() -> None:
    asides: Asides[str, object] = Asides()

    def fail() -> None:
        with pytest.raises(TrapError):
            asides.done("work", _fail, _patient(), "the work")

    fail()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            fail()
        assert gc.collect() < 20
    finally:
        gc.enable()
