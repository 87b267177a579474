"""The same work for many items: in the thread that wants the results, or on some threads of its own.

What is read ahead is bounded, so memory stays flat however many items there are.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar, cast
from weakref import WeakSet

from polycall.interop.context import Cancellation
from polycall.interop.errors import PolycallError, raise_if
from polycall.interop.forks import new_lock
from polycall.registry.dispatch.async_calls import awaited_elsewhere
from polycall.registry.dispatch.threads import THREADS

__all__ = ["Crew", "Outcome", "in_bulk", "results", "streamed"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 32
"""Items for each worker that are read and not yet asked for: enough that short calls are handed over by the dozen."""

_TURN_SECONDS = 0.001
"""How long a worker keeps what it has done to itself: handing over costs more than a short call."""

_MOST_A_TURN = 16


class Outcome(NamedTuple, Generic[Item, Result]):
    """What became of one item.

    Attributes:
        number: Which one it was, from 0.
        item: The item.
        result: What the work returned; None if it failed.
        error: Why it failed, or None.
    """

    number: int
    item: Item
    result: Result | None
    error: BaseException | None


def in_bulk(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 1,
    ordered: bool = True,
    cancellation: Cancellation | None = None,
) -> Generator[Outcome[Item, Result]]:
    """Yields what becomes of each item. The items are read in the thread that asks for the outcomes.

    With one worker the work is done in that thread as well, an item at a time, when its outcome is asked for.
    Closing the generator ends the work: nothing is begun any more, and what runs is waited for.

    Args:
        work: What to do with an item.
        items: Read as far ahead as keeps the workers busy, and no further.
        workers: How many threads there are.
        ordered: Whether the outcomes come in the order of the items; else they come as they are ready.
        cancellation: The switch of the work, if it has one: closing the generator puts it on.
    """
    if workers == 1:
        for number, item in enumerate(items):
            yield _done(work, number, item)
        return
    crew = Crew(work, workers, ordered=ordered)
    try:
        reading = iter(items)
        more = True
        while True:
            since = time.perf_counter()
            while more and crew.has_room:
                try:
                    crew.put(next(reading))
                except StopIteration:
                    crew.end()
                    more = False
                if time.perf_counter() - since > _TURN_SECONDS and crew.is_due:
                    break  # items that come slowly hold back no outcome
            ready = crew.take()
            if not ready:
                return
            yield from ready
    finally:
        if cancellation is not None:
            cancellation.cancel()
        crew.close()


def streamed(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ordered: bool
) -> Generator[Outcome[Item, Result]]:
    """Like `in_bulk`, for items that may be long in coming: no outcome waits for the next item.

    With more than one worker, the items are read by a thread of their own. Closing the generator waits for nothing:
    neither for that thread nor for work that runs.
    """
    if workers == 1:
        yield from in_bulk(work, items)
        return
    crew = Crew(work, workers, ordered=ordered)
    failures: list[BaseException] = []

    def feed() -> None:
        try:
            for item in items:
                if not crew.put(item):
                    return
        except BaseException as error:  # noqa: BLE001  # raised where the outcomes are asked for
            failures.append(error)
        finally:
            crew.end()

    # A daemon: it may be waiting for an item that never comes.
    threading.Thread(target=feed, name="polycall-items", daemon=True).start()
    try:
        while ready := crew.take():
            yield from ready
        raise_if(failures[0] if failures else None)
    finally:
        crew.close(wait=False)


def results(outcomes: Generator[Outcome[Item, Result]], *, keep_going: bool) -> Generator[Result | PolycallError]:
    """Yields the results of outcomes, and closes them at its end.

    Args:
        outcomes: What `in_bulk` yields.
        keep_going: Whether an error of polycall's is yielded in the place of a result, or raised as others are.
    """
    with closing(outcomes):
        for outcome in outcomes:
            if outcome.error is None:
                yield cast("Result", outcome.result)
                continue
            outcome.error.add_note(f"item {outcome.number}")
            if keep_going and isinstance(outcome.error, PolycallError):
                yield outcome.error
                continue
            try:
                raise outcome.error
            finally:
                del outcome  # see `raise_if`


def _done(
    work: Callable[[Item], Result], number: int, item: Item, caught: type[BaseException] = Exception
) -> Outcome[Item, Result]:
    try:
        return Outcome(number, item, work(item), None)
    except caught as error:  # it is the outcome; who asks for it says what becomes of it
        return Outcome(number, item, None, error)


class Crew(Generic[Item, Result]):
    """Threads that do the same work with each item. One thread puts items, one takes outcomes; they may be the same.

    Args:
        work: What to do with an item.
        workers: How many threads there are.
        ordered: Whether outcomes come in the order of the items.
    """

    def __init__(self, work: Callable[[Item], Result], workers: int, *, ordered: bool) -> None:
        self._work = work
        self._ordered = ordered
        self._most = _AHEAD * workers
        lock = new_lock()
        self._arrived = threading.Condition(lock)  # items, for workers
        self._ready = threading.Condition(lock)  # outcomes, for who takes them
        self._freed = threading.Condition(lock)  # room, for who puts items
        self._items: deque[tuple[int, Item]] = deque()
        self._outcomes: dict[int, Outcome[Item, Result]] = {}
        self._put = self._taken = 0
        self._ended = self._closed = False
        self._gone = threading.Condition(lock)  # workers
        self._serving = 0
        THREADS.enter(self)
        _ALL.add(self)
        try:
            for _ in range(workers):
                self._begin_one()
        except BaseException:
            self.close()
            raise

    def _begin_one(self) -> None:
        self._serving += 1
        try:
            # In the context of who begins: a call that a Python function makes continues its chain.
            THREADS.do(partial(awaited_elsewhere().run, self._serve))
        except BaseException:
            self._serving -= 1
            raise

    @property
    def has_room(self) -> bool:
        """Whether `put` would return at once."""
        return self._put - self._taken < self._most

    @property
    def is_due(self) -> bool:
        """Whether `take` would return at once."""
        return self._taken in self._outcomes if self._ordered else bool(self._outcomes)

    def put(self, item: Item) -> bool:
        """Adds an item, waiting for room; returns False if the crew has been closed."""
        with self._freed:
            while not self.has_room and not self._closed:
                self._freed.wait()
            if self._closed:
                return False
            self._items.append((self._put, item))
            self._put += 1
            self._arrived.notify()
            return True

    def end(self) -> None:
        """Says that no more items come."""
        with self._ready:
            self._ended = True
            self._arrived.notify_all()
            self._ready.notify_all()

    def take(self) -> list[Outcome[Item, Result]]:
        """Returns the outcomes that are due, waiting for at least one; none when there are no more."""
        with self._ready:
            while not self.is_due and not (self._closed or (self._ended and self._taken == self._put)):
                self._ready.wait()
            due = self._due()
            self._taken += len(due)
            self._freed.notify_all()
            return due

    def _due(self) -> list[Outcome[Item, Result]]:
        outcomes = self._outcomes
        if not self._ordered:
            due = list(outcomes.values())
            outcomes.clear()
            return due
        due = []
        while self._taken + len(due) in outcomes:
            due.append(outcomes.pop(self._taken + len(due)))
        return due

    def close(self, *, wait: bool = True) -> None:
        """Begins nothing more; waits for what runs, if asked to."""
        with self._freed:
            self._closed = True
            self._items.clear()
            self._freed.notify_all()
        self.end()
        if wait:
            with self._gone:
                while self._serving:
                    self._gone.wait()
        THREADS.leave(self, wait=False)

    def _serve(self) -> None:
        try:
            self._work_off()
        finally:
            with self._gone:
                self._serving -= 1
                self._gone.notify_all()

    def _work_off(self) -> None:
        size = 1
        while turn := self._next(size):
            done: list[Outcome[Item, Result]] = []
            ends = time.perf_counter() + _TURN_SECONDS
            while turn and (not done or time.perf_counter() < ends):
                # Whatever it raises, SystemExit as well: nobody else would tell those who wait for the outcome.
                done.append(_done(self._work, *turn.popleft(), BaseException))
            # What took long is followed by one item at a time: the others would wait behind it for nothing.
            size = 1 if turn or time.perf_counter() > ends else min(2 * size, _MOST_A_TURN)
            self._deliver(done, turn)

    def _next(self, size: int) -> deque[tuple[int, Item]]:
        with self._arrived:
            while not self._items and not self._ended:
                self._arrived.wait()
            return deque(self._items.popleft() for _ in range(min(size, len(self._items))))

    def _deliver(self, done: list[Outcome[Item, Result]], rest: deque[tuple[int, Item]]) -> None:
        with self._ready:
            for outcome in done:
                self._outcomes[outcome.number] = outcome
            if rest and not self._closed:
                self._items.extendleft(reversed(rest))
                self._arrived.notify(len(rest))
            if self.is_due:
                self._ready.notify()


_ALL: WeakSet[Crew[Any, Any]] = WeakSet()


@atexit.register  # after that of the threads, and so called before it: they end when nobody has work for them
def _close_all() -> None:
    for crew in list(_ALL):
        crew.close()
