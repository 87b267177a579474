"""The thread that watches sockets and pipes for everybody."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from polycall.interop.io_thread import IoThread, io_thread

SECONDS = 10


@pytest.fixture
def watcher() -> Iterator[IoThread]:
    thread = IoThread()
    yield thread
    end(thread)


def end(thread: IoThread) -> None:
    loop = thread.loop
    loop.call_soon_threadsafe(loop.stop)
    while loop.is_running():
        time.sleep(0.001)
    loop.close()


def settled(thread: IoThread) -> None:
    """Returns when all that was handed to the thread so far is done."""

    async def nothing() -> None:
        return None

    thread.run(nothing()).result(SECONDS)


def fill(descriptor: int) -> None:
    with suppress(BlockingIOError):
        while True:
            os.write(descriptor, bytes(65536))


class Bell:
    def __init__(self) -> None:
        self.rings = 0
        self._rung = threading.Event()

    def ring(self) -> None:
        self.rings += 1
        self._rung.set()

    def wait(self) -> bool:
        return self._rung.wait(SECONDS)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_whoever_watches_is_called_once_when_there_is_something(watcher: IoThread, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    bell = Bell()
    stop = watcher.watch(reader, "read", bell.ring)
    settled(watcher)
    assert not bell.rings
    os.write(writer, b"a")
    assert bell.wait()
    settled(watcher)
    assert bell.rings > 0
    assert bell.rings < 2
    stop()
    stop()
    settled(watcher)
    assert not watcher._watches


def test_many_may_watch_the_same_and_one_that_is_called_off_hears_nothing(
    watcher: IoThread, pipe: tuple[int, int]
) -> None:
    reader, writer = pipe
    bells = [Bell() for _ in range(3)]
    stops = [watcher.watch(reader, "read", bell.ring) for bell in bells]
    stops[1]()
    settled(watcher)
    os.write(writer, b"a")
    assert bells[0].wait()
    assert bells[2].wait()
    settled(watcher)
    assert [bell.rings for bell in bells] == [1, 0, 1]


def test_the_same_call_may_watch_twice_and_is_called_off_one_by_one(watcher: IoThread, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    bell = Bell()
    stops = [watcher.watch(reader, "read", bell.ring) for _ in range(2)]
    stops[0]()
    settled(watcher)
    os.write(writer, b"a")
    assert bell.wait()
    stops[1]()


def test_reading_and_writing_are_watched_apart(watcher: IoThread) -> None:
    here, there = socket.socketpair()
    with here, there:
        reads, writes = Bell(), Bell()
        stop = watcher.watch(here.fileno(), "read", reads.ring)
        watcher.watch(here.fileno(), "write", writes.ring)
        assert writes.wait()
        assert not reads.rings
        there.send(b"a")
        assert reads.wait()
        stop()
        settled(watcher)


def test_a_hang_up_is_heard_on_both_sides(watcher: IoThread, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    heard = Bell()
    watcher.watch(reader, "read", heard.ring)
    settled(watcher)
    os.close(writer)
    assert heard.wait()
    other_reader, other_writer = os.pipe()
    os.set_blocking(other_writer, False)
    fill(other_writer)
    broken = Bell()
    watcher.watch(other_writer, "write", broken.ring)
    settled(watcher)
    assert not broken.rings
    os.close(other_reader)
    assert broken.wait()
    os.close(other_writer)


@pytest.mark.parametrize("what", ["a regular file", "the null device", "a closed descriptor", "no descriptor"])
def test_what_cannot_be_watched_is_ready_at_once(watcher: IoThread, what: str) -> None:
    if what == "a closed descriptor":
        descriptor = os.dup(0)
        os.close(descriptor)
    elif what == "no descriptor":
        descriptor = -1
    else:
        descriptor = os.open(__file__ if what == "a regular file" else os.devnull, os.O_RDONLY)
    bell = Bell()
    watcher.watch(descriptor, "read", bell.ring)
    assert bell.wait()
    settled(watcher)
    assert not watcher._watches
    if descriptor >= 0 and what != "a closed descriptor":
        os.close(descriptor)


@pytest.mark.parametrize("called_off", [True, False])
def test_a_descriptor_may_have_the_number_of_one_that_was_watched_and_closed(
    watcher: IoThread, called_off: bool
) -> None:
    for _ in range(50):
        reader, writer = os.pipe()
        stop = watcher.watch(reader, "read", Bell().ring)
        if called_off:
            stop()
        else:
            settled(watcher)  # it is being watched, and whoever closes it forgets to say so
        os.close(reader)
        os.close(writer)
        again, other = os.pipe()
        assert again == reader
        bell = Bell()
        stop = watcher.watch(again, "read", bell.ring)
        os.write(other, b"a")
        assert bell.wait()
        stop()
        os.close(again)
        os.close(other)


def test_many_threads_watch_and_call_off_at_once(watcher: IoThread) -> None:
    faults: list[str] = []

    def work() -> None:
        for _ in range(100):
            reader, writer = os.pipe()
            bell, spare = Bell(), Bell()
            stops = [watcher.watch(reader, "read", each.ring) for each in (spare, bell)]
            stops[0]()
            os.write(writer, b"a")
            if not bell.wait():
                faults.append("nobody was called")
            stops[1]()
            os.close(reader)
            os.close(writer)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled(watcher)
    assert not faults
    assert not watcher._watches


def test_nothing_that_is_called_off_keeps_the_thread_busy(watcher: IoThread, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"a")  # there for good: nobody reads it
    for _ in range(100):
        bell = Bell()
        stop = watcher.watch(reader, "read", bell.ring)
        assert bell.wait()
        stop()
    settled(watcher)
    before = time.process_time()
    time.sleep(0.2)  # so long the thread has nothing to do
    assert time.process_time() - before < 0.1


def test_coroutines_run_there_and_can_be_cancelled(watcher: IoThread) -> None:
    async def answer() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    assert watcher.run(answer()).result(SECONDS) == "polycall io"
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    future = watcher.run(forever())
    settled(watcher)
    future.cancel()
    assert cancelled.wait(SECONDS)


def test_one_thread_serves_all_and_ends_with_the_process() -> None:
    assert io_thread() is io_thread()
    bell = Bell()
    io_thread().watch(os.open(os.devnull, os.O_RDONLY), "read", bell.ring)
    assert bell.wait()
    (thread,) = [each for each in threading.enumerate() if each.name == "polycall io"]
    assert thread.daemon


def test_a_system_without_threads_left_is_told_of_and_asked_again(
    watcher: IoThread, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    bell = Bell()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            watcher.watch(pipe[0], "read", bell.ring)
    os.write(pipe[1], b"a")
    watcher.watch(pipe[0], "read", bell.ring)
    assert bell.wait()


_FORKS = """
import os, signal, sys, threading
from polycall.interop.io_thread import io_thread

def once():
    reader, writer = os.pipe()
    happened = threading.Event()
    io_thread().watch(reader, "read", happened.set)
    os.write(writer, b"a")
    return happened.wait(10)

assert once()
waiting, other = os.pipe()
late = threading.Event()
io_thread().watch(waiting, "read", late.set)
pid = os.fork()
if not pid:
    signal.alarm(30)
    os._exit(0 if once() and once() and not late.is_set() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
os.write(other, b"a")
assert late.wait(10) and once()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_a_thread_of_its_own_and_leaves_its_parents_alone() -> None:
    subprocess.run([sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", _FORKS],
                   check=True, timeout=60)  # fmt: skip


def test_who_waits_for_no_input_does_not_pay_for_asyncio() -> None:
    code = "import sys, polycall.wasm_runtime.runtime, polycall.registry.registry; sys.exit('asyncio' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
