"""Calls of `call_async`: those that wait give their place away; what becomes of them when something ends."""

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

import polycall
from polycall.registry.dispatch import starting_gate
from polycall.registry.dispatch import threads as threads_module
from polycall.registry.dispatch.answers import Answers
from polycall.registry.dispatch.async_calls import AsyncCalls
from projects import REPOSITORY
from wasi_guests import SLEEPER, wasi_project

FOREVER = 10**15
GUEST = "app:guest"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return wasi_project(tmp_path, SLEEPER, "sleep", "wasi:clocks", "wasi:io", more="    pool: {type: inline}\n")


@pytest.fixture
def registry(project: Path) -> Iterator[polycall.Registry]:
    with polycall.load(project) as registry:
        registry.call(GUEST, 0)
        yield registry


def calls_of(registry: polycall.Registry) -> AsyncCalls:
    return registry._more()._threads


async def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(0.005)


def sleepers(registry: polycall.Registry, count: int, nanoseconds: int = FOREVER) -> list[asyncio.Task[polycall.Value]]:
    return [asyncio.create_task(registry.call_async(GUEST, nanoseconds)) for _ in range(count)]


def all_wait(calls: AsyncCalls, count: int) -> Callable[[], bool]:
    return lambda: (calls._on_threads, calls._running) == (count, 0)


async def cancelled(tasks: list[asyncio.Task[polycall.Value]]) -> None:
    for task in tasks:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}


def test_a_thousand_guests_wait_at_the_same_time_and_all_can_be_cancelled(
    registry: polycall.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads_module, "_SOON_SECONDS", 0.0)
    calls = calls_of(registry)

    async def many() -> None:
        tasks = sleepers(registry, 1000)
        await until(all_wait(calls, 1000))
        assert not any(task.done() for task in tasks)
        await cancelled(tasks)
        await until(all_wait(calls, 0))
        await until(lambda: calls._threads._alive <= 64)  # a thousand stacks are given back
        assert await registry.call_async(GUEST, 0) is None

    asyncio.run(many())


def test_a_call_that_waits_keeps_few_objects_for_the_collector_to_look_at(registry: polycall.Registry) -> None:
    count = 50

    async def many() -> int:
        await registry.call_async(GUEST, 0)  # loads what the first of them needs
        gc.collect()
        before = len(gc.get_objects())
        tasks = sleepers(registry, count)
        await until(all_wait(calls_of(registry), count))
        gc.collect()
        kept = len(gc.get_objects()) - before
        await cancelled(tasks)
        return kept

    assert asyncio.run(many()) / count < 110  # 64 with Python 3.11


def test_results_that_are_there_together_wake_the_loop_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        outcomes = [loop.create_future() for _ in range(3)]
        answers = Answers(loop)
        with mock.patch.object(loop, "call_soon_threadsafe", wraps=loop.call_soon_threadsafe) as wake:
            answers.give(outcomes[0], "one")
            answers.fail(outcomes[1], KeyError("two"))
            assert await outcomes[0] == "one"
            with pytest.raises(KeyError, match="two"):
                await outcomes[1]
            assert wake.call_count == 1
            answers.give(outcomes[2], "three")
            assert await outcomes[2] == "three"
            assert wake.call_count == 2

    asyncio.run(main())


def test_of_those_that_do_not_wait_64_run_at_a_time_however_many_wait(registry: polycall.Registry) -> None:
    calls = calls_of(registry)
    lock, go = threading.Lock(), threading.Event()
    here: list[int] = []
    most = 0

    @registry.function("py:busy")
    def busy() -> None:
        nonlocal most
        with lock:
            here.append(1)
            most = max(most, len(here))
        go.wait(60)
        with lock:
            here.pop()

    async def both() -> None:
        waiting = sleepers(registry, 100)
        await until(all_wait(calls, 100))
        running = [asyncio.create_task(registry.call_async("py:busy")) for _ in range(150)]
        await until(lambda: len(here) == 64)
        await asyncio.sleep(0.05)  # more of them would be here by now
        assert (calls._running, len(calls._queued)) == (64, 86)
        go.set()
        await asyncio.gather(*running)
        assert not any(task.done() for task in waiting)
        await cancelled(waiting)

    asyncio.run(both())
    assert most == 64


