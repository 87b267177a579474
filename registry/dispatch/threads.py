"""Threads for calls: begun when they are needed, kept for a while, and shared by all registries of the process."""

from __future__ import annotations

import atexit
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from weakref import WeakSet

from polycall.interop.forks import new_lock, watch_forks
from polycall.interop.stack import begin_thread, has_stack

__all__ = ["THREADS", "Threads"]

Work = Callable[[], None]

_IDLE_SECONDS = 10.0
_MOST_IDLE = 64
"""Threads that are kept for the next work. Each has its stack, and as much of its memory as it has used."""

_SOON_SECONDS = 3.0
_MOST_IDLE_SOON = 1024
"""The others are kept for a moment: one crowd of calls may follow another, and a part of its time goes into threads."""


class Threads:
    """Does each piece of work in a thread of its own: an idle one, or else a new one.

    They are begun by `_thread`. `threading.Thread.start` waits until the new thread runs, which takes two turns with
    the interpreter's lock: of a thousand calls that begin at the same time, that alone takes longer than all the rest.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._users: WeakSet[object] = WeakSet()
        self._begun: deque[Work] = deque()  # for threads that have not come so far
        self._idle: list[SimpleQueue[Work | None]] = []
        self._alive = 0
        self._none_left = threading.Event()
        self._generation = object()
        watch_forks(self)
        _ALL.add(self)

    def enter(self, user: object) -> None:
        """Says that somebody will have work done, until `leave`, or until it is no more."""
        with self._lock:
            self._users.add(user)
            self._none_left.set()  # the threads are this one's now: whoever waits for the last to end would wait long

    def leave(self, user: object, *, wait: bool) -> None:
        """Says that somebody will have no more work done: with the last one the idle threads end.

        Args:
            user: Who.
            wait: Whether to wait for them to end, if it is the last one, and as long as no other comes.
        """
        with self._lock:
            self._users.discard(user)
            last = not self._users
            if last:
                self._end_idle()
        if last and wait:
            self._none_left.wait()

    def do(self, work: Work) -> None:
        """Begins a piece of work, which must not raise.

        Raises:
            RuntimeError: The system gives no thread more.
        """
        with self._lock:
            if self._idle:
                self._give_idle(work)
                return
            try:
                self._none_left.clear()
                self._alive += 1  # nothing comes between it and what is taken back below
                self._begun.append(work)
                begin_thread(_serve, (self,))  # what it is given here, Python keeps for as long as it lives
            except BaseException:  # Ctrl-C may come when the thread is there, or before anything is
                if work in self._begun:
                    self._begun.remove(work)
                    self._end_one()
                raise

    def _give_idle(self, work: Work | None) -> None:
        given = self._idle[-1]
        del self._idle[-1]  # by `pop`, Ctrl-C could come before it has got anything: it would wait for ever
        given.put(work)

    def serve(self) -> None:
        """Does a piece of work, and what comes then; in a thread of its own."""
        generation = self._generation
        try:
            work: Work | None = self._begun.popleft()
        except IndexError:  # see `do`: it was taken back
            return
        given: SimpleQueue[Work | None] | None = None
        while work is not None:
            work()
            work = None  # which may hold much
            if generation is not self._generation:  # the work forked, and this is the child
                return
            given = given or SimpleQueue()  # not before: a thousand threads may be at their first work
            seconds = self._park(given)
            if seconds is not None:
                work = self._wait(given, seconds)
        with self._lock:
            self._end_one()

    def _park(self, given: SimpleQueue[Work | None]) -> float | None:
        """Makes a thread an idle one; says for how many seconds, None for not at all."""
        with self._lock:
            before = len(self._idle)
            if not self._users or before >= _MOST_IDLE_SOON:
                return None
            self._idle.append(given)
            return _IDLE_SECONDS if before < _MOST_IDLE else _SOON_SECONDS

    def _wait(self, given: SimpleQueue[Work | None], seconds: float) -> Work | None:
        with suppress(Empty):
            return given.get(timeout=seconds)
        with self._lock:
            if given in self._idle:
                self._idle.remove(given)
                return None
        return given.get()  # it came at this very moment

    def _end_one(self) -> None:
        self._alive -= 1
        if not self._alive:
            self._none_left.set()

    def _end_idle(self) -> None:
        self._none_left.clear()
        while self._idle:
            self._give_idle(None)
        if not self._alive:
            self._none_left.set()

    def end(self) -> None:
        """Ends the idle threads, and waits for the others: when Python ends, for it cannot end below a guest."""
        with self._lock:
            self._users.clear()
            self._end_idle()
        self._none_left.wait()

    def after_fork(self) -> None:
        """Forgets the threads, which a forked child does not have."""
        self._begun.clear()
        self._idle = []
        self._alive = 0
        self._generation = object()


def _serve(threads: Threads) -> None:
    has_stack()
    _watch_like_a_thread()
    threads.serve()


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
    for threads in list(_ALL):
        threads.end()


THREADS = Threads()
"""Those of the process: they do not grow with registries."""
