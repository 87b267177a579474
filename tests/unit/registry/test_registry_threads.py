"""Threads for calls from outside."""

from __future__ import annotations

import _thread
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from polycall.registry.dispatch import threads as module
from polycall.registry.dispatch.threads import Threads


class User:
    """Somebody who has work done."""


@pytest.fixture
def user() -> User:
    return User()


@pytest.fixture
def threads(user: User) -> Iterator[Threads]:
    threads = Threads()
    threads.enter(user)
    yield threads
    threads.leave(user, wait=True)
    assert not threads._alive


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


def test_work_is_done_at_the_same_time_in_threads_of_its_own(threads: Threads) -> None:
    barrier, met = threading.Barrier(11, timeout=60), list[int]()
    for _ in range(10):
        threads.do(lambda: met.append(barrier.wait()))
    met.append(barrier.wait())
    while len(met) < 11:
        pass
    assert sorted(met) == list(range(11))


def test_an_idle_thread_does_what_comes_next(threads: Threads) -> None:
    assert len(idents(threads, 5)) == 1


def test_an_idle_thread_ends_after_a_while(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.0)
    idents(threads, 3)
    while threads._alive:
        pass
    assert not threads._idle
    assert len(idents(threads, 1)) == 1


def test_a_crowd_of_idle_threads_ends_sooner(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_IDLE", 2)
    monkeypatch.setattr(module, "_MOST_IDLE_SOON", 4)
    monkeypatch.setattr(module, "_SOON_SECONDS", 0.0)
    barrier = threading.Barrier(6, timeout=60)
    for _ in range(6):
        threads.do(lambda: (barrier.wait(), None)[1])
    while threads._alive > 2 or len(threads._idle) < 2:
        pass
    assert (threads._alive, len(threads._idle)) == (2, 2)


def test_more_idle_threads_than_the_most_end_at_once(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_IDLE_SOON", 1)
    barrier = threading.Barrier(3, timeout=60)
    for _ in range(3):
        threads.do(lambda: (barrier.wait(), None)[1])
    while threads._alive > 1:
        pass
    assert len(idents(threads, 2)) == 1


def test_threads_end_with_who_needs_them_last(threads: Threads, user: User) -> None:
    other = User()
    threads.enter(other)
    idents(threads, 1)
    threads.leave(other, wait=True)
    assert threads._alive == 1
    threads.leave(user, wait=True)
    assert threads._alive == 0
    threads.enter(user)
    assert len(idents(threads, 2)) == 1


def test_who_leaves_does_not_wait_for_the_threads_of_who_comes(threads: Threads, user: User) -> None:
    working, done, other = threading.Event(), threading.Event(), User()

    def work() -> None:
        working.set()
        done.wait(60)

    threads.do(work)
    assert working.wait(60)
    leaving = threading.Thread(target=threads.leave, args=(user,), kwargs={"wait": True})
    leaving.start()
    while threads._users:
        pass
    leaving.join(0.05)
    assert leaving.is_alive()
    threads.enter(other)
    leaving.join(60)
    assert not leaving.is_alive()
    assert threads._alive
    threading.Timer(0.05, done.set).start()
    threads.leave(other, wait=True)  # whoever is the last waits, as before
    assert done.is_set()


def test_who_is_forgotten_needs_none(threads: Threads, user: User) -> None:
    threads.enter(User())
    threads.leave(user, wait=True)


def test_a_thread_that_works_ends_when_its_work_is_done(threads: Threads, user: User) -> None:
    go = threading.Event()

    def work() -> None:
        assert go.wait(60)

    threads.do(work)
    threads.leave(user, wait=False)
    assert threads._alive == 1
    go.set()
    threads.end()
    assert threads._alive == 0


def test_a_system_without_threads_left_counts_none(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    with pytest.raises(RuntimeError):
        threads.do(lambda: None)
    assert not threads._begun


@pytest.mark.parametrize("begun", [False, True])
def test_ctrl_c_while_a_thread_begins_leaves_neither_work_nor_a_thread_too_many(
    threads: Threads, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    begin, done = _thread.start_new_thread, list[int]()

    def interrupted(serve: Callable[[Threads], None], given: tuple[Threads]) -> None:
        if begun:
            begin(serve, given)
            while threads._begun:  # it has taken the work
                pass
        raise KeyboardInterrupt

    monkeypatch.setattr(_thread, "start_new_thread", interrupted)
    with pytest.raises(KeyboardInterrupt):
        threads.do(lambda: done.append(1))
    threads.end()
    assert (done, threads._alive, list(threads._begun)) == ([1] * begun, 0, [])
    threads.serve()  # a thread whose work was taken back
    assert threads._alive == 0


def test_an_idle_thread_keeps_nothing_of_its_work(threads: Threads) -> None:
    class Large:
        pass

    large, done = Large(), threading.Event()
    kept = weakref.ref(large)
    threads.do(partial(lambda _large: done.set(), large))
    del large
    assert done.wait(60)
    while not threads._idle:
        pass
    assert kept() is None


def test_debuggers_see_these_threads(threads: Threads) -> None:
    seen, profiled = list[str](), list[str]()
    threading.settrace(lambda frame, _event, _argument: seen.append(frame.f_code.co_name))
    threading.setprofile(lambda frame, _event, _argument: profiled.append(frame.f_code.co_name))
    done = threading.Event()

    def told() -> None:
        done.set()

    try:
        threads.do(told)
        assert done.wait(60)
    finally:
        threading.settrace(None)
        threading.setprofile(None)
    assert "told" in seen
    assert "told" in profiled


def test_python_does_not_end_below_a_guest() -> None:
    code = """
    import time
    from polycall.registry.dispatch.threads import THREADS

    THREADS.do(lambda: (time.sleep(0.2), print("done", flush=True)))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr, run.returncode) == ("done\n", "", 0)