def test_calls_that_block_where_nobody_sees_it_all_begin_after_a_crowd_that_waits(registry: polycall.Registry) -> None:
    calls = calls_of(registry)
    together = threading.Barrier(64)
    registry.function("py:meet")(lambda: together.wait(60) >= 0)

    async def both() -> None:
        waiting = sleepers(registry, 100)
        await until(all_wait(calls, 100))
        assert calls._gate._width == 2
        assert await asyncio.gather(*(registry.call_async("py:meet") for _ in range(64))) == [True] * 64
        assert calls._gate._width == 64
        await cancelled(waiting)

    asyncio.run(both())


def test_calls_of_a_loop_that_stands_still_begin_as_others_do(registry: polycall.Registry) -> None:
    together = threading.Barrier(10)
    registry.function("py:meet")(lambda: together.wait(60) >= 0)
    calls_of(registry)._gate._width = 2
    tasks: list[asyncio.Future[polycall.Value]] = []

    async def begin() -> None:
        tasks.extend(asyncio.ensure_future(registry.call_async("py:meet")) for _ in range(5))
        await asyncio.sleep(0)  # and from here on nobody runs the loop

    async def meet() -> list[polycall.Value]:
        return await asyncio.gather(*(registry.call_async("py:meet") for _ in range(5)))

    with asyncio.Runner() as first:
        first.run(begin())
        with concurrent.futures.ThreadPoolExecutor(1) as other:
            assert other.submit(asyncio.run, meet()).result(60) == [True] * 5
        first.run(asyncio.wait(tasks))
    assert [task.result() for task in tasks] == [True] * 5


def test_calls_that_are_given_up_in_the_queue_leave_it_and_do_not_say_how_long_calls_take(
    registry: polycall.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting_gate, "LONG_SECONDS", 60)
    calls, end = calls_of(registry), threading.Event()
    registry.function("py:hold")(lambda: end.wait(60))
    calls._gate._width = 2

    async def two_and_others() -> None:
        first = [asyncio.create_task(registry.call_async("py:hold")) for _ in range(2)]
        others = [asyncio.create_task(registry.call_async("py:hold")) for _ in range(5)]
        await until(lambda: len(calls._queued) == 5)
        await cancelled(others)
        end.set()
        assert await asyncio.gather(*first) == [True, True]
        await until(all_wait(calls, 0))

    asyncio.run(two_and_others())
    assert not calls._queued
    assert calls._gate._width == 8


@pytest.mark.parametrize("how", ["deadline", "cancelled"])
def test_what_was_given_up_behind_a_call_that_waits_for_a_place_does_not_pile_up(
    registry: polycall.Registry, how: str
) -> None:
    calls, end = calls_of(registry), threading.Event()
    registry.function("py:hold")(lambda: end.wait(60))

    async def crowds() -> None:
        running = [asyncio.create_task(registry.call_async("py:hold")) for _ in range(65)]  # one more than places
        await until(lambda: (calls._running, len(calls._queued)) == (64, 1))
        for _ in range(10):
            timeout, before = (0.001 if how == "deadline" else None), len(calls._queued)
            crowd = [asyncio.create_task(registry.call_async("py:hold", timeout=timeout)) for _ in range(100)]
            if how == "cancelled":
                await until(lambda: len(calls._queued) == before + 100)  # noqa: B023  # it is awaited here
                await cancelled(crowd)
            outcomes = await asyncio.gather(*crowd, return_exceptions=True)
            assert not any(isinstance(each, bool) for each in outcomes)
            assert len(calls._queued) < 250
        end.set()
        assert await asyncio.gather(*running) == [True] * 65

    asyncio.run(crowds())
    assert not calls._queued


def test_the_threads_of_calls_have_the_stack_that_they_are_said_to_have(registry: polycall.Registry) -> None:
    from polycall.interop.native_stack import stack_of_this_thread
    from polycall.interop.stack import WORK_STACK_BYTES

    registry.function("py:stack")(lambda: stack_of_this_thread()[1])
    usual = threading.stack_size(256 * 1024)
    try:
        assert asyncio.run(registry.call_async("py:stack", returns=int)) >= WORK_STACK_BYTES
        assert threading.stack_size() == 256 * 1024
    finally:
        threading.stack_size(usual)


def test_guests_that_wake_up_come_to_their_end(registry: polycall.Registry) -> None:
    async def many() -> None:
        assert await asyncio.gather(*sleepers(registry, 300, 20_000_000)) == [None] * 300
        await until(all_wait(calls_of(registry), 0))

    asyncio.run(many())


