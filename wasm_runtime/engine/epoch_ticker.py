"""The clock that lets running guests be interrupted: an engine's epoch, advanced while it matters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from weakref import WeakSet

from polycall.interop.forks import new_lock, watch_forks
from polycall.wasm_runtime.engine.recursion import reach_far

__all__ = ["TICK_SECONDS", "Clock", "EpochTicker"]

TICK_SECONDS = 0.005
"""How late an interruption may be: guests look at the epoch at every loop and call."""


class Clock:
    """The thread behind tickers: one for the process, for all its engines. It sleeps while no call needs it."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._needed = threading.Event()
        self._ticking: list[EpochTicker] = []
        self._users: WeakSet[EpochTicker] = WeakSet()  # of engines that are not closed; one that is forgotten is none
        self._thread: threading.Thread | None = None
        watch_forks(self)

    @property
    def rests(self) -> bool:
        """Whether it sleeps."""
        return not self._needed.is_set()

    def open(self, ticker: EpochTicker) -> None:
        """Says that there is one more engine, until `close`."""
        with self._lock:
            self._users.add(ticker)

    def start(self, ticker: EpochTicker) -> None:
        """Ticks for a ticker from now on, as long as it has callers."""
        with self._lock:
            if ticker not in self._ticking:
                self._ticking.append(ticker)
            self._wake()

    def _wake(self) -> None:
        runs = self._thread is not None and self._thread.is_alive()
        if runs and self._needed.is_set():  # the ticks of calls that follow each other soon have not ended
            return
        # What fails halfway, near Python's recursion limit, would leave a thread that sleeps with nobody to wake it.
        reach_far()
        self._needed.set()
        if not runs:
            self._thread = threading.Thread(target=self._run, args=(self._needed,), name="polycall-epoch", daemon=True)
            self._thread.start()

    def close(self, ticker: EpochTicker) -> None:
        """Says that there is one engine less; the thread ends with the last, if it rests or as soon as it would."""
        with self._lock:
            self._users.discard(ticker)
            if self._users:
                return
            self._needed.set()
            thread = None if any(ticker.is_needed for ticker in self._ticking) else self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def after_fork(self) -> None:
        """Starts again in a forked child, for the calls that go on there."""
        self._needed, self._thread = threading.Event(), None
        if self._ticking:
            self._wake()

    def _run(self, needed: threading.Event) -> None:
        while needed.wait():
            with self._lock:
                # Whoever begins a call adds itself first and starts the clock then: no call is without ticks.
                self._ticking = [ticker for ticker in self._ticking if ticker.is_needed]
                ticking = tuple(self._ticking)
                if not ticking:
                    if not self._users:
                        self._thread = None  # a later call may start another
                        return
                    needed.clear()
                    continue
            time.sleep(TICK_SECONDS)
            for ticker in ticking:
                ticker.tick()


_CLOCK = Clock()
"""By process: a thread for each registry would be many, and all would do the same."""


class EpochTicker:
    """Lets the epoch of an engine pass while a guarded call runs there; with none, it costs nothing.

    Attributes:
        tick: Advances the epoch.
    """

    def __init__(self, tick: Callable[[], None], clock: Clock = _CLOCK) -> None:
        self.tick = tick
        self._clock = clock
        self._lock = new_lock()
        self._callers: dict[int, int] = {}  # how many guarded calls run in each thread
        clock.open(self)
        watch_forks(self)

    @property
    def is_needed(self) -> bool:
        """Whether a guarded call runs."""
        return bool(self._callers)

    def begin(self) -> None:
        """Says that a guarded call starts; `end` must follow."""
        here = threading.get_ident()
        with self._lock:
            is_first = not self._callers
            self._callers[here] = self._callers.get(here, 0) + 1
            if is_first:
                try:
                    self._clock.start(self)
                except BaseException:
                    self._callers.clear()
                    raise

    def end(self) -> None:
        """Says that a guarded call has ended."""
        here = threading.get_ident()
        with self._lock:
            self._callers[here] -= 1
            if not self._callers[here]:
                del self._callers[here]

    def after_fork(self) -> None:
        """Forgets, in a forked child, the calls of other threads than the one that forked: they do not go on there."""
        here = threading.get_ident()
        self._callers = {caller: calls for caller, calls in self._callers.items() if caller == here}

    def close(self) -> None:
        """Says that the engine is closed; guarded calls that still run keep their deadlines. Harmless when repeated."""
        self._clock.close(self)
