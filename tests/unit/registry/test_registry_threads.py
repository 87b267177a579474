"""Threads for calls from outside."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import pytest

from polycall.registry.dispatch import threads as module
from polycall.registry.dispatch.threads import Threads


def ended(threads: Threads) -> bool:
    threads.close()
    return threads._none_left.wait(60)


def idents(threads: Threads, count: int) -> set[int]:
    """Has pieces of work done one after the other, and returns which threads did them."""
    found = set()
    for _ in range(count):
        done = threading.Event()

        def work(done: threading.Event = done) -> None:
            found.add(threading.get_ident())
            done.set()

        threads.do(work)
        assert done.wait(60)
        while not threads._idle and threads._alive:
            pass
    return found


def test_work_is_done_at_the_same_time_in_threads_of_its_own() -> None:
    threads, barrier, met = Threads(), threading.Barrier(10, timeout=60), list[int]()
    for _ in range(10):
        threads.do(lambda: met.append(barrier.wait()))
    assert ended(threads)
    assert sorted(met) == list(range(10))


def test_an_idle_thread_does_what_comes_next() -> None:
    threads = Threads()
    assert len(idents(threads, 5)) == 1
    assert ended(threads)


def test_an_idle_thread_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.0)
    threads = Threads()
    idents(threads, 3)
    while threads._alive:
        pass
    assert not threads._idle
    assert len(idents(threads, 1)) == 1
    assert ended(threads)


def test_a_thread_that_works_ends_when_its_work_is_done() -> None:
    threads, go, here = Threads(), threading.Event(), list[bool]()

    def work() -> None:
        go.wait(60)
        here.append(threads.here)

    threads.do(work)
    threads.close()
    assert not threads._none_left.is_set()
    go.set()
    threads.wait()
    assert here == [True]
    assert not threads.here


def test_debuggers_see_these_threads() -> None:
    threads, seen, profiled = Threads(), list[str](), list[str]()
    threading.settrace(lambda frame, _event, _argument: seen.append(frame.f_code.co_name))
    threading.setprofile(lambda frame, _event, _argument: profiled.append(frame.f_code.co_name))
    try:

        def told() -> None: ...

        threads.do(told)
        assert ended(threads)
    finally:
        threading.settrace(None)
        threading.setprofile(None)
    assert "told" in seen
    assert "told" in profiled


def test_python_does_not_end_below_a_guest() -> None:
    code = """
    import time
    from polycall.registry.dispatch.threads import Threads

    threads = Threads()
    threads.do(lambda: (time.sleep(0.2), print("done", flush=True)))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True, timeout=60
    )
    assert (run.stdout, run.stderr, run.returncode) == ("done\n", "", 0)