def test_a_waiting_guest_ends_with_its_deadline(registry: polycall.Registry) -> None:
    async def late() -> None:
        started = time.monotonic()
        tasks = [asyncio.create_task(registry.call_async(GUEST, FOREVER, timeout=0.2)) for _ in range(100)]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert time.monotonic() - started < 2  # alone on a machine 0.21
        for outcome in outcomes:
            assert isinstance(outcome, polycall.DeadlineError)
        assert "while it waited for a point in time" in str(outcomes[0])
        await until(all_wait(calls_of(registry), 0))

    asyncio.run(late())


def test_closing_a_registry_ends_the_waits_of_its_guests(project: Path) -> None:
    registry = polycall.load(project)
    registry.call(GUEST, 0)

    async def close() -> list[object]:
        tasks = sleepers(registry, 100)
        await until(all_wait(calls_of(registry), 100))
        await asyncio.to_thread(registry.close)
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    with concurrent.futures.ThreadPoolExecutor(1) as elsewhere:
        direct = elsewhere.submit(registry.call, GUEST, FOREVER)
        outcomes = asyncio.run(close())
        outcomes.append(direct.exception(30))
    for outcome in outcomes:
        assert isinstance(outcome, polycall.PoolClosedError)
    assert "the registry was closed while the call waited for a point in time" in str(outcomes[0])


def test_closing_a_registry_ends_the_waits_of_guests_in_workers_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    index = (
        "version: '1.0'\nnamespace: more\nentries:\n  - name: busy\n    kind: function.lua\n    isolation: process\n"
    )
    lua = "    modules: [funcs]\n    source: |\n      local funcs = require('funcs')\n"
    body = "      return { f = function() funcs.call('py:begun') for i = 1, 3e7 do end return 'ended' end }\n"
    (tmp_path / "more" / "_index.yaml").write_text(index + lua + body + "    method: f\n")
    wasi_project(tmp_path, SLEEPER, "sleep", "wasi:clocks", "wasi:io", more="    isolation: process\n")
    begun = threading.Event()
    registry = polycall.load(tmp_path)
    registry.function("py:begun")(begun.set)
    registry.call(GUEST, 0)
    registry.call("more:busy")
    begun.clear()
    observer = Begun()
    with concurrent.futures.ThreadPoolExecutor(2) as elsewhere:
        busy = elsewhere.submit(registry.call, "more:busy")
        waiting = elsewhere.submit(registry.call, GUEST, FOREVER, observer=observer)
        assert begun.wait(60)
        assert observer.begun.wait(60)
        registry.close()
        error = waiting.exception(60)
        assert isinstance(error, polycall.PoolClosedError), error
        assert "the registry was closed while the call waited for a point in time" in str(error)
        assert busy.result(60) == "ended"


class Begun:
    """An observer that says that a call has begun."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def start(self, _context: object, _arguments: object) -> Callable[[object], None]:
        self.begun.set()
        return lambda _outcome: None


_LUA = """
version: '1.0'
namespace: app
entries:
  - name: guest
    kind: function.lua
    isolation: {isolation}
    modules: [time]
    source: |
      local time = require("time")
      return {{ sleep = function(nanoseconds) while true do time.sleep(nanoseconds) end end }}
    method: sleep
    pool: {{type: inline}}
