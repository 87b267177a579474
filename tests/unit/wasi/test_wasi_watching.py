"""What is told of guests that use their host: traces, spans and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import polycall
from polycall.interop.observer import Finish, ObservedCall
from polycall.registry.observers.trace import Trace
from wasi_guests import SLEEPER, wasi_project

MILLISECOND = 1_000_000


@pytest.fixture(params=["none", "process"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[polycall.Registry]:
    isolation = f"    isolation: {request.param}\n"
    project = wasi_project(tmp_path, SLEEPER, "sleep", "wasi:clocks", "wasi:io", more=isolation)
    with polycall.load(project) as registry:
        yield registry


def test_a_trace_says_what_a_call_waited_for(registry: polycall.Registry) -> None:
    trace = Trace()
    registry.call("app:guest", 20 * MILLISECOND, observer=trace)
    (line,) = trace.lines()
    assert line.startswith("app:guest (wasm)")
    assert line.endswith(" ms for a point in time")
    assert sum(trace.calls[0].waits.values()) > 0


def test_what_does_not_wait_is_told_of_nothing(registry: polycall.Registry) -> None:
    trace = Trace()
    registry.call("app:guest", 0, observer=trace)
    assert trace.calls[0].waits == {}


def test_observers_that_want_no_waits_are_left_alone_and_failing_ones_change_nothing(
    registry: polycall.Registry,
) -> None:
    told: list[str] = []

    class Plain:
        def start(self, context: ObservedCall, arguments: Sequence[polycall.Value]) -> Finish:
            return lambda ended: told.append(ended.outcome)

    class Failing(Plain):
        def waited(self, context: ObservedCall, what: str, seconds: float) -> None:
            told.append(what)
            raise ValueError(what)

    registry.call("app:guest", 20 * MILLISECOND, observer=Plain())
    registry.call("app:guest", 20 * MILLISECOND, observer=Failing())
    assert told == ["ok", "a point in time", "ok"]


def test_calls_of_the_host_and_refusals_are_counted(registry: polycall.Registry, tmp_path: Path) -> None:
    registry.call("app:guest", 0)
    registry.call("app:guest", 0)
    assert registry.stats().entries["app:guest"].host == polycall.HostTraffic(calls=6)
    with polycall.load(wasi_project(tmp_path, SLEEPER, "sleep")) as denied:
        with pytest.raises(polycall.ImportDeniedError):
            denied.call("app:guest", 0)
        assert denied.stats().entries["app:guest"].host == polycall.HostTraffic(calls=1, refusals=1)
