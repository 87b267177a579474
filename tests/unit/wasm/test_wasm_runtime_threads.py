"""A runtime and its functions are shared by threads; results and errors never cross from one call to another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from polycall.interop.context import CallContext
from polycall.interop.errors import GuestError, PolycallError, TrapError
from polycall.interop.values import Value
from wasm_guests import FUNCS_CALLER, FakeInvoker, context, core_in_component, open_runtime, prepare

THREADS = 8
ROUNDS = 60


def in_threads(work: Callable[[int], None]) -> None:
    """Runs work(index) in all threads at once and raises the first failure."""
    barrier = threading.Barrier(THREADS)
    failures: list[BaseException] = []

    def run(index: int) -> None:
        barrier.wait()
        try:
            work(index)
        except BaseException as failure:  # noqa: BLE001 - it is raised in the test's own thread
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_good_failing_and_trapping_calls_never_see_each_others_results(tmp_path: Path) -> None:
    def answer(payload: str | bytes, caller: CallContext) -> Value:
        text = str(payload)
        if text.startswith("bad"):
            raise GuestError(f"refused {text}")
        return f"done {text}"

    with open_runtime(tmp_path, FakeInvoker(target=answer)) as runtime:
        relay = prepare(runtime, FUNCS_CALLER, "relay-string", grants=("funcs",))
        trap = prepare(runtime, FUNCS_CALLER, "relay-or-trap", grants=("funcs",))

        def work(index: int) -> None:
            instance = relay.instantiate()
            for round_ in range(ROUNDS):
                mine = f"{index}-{round_}"
                frame = context(deadline=time.monotonic() + 60) if round_ % 2 else context()
                assert instance.call(["app:target", mine], frame) == {"ok": f"done {mine}"}
                assert instance.call(["app:target", f"bad {mine}"], frame) == {"err": f"refused bad {mine}"}
                trapping = trap.instantiate()
                with pytest.raises(TrapError, match=f"^refused bad {mine}; then, in "):
                    trapping.call(["app:target", f"bad {mine}"], frame)
                trapping.close()

        in_threads(work)


def test_instances_are_made_and_called_by_any_thread(tmp_path: Path) -> None:
    text = core_in_component(
        '(func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))',
        'double (param "n" u32) (result u32)',
    )
    with open_runtime(tmp_path) as runtime:
        function = prepare(runtime, text, "double")
        shared = [function.instantiate() for _ in range(THREADS)]

        def work(index: int) -> None:
            for number in range(ROUNDS):
                instance = shared[(index + number) % THREADS] if number == 0 else function.instantiate()
                assert instance.call([number], context()) == 2 * number

        in_threads(work)


def test_two_guests_compute_at_the_same_time(tmp_path: Path) -> None:
    text = core_in_component(
        """(global $seen (mut i32) (i32.const 0))
        (func (export "forever") (loop $again (br $again)))""",
        "forever",
    )
    running = threading.Barrier(2)
    ended: list[PolycallError] = []
    with open_runtime(tmp_path) as runtime:
        function = prepare(runtime, text, "forever")

        def run(instance_index: int) -> None:
            instance = function.instantiate()
            running.wait()
            try:
                instance.call([], context(deadline=time.monotonic() + 0.1))
            except PolycallError as error:
                ended.append(error)

        started = time.monotonic()
        threads = [threading.Thread(target=run, args=(index,)) for index in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # One after the other they could still end together, at their deadlines; that both end at all, while the other
        # loops without giving anything up, is what shows that neither holds the interpreter.
        assert len(ended) == 2
        assert time.monotonic() - started < 5
