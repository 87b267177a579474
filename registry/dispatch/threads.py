"""Threads for calls from outside: begun when they are needed, kept for a while."""

from __future__ import annotations

import _thread
import atexit
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from weakref import WeakSet

from polycall.interop.forks import new_lock, watch_forks

__all__ = ["Threads"]

Work = Callable[[], None]

_IDLE_SECONDS = 10.0
_MOST_IDLE = 64
"""Threads that are kept for the next work. Each has its stack, and as much of its memory as it has used."""


class Threads:
    """Does each piece of work in a thread of its own: an idle one, or else a new one.

    They are begun by `_thread`. `threading.Thread.start` waits until the new thread runs, which takes two turns with
    the interpreter's lock: of a thousand calls that begin at the same time, that alone takes longer than all the rest.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._idle: list[SimpleQueue[Work | None]] = []
        self._closed = False
        self._alive = 0
        self._none_left = threading.Event()
        self._here = threading.local()
        self._generation = object()
        watch_forks(self)
        _ALL.add(self)

    def do(self, work: Work) -> None:
        """Begins a piece of work, which must not raise.

        Raises:
            RuntimeError: The system gives no thread more.
        """
        with self._lock:
            if self._idle:
                self._idle.pop().put(work)
                return
            self._alive += 1
            try:
                _thread.start_new_thread(self._serve, (work, self._generation))
            except BaseException:
                self._alive -= 1
                raise

    def _serve(self, work: Work | None, generation: object) -> None:
        _watch_like_a_thread()
        self._here.ours = True
        given: SimpleQueue[Work | None] = SimpleQueue()
        while work is not None:
            work()
            work = None  # which may hold much
            if generation is not self._generation:  # the work forked, and this is the child
                return
            if self._park(given):
                work = self._wait(given)
        with self._lock:
            self._alive -= 1
            self._tell_if_none_left()

    def _park(self, given: SimpleQueue[Work | None]) -> bool:
        with self._lock:
            kept = not self._closed and len(self._idle) < _MOST_IDLE
            if kept:
                self._idle.append(given)
            return kept

    def _wait(self, given: SimpleQueue[Work | None]) -> Work | None:
        with suppress(Empty):
            return given.get(timeout=_IDLE_SECONDS)
        with self._lock:
            if given in self._idle:
                self._idle.remove(given)
                return None
        return given.get()  # it came at this very moment

    def _tell_if_none_left(self) -> None:
        if self._closed and not self._alive:
            self._none_left.set()

    @property
    def here(self) -> bool:
        """Whether the running thread is one of these."""
        return hasattr(self._here, "ours")

    def close(self) -> None:
        """Ends the idle threads now, and the others when their work is done; harmless when repeated."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().put(None)
            self._tell_if_none_left()

    def wait(self) -> None:
        """Waits until all threads have ended, after `close`."""
        self._none_left.wait()

    def after_fork(self) -> None:
        """Forgets the threads, which a forked child does not have."""
        self._idle = []
        self._alive = 0
        self._generation = object()
        if self._closed:
            self._none_left.set()


def _watch_like_a_thread() -> None:
    """Has debuggers and the like see this thread, as `threading.Thread` does for those that it begins."""
    trace, profile = threading.gettrace(), threading.getprofile()
    if trace is not None:
        sys.settrace(trace)
    if profile is not None:
        sys.setprofile(profile)


_ALL: WeakSet[Threads] = WeakSet()


@atexit.register
def _end_all() -> None:
    """Waits for the work that is being done when Python ends: it cannot end below a guest."""
    for threads in list(_ALL):
        threads.close()
        threads.wait()
