"""Deadlines and cancellation stop a guest wherever it is; the clock behind them runs only when it must."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from polycall.interop.context import Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, PolycallError
from polycall.interop.limits import LimitsSpec
from polycall.wasm_runtime.engine.epoch_ticker import Clock, EpochTicker
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import call, context, core_in_component, open_runtime, prepare

FUNCTIONS = """
  (func (export "forever") (loop $again (br $again)))
  (func (export "spin") (param i32)
    (loop $again
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $again (local.get 0))))"""
GUESTS = {
    "component": (core_in_component(FUNCTIONS, "forever", 'spin (param "n" u32)'), None),
    "core module": (f"(module {FUNCTIONS})", "forever: func(); spin: func(n: u32)"),
}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


@pytest.fixture(params=list(GUESTS))
def guest(request: pytest.FixtureRequest) -> tuple[str, str | None]:
    return GUESTS[request.param]


def test_an_endless_loop_ends_at_its_deadline(runtime: WasmRuntime, guest: tuple[str, str | None]) -> None:
    instance = prepare(runtime, guest[0], "forever", guest[1]).instantiate()
    started = time.monotonic()
    with pytest.raises(DeadlineError) as caught:
        instance.call([], context(deadline=started + 0.05))
    assert 0.05 <= time.monotonic() - started < 2
    assert caught.value.entry_id == "app:guest"
    assert instance.poisoned


def test_an_endless_loop_ends_when_it_is_cancelled(runtime: WasmRuntime, guest: tuple[str, str | None]) -> None:
    instance = prepare(runtime, guest[0], "forever", guest[1]).instantiate()
    cancellation = Cancellation()
    errors: list[PolycallError] = []

    def run() -> None:
        try:
            instance.call([], context(cancellation=cancellation))
        except PolycallError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    cancellation.cancel()
    thread.join(timeout=10)
    assert [type(error) for error in errors] == [CancelledError]


def test_work_within_the_deadline_is_done(runtime: WasmRuntime, guest: tuple[str, str | None]) -> None:
    instance = prepare(runtime, guest[0], "spin", guest[1]).instantiate()
    for _ in range(3):
        instance.call([20_000_000], context(deadline=time.monotonic() + 60))  # several ticks long
    assert not instance.poisoned


def test_an_instance_serves_guarded_and_unguarded_calls_in_turn(
    runtime: WasmRuntime, guest: tuple[str, str | None]
) -> None:
    instance = prepare(runtime, guest[0], "spin", guest[1]).instantiate()
    for _ in range(3):
        instance.call([1], context(deadline=time.monotonic() + 60))
        call(instance, 5_000_000)
    with pytest.raises(DeadlineError):
        instance.call([0], context(deadline=time.monotonic()))


def test_one_call_that_is_stopped_leaves_the_others_alone(runtime: WasmRuntime, guest: tuple[str, str | None]) -> None:
    endless = prepare(runtime, guest[0], "forever", guest[1]).instantiate()
    working = prepare(runtime, guest[0], "spin", guest[1]).instantiate()
    finished = threading.Event()

    def work() -> None:
        working.call([50_000_000], context(deadline=time.monotonic() + 60))
        finished.set()

    thread = threading.Thread(target=work)
    thread.start()
    with pytest.raises(DeadlineError):
        endless.call([], context(deadline=time.monotonic() + 0.02))
    thread.join(timeout=60)
    assert finished.is_set()


@pytest.mark.parametrize("kind", ["component", "core module"])
def test_a_guest_that_never_finishes_starting_is_stopped(runtime: WasmRuntime, kind: str) -> None:
    core = '(func $start (loop $again (br $again))) (start $start) (func (export "f"))'
    text = core_in_component(core, "f") if kind == "component" else f"(module {core})"
    wit = None if kind == "component" else "f: func()"
    with pytest.raises(DeadlineError) as caught:
        prepare(runtime, text, "f", wit, limits=LimitsSpec(max_execution_ms=50)).instantiate()
    assert caught.value.entry_id == "app:guest"


@pytest.mark.parametrize(
    "fields",
    [
        '(import "s" "t" (table 100000 funcref)) (func $f) ' + f"(elem (i32.const 0) func {'$f ' * 20_000})",
        "(func $f) " + "(global funcref (ref.func $f))" * 20_000,
        '(import "s" "m" (memory 100)) ' + f'(data (i32.const 0) "{"x" * 3_000_000}")' * 2,
    ],
    ids=["elements", "globals", "data"],
)
def test_a_guest_that_takes_long_to_start_without_code_of_its_own_is_stopped(runtime: WasmRuntime, fields: str) -> None:
    cores = '(core instance (instantiate $m (with "s" (instance $s))))' * 900
    text = f"""(component
      (core module $s (table (export "t") 100000 funcref) (memory (export "m") 100)) (core instance $s (instantiate $s))
      (core module $m {fields}) {cores}
      (core module $f (func (export "f"))) (core instance $f (instantiate $f))
      (func (export "f") (canon lift (core func $f "f"))))"""
    function = prepare(runtime, text, "f", limits=LimitsSpec(max_execution_ms=20))
    started = time.monotonic()
    with pytest.raises(DeadlineError, match="the start-up code ran longer"):
        function.instantiate()
    assert time.monotonic() - started < 1


class Ticks:
    """Counts ticks, and lets a test wait for some."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def wait_for(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.count >= count, timeout=10)


