"""The clock that lets running guests be interrupted: an engine's epoch, advanced while it matters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from polycall.interop.forks import new_lock, watch_forks
from polycall.wasm_runtime.engine.recursion import reach_far

__all__ = ["TICK_SECONDS", "EpochTicker"]

TICK_SECONDS = 0.005
"""How late an interruption may be: guests look at the epoch at every loop and call."""


class EpochTicker:
    """A daemon thread that ticks only while a guarded call runs; with none, it sleeps and costs nothing."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._lock = new_lock()
        self._needed = threading.Event()
        self._callers: list[int] = []  # the thread of each guarded call that runs
        self._closed = False
        self._thread: threading.Thread | None = None
        watch_forks(self)

    def begin(self) -> None:
        """Says that a guarded call starts; `end` must follow."""
        with self._lock:
            if not self._callers:
                self._start()
            self._callers.append(threading.get_ident())

    def _start(self) -> None:
        runs = self._thread is not None and self._thread.is_alive()
        if runs and self._needed.is_set():  # the ticks of calls that follow each other soon have not ended
            return
        # What fails halfway, near Python's recursion limit, would leave a thread that sleeps with nobody to wake it.
        reach_far()
        self._needed.set()
        if not runs:
            self._thread = threading.Thread(target=self._run, name="polycall-epoch", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Says that a guarded call has ended."""
        with self._lock:
            self._callers.remove(threading.get_ident())

    def after_fork(self) -> None:
        """Starts again in a forked child, for the calls that go on there: those of the thread that forked."""
        self._callers = [caller for caller in self._callers if caller == threading.get_ident()]
        self._needed, self._thread = threading.Event(), None
        if self._callers:
            self._start()

    def close(self) -> None:
        """Stops the thread, as soon as no guarded call runs any more: those that do keep their deadlines."""
        with self._lock:
            self._closed = True
            self._needed.set()
            thread = None if self._callers else self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while self._needed.wait():
            with self._lock:
                if not self._callers:
                    if self._closed:
                        self._thread = None  # a later call may start another
                        return
                    self._needed.clear()
                    continue
            time.sleep(TICK_SECONDS)
            self._tick()
