"""The thread that closes instances nobody has used for a while, and drops resources nobody has a handle of."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from polycall.interop.forks import new_lock, watch_forks
from polycall.interop.pool import Pool
from polycall.interop.stack import start_thread

__all__ = ["Janitor"]

_log = logging.getLogger("polycall.pool")

_TICK_SECONDS = 15.0
"""Between two looks at the pools (specification: system facts 2.1)."""


class Janitor:
    """Looks after the pools of one registry, from a daemon thread that starts with the first pool that can shrink."""

    def __init__(self, tick_seconds: float = _TICK_SECONDS) -> None:
        self._tick_seconds = tick_seconds
        self._pools: list[Pool[Any]] = []
        self._lock = new_lock()
        self._closed = False
        self._work: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        watch_forks(self)

    def watch(self, pool: Pool[Any]) -> None:
        """Takes a pool into care until `forget` or `close`."""
        with self._lock:
            if self._closed:
                return
            self._pools.append(pool)
            self._ready()

    def ready(self) -> None:
        """Starts the thread, for `soon`."""
        with self._lock:
            if not self._closed:
                self._ready()

    def soon(self, work: Callable[[], object]) -> None:
        """Has the thread do something, if it was started; takes no lock, so that it can be called from anywhere."""
        self._work.put(work)  # reentrant: the collector may call this at any moment, in any thread

    def _ready(self) -> None:
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="polycall-janitor", daemon=True)
        start_thread(self._thread)

    def after_fork(self) -> None:
        """Starts again in a forked child."""
        self._thread = None
        if not self._closed:
            self._work = SimpleQueue()  # the parent's thread was waiting for it, which its lock may remember
            if self._pools:
                self._start()

    def forget(self, pool: Pool[Any]) -> None:
        """Looks after a pool no longer; harmless for one that it never looked after."""
        with self._lock:
            if pool in self._pools:
                self._pools.remove(pool)

    def sweep(self, now: float) -> None:
        """Closes what has lain idle too long at `now`, in seconds of `time.monotonic`."""
        with self._lock:
            pools = tuple(self._pools)
        for pool in pools:
            try:
                pool.drop_idle(now)
            except Exception:  # noqa: BLE001  # one guest that cannot be closed must not stop the care of all others
                _log.exception("an idle instance of %s could not be closed", pool.name)

    def _run(self) -> None:
        due = time.monotonic() + self._tick_seconds
        while not self._closed:
            try:
                work = self._work.get(timeout=max(0.0, due - time.monotonic()))
            except Empty:
                due = time.monotonic() + self._tick_seconds
                self.sweep(time.monotonic())
                continue
            try:
                work()
            except Exception:  # noqa: BLE001  # as in `sweep`
                _log.exception("an abandoned resource could not be dropped")
            finally:
                del work  # it keeps an instance

    def close(self) -> None:
        """Ends the thread and waits for it; harmless when repeated. Lets go of the pools, which hold compiled code."""
        self._closed = True
        self._work.put(int)  # wakes it
        with self._lock:
            self._pools.clear()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