def test_the_clock_starts_with_the_first_guarded_call_and_goes_on_for_later_ones() -> None:
    ticks = Ticks()
    ticker = EpochTicker(ticks, Clock())
    assert ticks.count == 0
    ticker.begin()
    assert ticks.wait_for(2)
    ticker.end()
    ticker.begin()
    assert ticks.wait_for(ticks.count + 2)
    ticker.end()
    ticker.close()


def test_the_clock_goes_on_after_its_close_until_the_last_guarded_call_has_ended() -> None:
    ticks = Ticks()
    ticker = EpochTicker(ticks, Clock())
    ticker.begin()
    ticker.close()
    assert ticks.wait_for(ticks.count + 2)
    ticker.end()
    ticker.close()
    stopped_at = ticks.count
    ticker.begin()
    assert ticks.wait_for(stopped_at + 1)
    ticker.end()
    ticker.close()


def test_a_call_that_runs_when_its_runtime_closes_keeps_its_deadline(tmp_path: Path) -> None:
    errors: list[PolycallError] = []
    with open_runtime(tmp_path) as runtime:
        instance = prepare(runtime, GUESTS["core module"][0], "forever", GUESTS["core module"][1]).instantiate()

        def run() -> None:
            try:
                instance.call([], context(deadline=time.monotonic() + 0.1))
            except PolycallError as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        while not runtime._engine.ticker._callers:
            pass
    thread.join(timeout=10)
    assert [type(error) for error in errors] == [DeadlineError]


def test_the_clock_rests_when_no_guarded_call_runs() -> None:
    ticks = Ticks()
    clock = Clock()
    ticker = EpochTicker(ticks, clock)
    ticker.begin()
    assert ticks.wait_for(1)
    ticker.end()
    while not clock.rests:  # at most one tick more
        pass
    resting_at = ticks.count
    ticker.begin()
    assert ticks.wait_for(resting_at + 1)
    ticker.end()
    ticker.close()


def test_many_engines_share_a_clock_which_ends_with_the_last() -> None:
    def clocks() -> int:
        return sum(thread.name == "polycall-epoch" for thread in threading.enumerate())

    before, clock = clocks(), Clock()
    all_ticks = [Ticks() for _ in range(20)]
    tickers = [EpochTicker(ticks, clock) for ticks in all_ticks]
    for ticker in tickers:
        ticker.begin()
    assert all(ticks.wait_for(2) for ticks in all_ticks)
    assert clocks() == before + 1
    for ticker in tickers:
        ticker.end()
        ticker.close()
    assert clocks() == before
