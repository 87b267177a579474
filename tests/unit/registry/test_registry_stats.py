from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import polycall
from observed_project import observed_project

THREADS = 8
ROUNDS = 100


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[polycall.Registry]:
    with polycall.load(observed_project(tmp_path), metrics=True) as registry:
        yield registry


def test_calls_errors_and_times_are_told_by_entry(registry: polycall.Registry) -> None:
    registry.call("app:ask", "app:same", 1)
    registry.call("app:same", 2)
    for target in (("app:fail", "x"), ("app:ask", "app:fail", "x")):
        with pytest.raises(polycall.GuestError):
            registry.call(*target)
    stats = registry.stats()
    assert {entry_id: (entry.calls, dict(entry.errors)) for entry_id, entry in stats.entries.items()} == {
        "app:ask": (2, {"guest_error": 1}),
        "app:fail": (2, {"guest_error": 2}),
        "app:same": (2, {}),
    }
    assert (stats.calls, stats.errors) == (6, {"guest_error": 3})
    for entry in stats.entries.values():
        assert entry.language == "lua"
        assert entry.latency is not None
        assert entry.latency.count == 2
        assert len(entry.latency.counts) == len(entry.latency.bounds_seconds) + 1
        assert entry.latency.sum_seconds > 0
        assert (entry.pool.size, entry.pool.in_use) == (1, 0)


def test_without_metrics_only_the_times_are_missing(tmp_path: Path) -> None:
    with polycall.load(observed_project(tmp_path)) as registry:
        registry.call("app:same", 1)
        (entry,) = registry.stats().entries.values()
    assert (entry.calls, entry.latency) == (1, None)


def test_a_call_refused_before_it_has_an_instance_counts_too(registry: polycall.Registry) -> None:
    registry.prepare("app:same")
    with pytest.raises(polycall.DeadlineError):
        registry.call("app:same", 1, timeout=0)
    registry.call("app:relay", "app:add", "no numbers")
    entries = registry.stats().entries
    assert (entries["app:same"].calls, entries["app:same"].errors) == (1, {"deadline": 1})
    assert (entries["app:add"].calls, entries["app:add"].errors) == (1, {"conversion": 1})


def test_a_call_that_python_breaks_off_is_counted(registry: polycall.Registry) -> None:
    @registry.function("py:stop")
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        registry.call("py:stop")
    entry = registry.stats().entries["py:stop"]
    assert (entry.calls, entry.errors) == (1, {"interrupted": 1})


def test_figures_cannot_be_changed(registry: polycall.Registry) -> None:
    registry.call("app:same", 1)
    stats = registry.stats()
    with pytest.raises(FrozenInstanceError):
        stats.entries["app:same"].calls = 0  # type: ignore[misc]  # that it cannot be assigned is the point
    with pytest.raises(TypeError):
        stats.entries["app:same"].errors["x"] = 1  # type: ignore[index]  # as above


def test_what_a_pool_makes_at_its_start_is_nobodys_call(tmp_path: Path) -> None:
    folder = observed_project(tmp_path)
    index = folder / "_index.yaml"
    index.write_text(index.read_text("utf-8").replace("method: same", "method: same\n    pool: {workers: 3}"), "utf-8")
    with polycall.load(folder) as registry:
        registry.call("app:same", 1)
        entry = registry.stats().entries["app:same"]
    assert (entry.calls, entry.traffic.asked, entry.pool.made) == (1, 1, 3)


def test_waits_for_an_instance_are_counted_and_measured(tmp_path: Path) -> None:
    folder = observed_project(tmp_path)
    index = folder / "_index.yaml"
    index.write_text(index.read_text("utf-8").replace("method: ask", "method: ask\n    pool: {max_size: 1}"), "utf-8")
    inside, go_on = threading.Event(), threading.Event()
    with polycall.load(folder) as registry, ThreadPoolExecutor(2) as threads:

        @registry.function("py:block")
        def block() -> bool:
            inside.set()
            return go_on.wait(30)

        first = threads.submit(registry.call, "app:ask", "py:block")
        assert inside.wait(30)
        second = threads.submit(registry.call, "app:ask", "app:same", 1)
        while not registry.stats().entries["app:ask"].pool.waiting:
            pass
        go_on.set()
        assert (first.result(30), second.result(30)) == (True, 1)
        traffic = registry.stats().entries["app:ask"].traffic
    assert (traffic.asked, traffic.waited) == (2, 1)
    assert traffic.waited_seconds > 0


def test_counts_add_up_under_threads(registry: polycall.Registry) -> None:
    def work(_: int) -> None:
        for number in range(ROUNDS):
            assert registry.call("app:ask", "app:same", number) == number
            with pytest.raises(polycall.GuestError):
                registry.call("app:ask", "app:fail", "x")
            with pytest.raises(polycall.DeadlineError):
                registry.call("app:same", number, timeout=0)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(THREADS)))
    each = THREADS * ROUNDS
    stats = registry.stats()
    assert {entry_id: (entry.calls, dict(entry.errors)) for entry_id, entry in stats.entries.items()} == {
        "app:ask": (2 * each, {"guest_error": each}),
        "app:fail": (each, {"guest_error": each}),
        "app:same": (2 * each, {"deadline": each}),
    }
    for entry in stats.entries.values():
        assert entry.latency is not None
        assert entry.latency.count == entry.calls
        assert entry.pool.in_use == 0


def test_a_reload_begins_anew_for_what_changed_and_counts_on_for_the_rest(
    tmp_path: Path, registry: polycall.Registry
) -> None:
    file = tmp_path / "_index.yaml"
    for _ in range(2):
        registry.call("app:same", 1)
        registry.call("app:add", 1, 2)
    file.write_text(file.read_text().replace("i32.add", "i32.sub"))
    changes = registry.reload()
    assert "app:add" in changes.changed
    assert "app:same" in changes.kept
    assert set(registry.stats().entries) == {"app:same"}
    assert [registry.call("app:same", 1), registry.call("app:add", 1, 2)] == [1, -1]
    entries = registry.stats().entries
    figures = {name: (entry.calls, entry.latency and entry.latency.count) for name, entry in entries.items()}
    assert figures == {"app:add": (1, 1), "app:same": (3, 3)}
