"""An entry is prepared once at a time; who waits for that waits no longer than its call may."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import polycall
from polycall.interop.context import Cancellation
from polycall.lua_runtime.spec import LuaProgram
from polycall.registry.dispatch.programs import lua_program
from polycall.registry.entries.index import Index
from projects import write_project

INDEX = """
namespace: app
entries:
  - {name: words, kind: function.lua, source: file://words.lua, method: words}
  - {name: other, kind: function.lua, source: file://other.lua, method: words}
"""
PATIENCE_SECONDS = 30


class Hurdle:
    """Stops those who prepare ``app:words`` until they may go on, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed: list[str] = []
        self.reached = threading.Event()
        self.may_go_on = threading.Event()
        monkeypatch.setattr("polycall.registry.dispatch.runtimes.lua_program", self._program)

    def _program(self, entry: polycall.Entry, index: Index) -> LuaProgram:
        program = lua_program(entry, index)  # of the source as it is before the hurdle
        if entry.id.name == "words":
            self.passed.append(program.source.text)
            self.reached.set()
            assert self.may_go_on.wait(PATIENCE_SECONDS)
        return program


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, index=INDEX, words_lua=_words("old"), other_lua=_words("first"))


@pytest.fixture
def registry(project: Path) -> Iterator[polycall.Registry]:
    with polycall.load(project) as registry:
        yield registry


@pytest.fixture
def hurdle(monkeypatch: pytest.MonkeyPatch) -> Hurdle:
    return Hurdle(monkeypatch)


def _words(text: str) -> str:
    return f"return {{ words = function() return '{text}' end }}"


def test_calls_that_need_the_same_new_entry_prepare_it_once(registry: polycall.Registry, hurdle: Hurdle) -> None:
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(registry.call, "app:words") for _ in range(8)]
        assert hurdle.reached.wait(PATIENCE_SECONDS)
        hurdle.may_go_on.set()
        assert [call.result(PATIENCE_SECONDS) for call in calls] == ["old"] * 8
    assert len(hurdle.passed) == 1


def test_a_call_waits_for_another_ones_preparation_no_longer_than_it_may(
    registry: polycall.Registry, hurdle: Hurdle
) -> None:
    switch = Cancellation()
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(registry.call, "app:words")
        assert hurdle.reached.wait(PATIENCE_SECONDS)
        with pytest.raises(polycall.DeadlineError) as caught:
            registry.call("app:words", timeout=0.02)
        assert caught.value.message == 'the deadline of the call passed while it waited for "app:words" to be prepared'
        cancelled = threads.submit(registry.call, "app:words", cancellation=switch)
        switch.cancel()
        with pytest.raises(polycall.CancelledError):
            cancelled.result(PATIENCE_SECONDS)
        hurdle.may_go_on.set()
        assert slow.result(PATIENCE_SECONDS) == "old"


def test_a_reload_that_keeps_an_entry_keeps_what_is_being_prepared_of_it(
    project: Path, registry: polycall.Registry, hurdle: Hurdle
) -> None:
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(registry.call, "app:words")
        assert hurdle.reached.wait(PATIENCE_SECONDS)
        (project / "other.lua").write_text(_words("second"))
        assert registry.reload().changed == ("app:other",)
        waiting = threads.submit(registry.call, "app:words")
        hurdle.may_go_on.set()
        assert (running.result(PATIENCE_SECONDS), waiting.result(PATIENCE_SECONDS)) == ("old", "old")
    assert len(hurdle.passed) == 1
    assert registry.call("app:words") == "old"
    assert len(hurdle.passed) == 1


def test_a_call_that_a_reload_outruns_runs_the_code_it_began_with_and_later_ones_the_new(
    project: Path, registry: polycall.Registry, hurdle: Hurdle
) -> None:
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(registry.call, "app:words")
        assert hurdle.reached.wait(PATIENCE_SECONDS)
        (project / "words.lua").write_text(_words("new"))
        assert registry.reload().changed == ("app:words",)
        later = threads.submit(registry.call, "app:words")
        hurdle.may_go_on.set()
        assert (running.result(PATIENCE_SECONDS), later.result(PATIENCE_SECONDS)) == ("old", "new")
    assert registry.call("app:words") == "new"
    assert hurdle.passed == [_words("old"), _words("new")]


def test_a_preparation_that_fails_is_tried_again_when_a_reload_has_mended_the_entry(
    project: Path, registry: polycall.Registry, hurdle: Hurdle
) -> None:
    (project / "words.lua").write_text("no Lua at all")
    registry.reload()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(registry.call, "app:words")
        assert hurdle.reached.wait(PATIENCE_SECONDS)
        (project / "words.lua").write_text(_words("new"))
        registry.reload()
        hurdle.may_go_on.set()
        assert running.result(PATIENCE_SECONDS) == "new"


def test_every_call_that_waits_hears_why_an_entry_cannot_be_prepared(
    project: Path, registry: polycall.Registry, hurdle: Hurdle
) -> None:
    (project / "words.lua").write_text("no Lua at all")
    registry.reload()
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(registry.call, "app:words") for _ in range(3)]
        assert hurdle.reached.wait(PATIENCE_SECONDS)
        hurdle.may_go_on.set()
        failures = [call.exception(PATIENCE_SECONDS) for call in calls]
    assert all(isinstance(failure, polycall.PreparationError) for failure in failures)
    assert len(set(map(id, failures))) == 3  # each has frames of its own


def test_a_registry_that_is_closed_meanwhile_refuses_the_call(registry: polycall.Registry, hurdle: Hurdle) -> None:
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(registry.call, "app:words")
        assert hurdle.reached.wait(PATIENCE_SECONDS)
        registry.close()
        hurdle.may_go_on.set()
        with pytest.raises(polycall.PoolClosedError):
            running.result(PATIENCE_SECONDS)


def test_a_signal_handler_may_call_what_its_thread_is_preparing(
    registry: polycall.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[polycall.Value] = []

    def interrupted(entry: polycall.Entry, index: Index) -> LuaProgram:
        monkeypatch.setattr("polycall.registry.dispatch.runtimes.lua_program", lua_program)
        signal.raise_signal(signal.SIGUSR1)
        return lua_program(entry, index)

    monkeypatch.setattr("polycall.registry.dispatch.runtimes.lua_program", interrupted)
    before = signal.signal(signal.SIGUSR1, lambda *_: answers.append(registry.call("app:words", timeout=9)))
    try:
        assert registry.call("app:words") == "old"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert answers == ["old"]
    assert registry.call("app:words") == "old"
