from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import polycall
from polycall.interop.errors import GuestError, PolycallError
from polycall.registry.dispatch.bulk import in_bulk
from projects import write_project

INDEX = """
namespace: app
entries:
  - {name: double, kind: function.lua, method: f, source: "return { f = function(n) return 2 * n end }"}
  - {name: add, kind: function.lua, method: f, source: "return { f = function(a, b) return a + b end }"}
  - {name: odd, kind: function.lua, method: f,
     source: "return { f = function(n) if n % 2 == 0 then error('even') end return n end }"}
  - name: meet
    kind: function.lua
    modules: [funcs]
    source: |
      return { f = function()
        local met, err = require("funcs").call("py:meet")
        return met, err
      end }
    method: f
  - {name: forever, kind: function.lua, method: f, source: "return { f = function() while true do end end }"}
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[polycall.Registry]:
    with polycall.load(write_project(tmp_path, index=INDEX)) as loaded:
        yield loaded


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_items(registry: polycall.Registry, workers: int) -> None:
    assert list(registry.map("app:double", range(1_000), workers=workers)) == list(range(0, 2_000, 2))
    assert list(registry.map("app:double", [], workers=workers)) == []


def test_an_item_is_one_argument_unless_it_is_spread(registry: polycall.Registry) -> None:
    @registry.function("py:seen")
    def seen(*arguments: object) -> object:
        return list(arguments)

    assert list(registry.map("py:seen", [[1, 2], {"a": 1}])) == [[[1, 2]], [{"a": 1}]]
    assert list(registry.map("app:add", [(1, 2), [3, 4]], spread=True)) == [3, 7]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_comes_after_the_results_before_it_and_says_which_item_it_was(
    registry: polycall.Registry, workers: int
) -> None:
    results = registry.map("app:odd", [1, 3, 4, 5], workers=workers)
    assert (next(results), next(results)) == (1, 3)
    with pytest.raises(GuestError, match="even") as caught:
        next(results)
    assert caught.value.__notes__ == ["item 2"]


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_may_stand_in_the_place_of_results(registry: polycall.Registry, workers: int) -> None:
    first, second, third = registry.map("app:odd", [1, 2, 3], workers=workers, keep_going=True)
    assert (first, third) == (1, 3)
    assert isinstance(second, PolycallError)
    assert second.code == "guest_error"


@pytest.mark.parametrize("workers", [1, 4])
def test_endless_items_are_read_no_further_ahead_than_is_said(registry: polycall.Registry, workers: int) -> None:
    read = itertools.count()
    results = registry.map("app:double", read, workers=workers)
    assert [next(results) for _ in range(100)] == list(range(0, 200, 2))
    results.close()
    assert next(read) <= 100 + (0 if workers == 1 else 64 * workers)


def test_two_workers_are_in_two_guests_at_the_same_time(registry: polycall.Registry) -> None:
    meeting = threading.Barrier(2)
    registry.function("py:meet")(lambda: meeting.wait(30) >= 0)
    assert list(registry.map("app:meet", [1, 2], workers=2)) == [True, True]


def test_limits_and_callees_are_those_of_each_call(registry: polycall.Registry) -> None:
    registry.function("py:meet")(lambda: 1)
    allowed, refused = (
        list(
            registry.map(
                "app:meet", [1, 2], workers=2, calls=callees, limits={"max_output_bytes": 100}, keep_going=True
            )
        )
        for callees in (["py:*"], ["app:*"])
    )
    assert allowed == [1, 1]
    assert all(isinstance(error, polycall.PolycallError) and "app:*" in str(error) for error in refused)
    with pytest.raises(ValueError, match="max_speed"):
        registry.map("app:meet", [], limits={"max_speed": 1})


def test_unordered_results_do_not_wait_for_each_other(registry: polycall.Registry) -> None:
    go_on = threading.Event()

    @registry.function("py:wait")
    def wait(number: int) -> int:
        if number == 0:
            assert go_on.wait(30)
        return number

    results = registry.map("py:wait", range(5), workers=2, unordered=True)
    assert {next(results) for _ in range(4)} == {1, 2, 3, 4}
    go_on.set()
    assert list(results) == [0]


def test_items_that_come_slowly_hold_back_no_outcome() -> None:
    done, taken = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 0
        assert done.wait(30)
        started = time.perf_counter()
        while time.perf_counter() - started < 0.01:  # until the outcome is there
            threading.Event().wait(0.001)
        yield 1
        assert taken.is_set()

    def work(number: int) -> int:
        done.set()
        return number

    outcomes = in_bulk(work, items(), workers=2)
    assert next(outcomes).result == 0
    taken.set()
    assert [outcome.result for outcome in outcomes] == [1]


def test_closing_ends_calls_that_have_a_timeout(registry: polycall.Registry) -> None:
    started = threading.Event()
    ends: list[PolycallError] = []

    @registry.function("py:or_forever")
    def or_forever(number: int) -> Any:
        if not number:
            return number
        started.set()
        try:
            return registry.call("app:forever")
        except PolycallError as error:
            ends.append(error)
            raise

    results = registry.map("py:or_forever", range(10), workers=2, timeout=60)
    assert next(results) == 0
    assert started.wait(30)
    results.close()
    assert {error.code for error in ends} == {"cancelled"}


def test_a_generator_that_nobody_closes_keeps_no_process_from_its_end(tmp_path: Path) -> None:
    script = (
        f"import polycall; registry = polycall.load({str(write_project(tmp_path, index=INDEX))!r}); "
        "results = registry.map('app:double', iter(range(10_000)), workers=2); print(next(results))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("workers", [1, 2])
def test_whatever_a_function_raises_comes_out(registry: polycall.Registry, workers: int) -> None:
    registry.function("py:exit")(lambda _number: sys.exit(3))
    with pytest.raises(SystemExit):
        list(registry.map("py:exit", range(5), workers=workers, keep_going=True))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_reading_items_raises_is_raised(registry: polycall.Registry, workers: int) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(registry.map("app:double", items(), workers=workers))


def test_calls_of_a_python_function_are_part_of_its_chain(registry: polycall.Registry) -> None:
    @registry.function("py:all")
    def all_of() -> object:
        return list(registry.map("py:deeper", range(2), workers=2, keep_going=False))

    @registry.function("py:deeper")
    def deeper(number: int) -> object:
        raise ValueError(str(number))

    with pytest.raises(GuestError) as caught:
        registry.call("py:all")
    assert [frame.entry_id for frame in caught.value.frames] == ["py:all", "py:deeper"]


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (lambda registry: registry.map("app:double", [], workers=0), ValueError),
        (lambda registry: registry.map("app:double", [], timeout=-1), ValueError),
        (lambda registry: registry.map(5, []), TypeError),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_read(
    registry: polycall.Registry, wrong: Callable[[Any], object], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        wrong(registry)
