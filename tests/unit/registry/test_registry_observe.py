from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import polycall
from observed_project import observed_project
from polycall.interop.observer import Ended, Finish, ObservedCall

CHAIN = ("app:ask", "app:relay", "app:to-python", "hello")


class Recorder:
    """Writes down what an observer hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def start(self, context: ObservedCall, arguments: Sequence[polycall.Value]) -> Finish:
        self.heard.append(f"{'  ' * (context.depth - 1)}{context.entry_id} {list(arguments)}")

        def finish(ended: Ended) -> None:
            assert ended.seconds > 0
            assert (ended.outcome == "ok") == (ended.error is None)
            self.heard.append(f"{'  ' * (context.depth - 1)}{context.entry_id} {ended.outcome} {ended.result!r}")

        return finish


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[polycall.Registry]:
    with polycall.load(observed_project(tmp_path)) as registry:
        registry.function("py:upper")(str.upper)
        yield registry


def test_an_observer_hears_of_every_frame_as_the_calls_nest(registry: polycall.Registry) -> None:
    recorder = Recorder()
    assert registry.call(*CHAIN, observer=recorder) == {"ok": "HELLO"}
    assert recorder.heard == [
        "app:ask ['app:relay', 'app:to-python', 'hello']",
        "  app:relay ['app:to-python', 'hello']",
        "    app:to-python ['hello']",
        "      py:upper ['hello']",
        "      py:upper ok 'HELLO'",
        "    app:to-python ok 'HELLO'",
        "  app:relay ok {'ok': 'HELLO'}",
        "app:ask ok {'ok': 'HELLO'}",
    ]


def test_an_observer_of_one_call_hears_of_no_other(registry: polycall.Registry) -> None:
    recorder = Recorder()
    registry.call("app:same", 1)
    registry.call("app:same", 2, observer=recorder)
    registry.call("app:same", 3)
    assert recorder.heard == ["app:same [2]", "app:same ok 2"]


def test_a_payload_that_does_not_fit_is_a_call_that_failed(registry: polycall.Registry) -> None:
    recorder = Recorder()
    answer = registry.call("app:relay", "app:add", "no numbers", observer=recorder)
    assert isinstance(answer, dict)
    assert "err" in answer
    assert recorder.heard[1:3] == ["  app:add ['no numbers']", "  app:add conversion None"]


def test_calls_of_a_python_function_stay_in_the_observed_chain(registry: polycall.Registry) -> None:
    inner, outer = Recorder(), Recorder()

    @registry.function("py:again")
    def again() -> polycall.Value:
        return registry.call("app:same", 7, observer=inner)

    registry.call("py:again", observer=outer)
    assert inner.heard == ["  app:same [7]", "  app:same ok 7"]
    assert outer.heard == ["py:again []", *inner.heard, "py:again ok 7"]


def test_an_observer_comes_along_to_another_thread(registry: polycall.Registry) -> None:
    recorder = Recorder()
    assert asyncio.run(registry.call_async("app:ask", "app:same", 5, observer=recorder)) == 5
    assert recorder.heard[1:3] == ["  app:same [5]", "  app:same ok 5"]


class Failing:
    """Fails at the start, or at the end."""

    def __init__(self, at_start: bool) -> None:
        self.at_start = at_start

    def start(self, context: ObservedCall, arguments: Sequence[polycall.Value]) -> Finish:
        if self.at_start:
            raise RuntimeError("cannot watch")

        def finish(ended: Ended) -> None:
            raise RuntimeError("cannot watch")

        return finish


@pytest.mark.parametrize("at_start", [True, False])
def test_an_observer_that_fails_changes_nothing_about_the_call(
    registry: polycall.Registry, at_start: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert registry.call("app:ask", "app:same", 1, observer=Failing(at_start)) == 1
    with pytest.raises(polycall.GuestError, match="refused x"):
        registry.call("app:fail", "x", observer=Failing(at_start))
    assert [record.name for record in caplog.records].count("polycall.observer") == 3


@pytest.fixture
def logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[polycall.Registry]:
    caplog.set_level(logging.DEBUG, "polycall")
    with polycall.load(observed_project(tmp_path)) as registry:
        registry.function("py:upper")(str.upper)
        yield registry


def test_the_log_has_one_record_for_each_call_with_what_it_says_as_attributes(
    logged: polycall.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    logged.call(*CHAIN)
    records = [record.__dict__ for record in caplog.records if record.name == "polycall.call"]
    assert [(record["entry_id"], record["language"], record["depth"]) for record in records] == [
        ("py:upper", "python", 4),
        ("app:to-python", "lua", 3),
        ("app:relay", "wasm", 2),
        ("app:ask", "lua", 1),
    ]
    assert {record["outcome"] for record in records} == {"ok"}
    assert {record["call_id"] for record in records} == {records[-1]["frame_id"]}
    assert len({record["frame_id"] for record in records}) == 4
    durations = [record["duration_ms"] for record in records]
    assert durations == sorted(durations), "a caller takes longer than what it calls"


def test_whether_calls_are_logged_is_decided_at_load(
    tmp_path: Path, registry: polycall.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "polycall.call")
    registry.call("app:same", 1)
    assert not caplog.records
    with polycall.load(tmp_path) as later:
        later.call("app:same", 1)
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


def test_what_a_guest_logs_names_the_call_in_which_it_did(
    logged: polycall.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(polycall.GuestError):
        logged.call("app:ask", "app:fail", "x")
    guest, failed, asked = (record.__dict__ for record in caplog.records)
    assert (guest["name"], failed["outcome"], asked["outcome"]) == (
        "polycall.entry.app:fail",
        "guest_error",
        "guest_error",
    )
    for name in ("entry_id", "call_id", "frame_id", "depth"):
        assert guest[name] == failed[name]
    assert guest["call_id"] == asked["frame_id"]