"""


@pytest.mark.parametrize("isolation", ["none", "sandbox"])
def test_lua_guests_that_sleep_give_their_places_and_end_with_the_registry(tmp_path: Path, isolation: str) -> None:
    (tmp_path / "_index.yaml").write_text(_LUA.format(isolation=isolation))
    registry = polycall.load(tmp_path)

    async def close() -> list[object]:
        tasks = sleepers(registry, 70)
        await until(all_wait(calls_of(registry), 70))
        await asyncio.to_thread(registry.close)
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    for outcome in asyncio.run(close()):
        assert isinstance(outcome, polycall.PoolClosedError)
        assert "the registry was closed while the call waited for time.sleep" in str(outcome)


def test_a_lua_guest_that_sleeps_in_a_worker_ends_with_the_registry(tmp_path: Path) -> None:
    (tmp_path / "_index.yaml").write_text(_LUA.format(isolation="process"))
    registry, observer = polycall.load(tmp_path), Begun()
    with pytest.raises(polycall.DeadlineError):
        registry.call(GUEST, 1_000_000, timeout=1)  # the worker is there
    with concurrent.futures.ThreadPoolExecutor(1) as elsewhere:
        waiting = elsewhere.submit(registry.call, GUEST, FOREVER, observer=observer)
        assert observer.begun.wait(60)
        registry.close()
        error = waiting.exception(60)
    assert isinstance(error, polycall.PoolClosedError), error


def test_a_reload_lets_what_waits_go_on(registry: polycall.Registry, project: Path) -> None:
    async def reload() -> None:
        tasks = sleepers(registry, 10, 200_000_000)
        await until(all_wait(calls_of(registry), 10))
        index = project / "_index.yaml"
        index.write_text(index.read_text().replace("type: inline", "type: lazy"))
        assert registry.reload().changed == (GUEST,)
        assert await asyncio.gather(*tasks) == [None] * 10

    asyncio.run(reload())


@pytest.mark.parametrize("threads", ["its own", "threads of its own making"])
def test_calls_that_python_functions_make_keep_the_count_of_places(registry: polycall.Registry, threads: str) -> None:
    import contextvars

    calls = calls_of(registry)

    @registry.function("py:nested")
    def nested() -> None:
        if threads == "its own":

            async def several() -> None:
                await asyncio.gather(*(registry.call_async(GUEST, 10_000_000) for _ in range(3)))

            asyncio.run(several())
            return
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            context = contextvars.copy_context
            list(pool.map(lambda each: each.run(registry.call, GUEST, 10_000_000), [context() for _ in range(3)]))

    least = 0

    async def many() -> None:
        nonlocal least
        tasks = [asyncio.create_task(registry.call_async("py:nested")) for _ in range(100)]
        while not all(task.done() for task in tasks):
            least = min(least, calls._running)
            await asyncio.sleep(0.001)
        await asyncio.gather(*tasks)
        await until(all_wait(calls, 0))

    asyncio.run(many())
    assert least == 0


def test_a_system_without_threads_left_fails_the_call_or_makes_it_wait(
    registry: polycall.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    async def nothing() -> None:
        monkeypatch.setattr(_thread, "start_new_thread", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await registry.call_async(GUEST, 0)
        monkeypatch.undo()
        first = asyncio.create_task(registry.call_async(GUEST, 50_000_000))
        await until(all_wait(calls_of(registry), 1))
        monkeypatch.setattr(_thread, "start_new_thread", refuse)
        second = asyncio.create_task(registry.call_async(GUEST, 0))  # on the thread of the first
        assert await asyncio.wait_for(first, 60) is None
        assert await asyncio.wait_for(second, 60) is None
        monkeypatch.undo()
        await until(all_wait(calls_of(registry), 0))

    asyncio.run(nothing())


_FORK = """
import asyncio, os, signal, sys, threading
import polycall

registry = polycall.load(sys.argv[1])
GUEST, FOREVER = "app:guest", 10**15
calls = registry._more()._threads

async def waiting(count):
    tasks = [asyncio.create_task(registry.call_async(GUEST, FOREVER)) for _ in range(count)]
    while (calls._on_threads, calls._running) != (count, 0):
        await asyncio.sleep(0.005)
    return tasks

async def parent():
    tasks = await waiting(70)
    pid = os.fork()
    if not pid:
        signal.alarm(60)
        code = 1
        try:
            done = []  # in a thread of its own: in this one runs the loop of the parent
            thread = threading.Thread(target=lambda: done.append(asyncio.run(child())))
            thread.start()
            thread.join()
            code = 0 if done == [True] else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

async def child():
    assert await asyncio.gather(*(registry.call_async(GUEST, 1000000) for _ in range(100))) == [None] * 100
    tasks = await waiting(70)
    await asyncio.to_thread(registry.close)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    return all(isinstance(each, polycall.PoolClosedError) for each in outcomes)

registry.call(GUEST, 0)
asyncio.run(parent())
registry.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_counts_anew_while_its_parents_guests_wait(project: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_FORK), str(project)], check=True, timeout=120, cwd=REPOSITORY
    )


def test_no_call_begins_on_a_thread_of_a_registry_that_was_closed_before_it_had_any(project: Path) -> None:
    registry = polycall.load(project)
    registry.close()
    with pytest.raises(polycall.PoolClosedError, match="the registry is closed"):
        asyncio.run(registry.call_async(GUEST, 0))
