"""Work that nothing can interrupt, for calls that can be: in threads of its own, for which the calls wait."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from polycall.interop.context import CallContext
from polycall.interop.errors import raise_if
from polycall.interop.forks import new_lock, watch_forks
from polycall.interop.stack import OwnThread
from polycall.interop.waiting import Happening

__all__ = ["Asides"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Asides(Generic[K, T]):
    """Pieces of work, each done once at a time: a call that wants what is being done already waits for that.

    A call that is over first leaves the work to itself, which goes on to its end: for the calls that want it by then,
    or for nobody. Were it begun again by each call, calls that have less time than it takes would pile up threads
    without end, and none of them would ever see its result.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._running: dict[K, _Aside[T]] = {}
        watch_forks(self)

    def done(self, key: K, work: Callable[[], T], context: CallContext | None, what: str) -> T:
        """Returns what work gives; a call that nothing interrupts does it itself.

        Args:
            key: Says which work is the same.
            work: What to do.
            context: The call that waits for it, if there is one.
            what: What it waits for, as its error should put it.

        Raises:
            DeadlineError, CancelledError: The call is over.
            BaseException: What `work` raised.
        """
        if context is None or not context.guarded:
            return work()
        while True:
            aside = self._under_way(key, work)
            aside.ended.wait(context, what)
            if aside.results:
                return aside.results[0]
            raise_if(aside.take_failure())  # of those who wait, one gets it: an error belongs to one call

    def _under_way(self, key: K, work: Callable[[], T]) -> _Aside[T]:
        with self._lock:
            aside = self._running.get(key)
            if aside is None:
                aside = _Aside(work, lambda: self._forget(key))
                aside.start()
                self._running[key] = aside  # its thread cannot have forgotten it before: that takes the lock
            return aside

    def _forget(self, key: K) -> None:
        with self._lock:
            self._running.pop(key, None)

    def after_fork(self) -> None:
        """Forgets, in a forked child, the work that goes on in its parent's threads: nobody there would end it."""
        self._running = {}


class _Aside(Generic[T]):
    def __init__(self, work: Callable[[], T], forget: Callable[[], None]) -> None:
        self.ended = Happening()
        self.results: list[T] = []
        self._failures: list[BaseException] = []
        self._work = work
        self._forget = forget

    def start(self) -> None:
        OwnThread(self._run, "polycall aside").start()

    def _run(self) -> None:
        try:
            self.results.append(self._work())
        except BaseException as error:  # noqa: BLE001  # raised where it is waited for
            self._failures.append(error)
        finally:
            self._forget()
            self.ended.happen()

    def take_failure(self) -> BaseException | None:
        try:
            return self._failures.pop()
        except IndexError:
            return None
