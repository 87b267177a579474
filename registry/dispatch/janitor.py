"""The thread that closes instances nobody has used for a while, and drops resources nobody has a handle of.

There is one for the process, however many registries there are. It runs as long as one of them has something in care.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from polycall.interop.forks import new_lock, watch_forks
from polycall.interop.logs import logger
from polycall.interop.pool import Pool
from polycall.interop.stack import OwnThread

__all__ = ["CareThread", "Janitor", "Lost"]

_LOG = "polycall.pool"

_TICK_SECONDS = 15.0
"""Between two looks at the pools (specification: system facts 2.1)."""


class Lost(weakref.ref[Any]):
    """A weak reference whose callback is `Janitor.soon`: the thread calls `found` with it when its object is gone.

    Attributes:
        found: Whom to tell.
    """

    __slots__ = ("found",)

    found: Callable[[Lost], object]


class CareThread:
    """The thread, which starts with the first janitor that needs it and ends with the last."""

    def __init__(self, tick_seconds: float = _TICK_SECONDS) -> None:
        """Makes one, without a thread yet.

        Args:
            tick_seconds: Between two looks.
        """
        self._tick_seconds = tick_seconds
        self._lock = new_lock()
        self._janitors: weakref.WeakSet[Janitor] = weakref.WeakSet()  # a registry that nobody closed is forgotten
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        watch_forks(self)

    @property
    def soon(self) -> Callable[[Callable[[], object]], None]:
        """See `Janitor.soon`."""
        return self._work.put

    def serve(self, janitor: Janitor) -> None:
        """Works for a janitor from now on."""
        with self._lock:
            self._janitors.add(janitor)
            if self._thread is None:
                self._start()

    def leave(self, janitor: Janitor) -> None:
        """Works for it no longer; with the last one the thread ends, which this waits for."""
        with self._lock:
            self._janitors.discard(janitor)
            thread = None if self._janitors else self._thread
            if thread is not None:
                self._thread = None
                self._work.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _start(self) -> None:
        work = self._work = SimpleQueue()  # another thread may still be about to take its end out of the old one
        self._thread = OwnThread(lambda: self._run(work), "polycall-janitor")
        self._thread.start()

    def after_fork(self) -> None:
        """Starts again in a forked child."""
        self._thread = None
        if self._janitors:
            self._start()

    def _run(self, work: SimpleQueue[Callable[[], object] | None]) -> None:
        due = time.monotonic() + self._tick_seconds
        while True:
            try:
                piece = work.get(timeout=max(0.0, due - time.monotonic()))
            except Empty:
                due = time.monotonic() + self._tick_seconds
                if self._is_over(work):
                    return
                self._sweep()
                continue
            if piece is None:
                return
            _do(piece)
            del piece  # it keeps an instance

    def _is_over(self, work: SimpleQueue[Callable[[], object] | None]) -> bool:
        with self._lock:
            if self._janitors or work is not self._work:
                return False
            self._thread = None
            return True

    def _sweep(self) -> None:  # not in `_run`, whose variables live on while it waits
        for janitor in list(self._janitors):
            janitor.sweep(time.monotonic())


def _do(piece: Callable[[], object]) -> None:
    try:
        if isinstance(piece, Lost):
            piece.found(piece)
        else:
            piece()
    except Exception:  # noqa: BLE001  # as in `Janitor.sweep`
        logger(_LOG).exception("an abandoned resource could not be dropped")


_CARE_THREAD = CareThread()
"""By process: a thread for each registry would be many, and all would do the same."""


class Janitor:
    """Looks after the pools of one registry."""

    def __init__(self, thread: CareThread = _CARE_THREAD) -> None:
        self._thread = thread
        self._pools: dict[Pool[Any], None] = {}
        self._lock = new_lock()
        self._closed = False

    def watch(self, pool: Pool[Any]) -> None:
        """Takes a pool into care until `forget` or `close`."""
        with self._lock:
            if not self._closed:
                self._pools[pool] = None
                self._thread.serve(self)

    def ready(self) -> None:
        """Starts the thread, for `soon`."""
        with self._lock:
            if not self._closed:
                self._thread.serve(self)

    @property
    def soon(self) -> Callable[[Callable[[], object]], None]:
        """Has the thread do something, if it was started.

        It takes no lock and is no Python code: the collector may call it at any moment, in any thread.
        """
        return self._thread.soon

    def forget(self, pool: Pool[Any]) -> None:
        """Looks after a pool no longer; harmless for one that it never looked after."""
        with self._lock:
            self._pools.pop(pool, None)

    def sweep(self, now: float) -> None:
        """Closes what has lain idle too long at `now`, in seconds of `time.monotonic`."""
        with self._lock:
            pools = tuple(self._pools)
        for pool in pools:
            try:
                pool.drop_idle(now)
            except Exception:  # noqa: BLE001  # one guest that cannot be closed must not stop the care of all others
                logger(_LOG).exception("an idle instance of %s could not be closed", pool.name)

    def close(self) -> None:
        """Ends the care; harmless when repeated. Lets go of the pools, which hold compiled code."""
        with self._lock:
            self._closed = True
            self._pools.clear()
        self._thread.leave(self)
