"""Waiting, in one place: by deadline and cancellation, holding nothing but the waiting thread.

`Wakeup` is the wait itself, for pools and for whatever else lets a call wait; where only some calls may run at once, a
guest that waits gives its `Place` to another. `Happening` lets many calls wait for the same. `WaitGraph` knows which
calls wait for something that other calls hold, and refuses the wait that would close a circle.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence, Set
from contextlib import suppress
from contextvars import ContextVar
from typing import Protocol

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import PoolClosedError, raise_if
from polycall.interop.forks import held_lock, in_main_thread, new_lock

__all__ = ["PLACE", "Happening", "Place", "WaitGraph", "Waiter", "Wakeup", "seconds_between_looks"]

_NONE: frozenset[Waiter] = frozenset()

_LOOK_SECONDS = 0.04
"""How late Ctrl-C may be at most, if it comes at the very moment when a wait begins."""


def seconds_between_looks() -> float | None:
    """Returns for how long this thread may wait until it has Python look for signals; None for as long as it likes.

    A signal that comes after Python's last look, and before the thread really waits, is only noted, and nothing wakes
    the thread for it. So the thread that runs the handlers looks again and again.
    """
    return _LOOK_SECONDS if in_main_thread() else None


class Place(Protocol):
    """What a running call takes up among those that may run at once, whatever threads it has. Shared by threads."""

    def leave(self) -> None:
        """Lets another call have it for a while."""
        ...

    def retake(self) -> None:
        """Takes it again; never waits for it."""
        ...


PLACE: ContextVar[Place | None] = ContextVar("polycall_place", default=None)
"""The place of the running call; None where calls need none."""


class Wakeup:
    """Lets one thread wait until another notifies it; it serves for one wait.

    Attributes:
        notified: Whether `notify` was called.
    """

    __slots__ = ("_asleep", "notified")

    def __init__(self) -> None:
        self.notified = False
        # Held while there is nothing to wake up for. To release it never blocks and is reentrant: a signal handler may
        # cancel the wait of its own thread.
        self._asleep = held_lock()

    def notify(self) -> None:
        """Ends the wait, now or as soon as it begins; never blocks, harmless when repeated."""
        self.notified = True
        self()

    def __call__(self) -> None:
        """Has whoever waits look whether the call is over; never blocks, harmless when repeated."""
        with suppress(RuntimeError):  # it has been woken and has not looked yet
            self._asleep.release()

    def wait(
        self, context: CallContext, what: str, until: float | None = None, closing: Cancellation | None = None
    ) -> bool:
        """Blocks the thread until `notify`, the time `until`, the call's deadline or its cancellation.

        Having been notified wins: what was waited for is there, even if the deadline passes at the same moment.

        Args:
            context: The call that waits.
            what: What it waits for, as its error should put it: ``an instance of "app:tax"``.
            until: When to stop waiting without an error, in seconds of `time.monotonic`; None for never.
            closing: For what a guest waits for, and not a call in its name: goes on when guests may wait no more.
                Meanwhile another call has the place of this one (`PLACE`).

        Returns:
            True when notified, False when the time is up.

        Raises:
            DeadlineError: The call's deadline passed first.
            CancelledError: The call was cancelled first.
            PoolClosedError: The registry was closed first.
        """
        cancellation, place = context.cancellation, None if closing is None else PLACE.get()
        if place is not None:
            place.leave()
        try:
            if closing is not None:
                closing.add(self)
            if cancellation is not None:
                cancellation.add(self)
            return self._wait(context, what, until, closing)
        finally:
            if cancellation is not None:
                cancellation.remove(self)
            if closing is not None:
                closing.remove(self)
            if place is not None:
                place.retake()

    def _wait(self, context: CallContext, what: str, until: float | None, closing: Cancellation | None) -> bool:
        end = context.deadline
        if end is None or (until is not None and until < end):
            end = until
        while not self.notified:
            raise_if(context.interruption(f"it waited for {what}"))
            if closing is not None and closing.cancelled:
                raise PoolClosedError(f"the registry was closed while the call waited for {what}")
            if until is not None and time.monotonic() >= until:
                return False
            self._sleep(end)
        return True

    def _sleep(self, end: float | None) -> None:
        look = seconds_between_looks()
        while look is not None and (end is None or end > time.monotonic() + look):
            if self._woken(time.monotonic() + look):
                return
        self._woken(end)

    def _woken(self, end: float | None) -> bool:
        timeout = -1 if end is None else min(max(0.0, end - time.monotonic()), threading.TIMEOUT_MAX)
        return self._asleep.acquire(timeout=timeout)


class Happening:
    """Something that many calls may wait for, each no longer than it may; it happens once.

    Attributes:
        happened: Whether it has.
    """

    __slots__ = ("_lock", "_waiting", "happened")

    def __init__(self) -> None:
        self.happened = False
        self._lock = new_lock()
        self._waiting: list[Wakeup] = []

    def happen(self) -> None:
        """Wakes all who wait. Harmless when repeated; whoever is broken off in it (by Ctrl-C) must repeat it."""
        with self._lock:
            self.happened = True  # from now on nobody joins those who wait
        for wakeup in self._waiting:
            wakeup.notify()

    def wait(self, context: CallContext, what: str) -> None:
        """Returns as soon as it has happened.

        Args:
            context: The call that waits.
            what: What it waits for, as its error should put it.

        Raises:
            DeadlineError, CancelledError: The call is over.
        """
        wakeup = Wakeup()
        with self._lock:
            waits = not self.happened
            if waits:
                self._waiting.append(wakeup)
        if waits:
            wakeup.wait(context, what)


class Waiter(Wakeup):
    """A call that waits until one of several holders lets go.

    Attributes:
        context: The frame that waits.
        holders: The frames that hold what it waits for: a live view, read under `WaitGraph.lock`.
    """

    __slots__ = ("context", "holders")

    def __init__(self, context: CallContext, holders: Collection[CallContext]) -> None:
        super().__init__()
        self.context = context
        self.holders = holders

    def chain(self) -> str:
        """Returns the frames of the call, outermost first; the last one is what it waits for."""
        return " -> ".join(map(str, self.context.frames()))


class WaitGraph:
    """Which calls wait for which, over all pools of a registry.

    A frame cannot go on while a frame below it waits. So a wait can end if one of the holders can go on, and a holder
    can go on if every wait at or below its frame can end. `enter` refuses a wait that cannot end. Whatever happens
    later (another wait begins, a wait ends or is given up, a holder lets go) leaves the recorded waits able to end, so
    the new wait is all that has to be checked: there is never a deadlock to be found afterwards.

    Frames are compared, not chains: a chain whose Python function calls from several threads has a branch for each, and
    a branch that waits does not hold up its siblings. Their common callers count as waiting for all of them.

    Attributes:
        lock: Guards the graph and everything that a `Waiter.holders` shows. One for all pools of a registry, because
            whether a call may wait depends on the state of all of them. Never held while an instance is made or closed.
    """

    __slots__ = ("_below", "lock")

    def __init__(self) -> None:
        self.lock = new_lock()
        self._below: dict[CallContext, set[Waiter]] = {}  # a frame -> the waits at or below it

    def enter(self, waiter: Waiter) -> Sequence[Waiter]:
        """Records a wait that is about to begin, unless it could never end; call it with the lock held.

        Returns:
            Nothing if the wait may begin; else the calls that would wait in a circle, `waiter` first, and the wait is
            not recorded.
        """
        frame: CallContext | None = waiter.context
        while frame is not None:
            self._below.setdefault(frame, set()).add(waiter)
            frame = frame.parent
        circle = self._circle(waiter)
        if circle:
            self.leave(waiter)
        return circle

    def leave(self, waiter: Waiter) -> None:
        """Forgets a wait that is over; call it with the lock held. Harmless when repeated."""
        frame: CallContext | None = waiter.context
        while frame is not None:
            waits = self._below.get(frame)
            if waits is not None:
                waits.discard(waiter)
                if not waits:
                    del self._below[frame]
            frame = frame.parent

    def after_fork(self) -> None:
        """Forgets the waits of threads that a forked child does not have."""
        self._below = {}

    def _circle(self, waiter: Waiter) -> list[Waiter]:
        if self._can_end(waiter, _NONE):  # nearly always: some holder is running
            return []
        waiting = self._reached_from(waiter)
        ending: set[Waiter] = set()
        while found := [other for other in waiting if self._can_end(other, ending)]:
            if waiter in found:
                return []
            ending.update(found)
            waiting = [other for other in waiting if other not in ending]
        return waiting

    def _can_end(self, waiter: Waiter, ending: Set[Waiter]) -> bool:
        return any(self._below.get(frame, _NONE) <= ending for frame in waiter.holders)

    def _reached_from(self, waiter: Waiter) -> list[Waiter]:
        reached = {waiter: None}  # a dict, for its order: the message names the call itself first
        unseen = [waiter]
        while unseen:
            for frame in unseen.pop().holders:
                new = self._below.get(frame, _NONE) - reached.keys()
                reached.update(dict.fromkeys(new))
                unseen.extend(new)
        return list(reached)
