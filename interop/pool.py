"""The pool of an entry's instances: one implementation for both languages (specification: system facts 2.1)."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack, suppress
from threading import get_ident
from typing import Generic, TypeVar, cast

from polycall.interop.context import CallContext
from polycall.interop.errors import PolycallError, raise_if
from polycall.interop.pool_errors import closed, deadlock, kept, not_taken
from polycall.interop.pool_figures import PoolSnapshot, PoolTraffic
from polycall.interop.pool_queue import PASSING, Holders, Outside, Turn
from polycall.interop.pool_spec import PoolPolicy
from polycall.interop.protocols import Instance
from polycall.interop.values import Value
from polycall.interop.waiting import WaitGraph

__all__ = ["Pool", "poison"]

T = TypeVar("T", bound=Instance)

_SHRINK_STEP_SECONDS = 0.5  # the tick of the controller in the system we re-implement


def poison(instance: Instance, error: BaseException) -> None:
    """Marks an instance whose call an error has ended as one to be closed, unless it is known to be sound."""
    # Only an error that polycall raised on purpose says that.
    if not isinstance(error, PolycallError):
        instance.poisoned = True


class Pool(Generic[T]):
    """Instances of one entry, each used by one call at a time.

    A call takes the instance that was returned last (its memory is warm). If none is idle and there is room, the call
    makes one itself, in its own thread and outside the lock; else it queues, first come, first served: what comes free
    goes straight to the first in the queue, so nobody overtakes. A wait that could never end is refused (`WaitGraph`).

    ``adaptive`` differs from ``lazy`` only in what it keeps: it starts with one instance and never drops below it, and
    shrinks by one at a time. Both grow as soon as a call would have to wait: in a pool whose callers make the instances
    themselves, growing later would only make calls wait for what they can have at once.

    A slot is one of the `PoolPolicy.max_size` places. An instance fills it from before it is made until after it is
    closed, so there are never more live ones than slots. An exception while an instance is made or waited for,
    KeyboardInterrupt included, gives the slot back.

    Most calls find an idle instance and give it back to nobody who waits: they do without the lock. What they rely on:

    - An instance is whose frame `_held` has for it, and `dict.setdefault` puts one there in one step, for one call. So
      an idle instance is taken by nothing else, with the lock as well; and given back by taking the frame out.
    - `_returned` says which to try, and no more: what it names may be taken or gone, and a name may be lost to Ctrl-C.
      With the lock, an instance is idle if it is in `_uses`, where it stays as long as it lives, and not in `_held`.
    - Whoever gives back looks at the queue after that, and whoever queues looks for idle ones after that: so one of
      them sees the other.

    Attributes:
        name: The entry whose instances these are, ``namespace:name``.
    """

    __slots__ = (
        "_asked",
        "_clock",
        "_closed",
        "_discarded",
        "_held",
        "_is_inline",
        "_keeps",
        "_limit",
        "_lock",
        "_made",
        "_make",
        "_peak",
        "_policy",
        "_returned",
        "_seen",
        "_slots",
        "_uses",
        "_waited",
        "_waited_seconds",
        "_waiters",
        "_waits",
        "name",
    )

    def __init__(
        self,
        name: str,
        policy: PoolPolicy,
        make: Callable[[CallContext], T],
        waits: WaitGraph,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes an empty pool.

        Args:
            name: The entry whose instances these are, for messages.
            policy: How many instances there are, and for how long.
            make: Makes a fresh instance, hashed by identity, for the call that needs it and in its thread.
            waits: Shared by all pools whose calls may call each other.
            clock: Seconds, for `PoolPolicy.idle_seconds`.
        """
        self.name = name
        self._policy = policy
        self._limit = policy.max_size or sys.maxsize
        self._make = make
        self._clock = clock
        self._waits = waits
        self._lock = waits.lock
        self._closed = False
        self._is_inline = policy.type == "inline"
        self._keeps = not self._is_inline
        # The frame that holds each slot in use; the key is the instance, or the turn of the call that is making it.
        self._held: dict[T | Turn[T], CallContext] = {}
        # The instances that are kept, and how many calls have taken each without the lock; its holder alone counts.
        self._uses: dict[T, int] = {}
        # Idle ones, as `drop_idle` has seen them: after how many uses, and since when. A call need not read the clock.
        self._seen: dict[T, tuple[int, float]] = {}
        self._returned: deque[T] = deque()  # idle ones, the last one returned at the end
        self._slots = 0  # those in use: of instances, and of calls that make one
        self._waiters: deque[Turn[T]] = deque()
        self._made = self._discarded = self._peak = 0
        self._asked = self._waited = 0  # asked: those that took the lock
        self._waited_seconds = 0.0

    def start(self, context: CallContext | None = None) -> None:
        """Makes the instances that the policy wants from the start: all of a static pool, one of an adaptive one.

        Args:
            context: The call that the pool is started for, if there is one: no instance is begun when its time is up or
                it is cancelled. Later calls make what is missing.

        Raises:
            DeadlineError: The deadline of `context` passed.
            CancelledError: It was cancelled.
            Exception: Whatever `make` raised; the instances made so far stay until `close`.
        """
        frame = CallContext(self.name, "python", context)
        try:
            with ExitStack() as taken:
                for _ in range(self._policy.min_size):
                    raise_if(frame.interruption())
                    with self._lock:
                        self._asked -= 1  # what the pool takes for itself is nobody's call
                    taken.callback(self.give_back, self.check_out(frame))
        except BaseException:
            self.take_back(frame)
            raise

    def check_out(self, context: CallContext) -> T:
        """Returns an instance that is the caller's alone until `give_back`; waits for one if all are in use.

        Args:
            context: The frame that will use the instance; what the guest calls must run in frames below it.

        Raises:
            PoolClosedError: The pool is closed, or was while the call waited.
            PoolDeadlockError: The wait could never end, because the holders wait for this call.
            DeadlineError: The call's deadline passed while it waited.
            CancelledError: The call was cancelled while it waited.
            Exception: Whatever `make` raised.
        """
        held = self._held
        if not self._waiters:
            try:
                instance = self._returned.pop()
            except IndexError:
                return self._check_out(context)
            if instance not in held and held.setdefault(instance, context) is context:
                try:
                    self._uses[instance] += 1
                    return instance
                except KeyError:  # it lives no more
                    del held[instance]
        return self._check_out(context)

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        """Takes an instance, calls it and gives it back.

        What `check_out` and `give_back` do without the lock stands here once more: to call them takes as long as that.

        Args:
            arguments: Plain values and handles.
            context: The frame of the call.

        Raises:
            PolycallError: As of `check_out`, and of the instance; after any other exception the instance is closed.
        """
        held = self._held
        try:
            instance = self._returned.pop()
        except IndexError:
            instance = self._check_out(context)
        else:
            if self._waiters or instance in held or held.setdefault(instance, context) is not context:
                instance = self._check_out(context)  # others come first, or have it; it is found without its name
            else:
                try:
                    self._uses[instance] += 1
                except KeyError:  # it lives no more
                    del held[instance]
                    instance = self._check_out(context)
        try:
            return instance.call(arguments, context)
        except BaseException as error:
            poison(instance, error)
            raise
        finally:
            if instance.poisoned or self._is_inline:
                self.give_back(instance)
            else:
                del held[instance]
                self._returned.append(instance)
                if self._waiters or not self._keeps:
                    self._settle()

    def _check_out(self, context: CallContext) -> T:
        turn: Turn[T] | None = None
        try:
            with self._lock:
                self._asked += 1
                instance = None if self._waiters else self._taken(context)
                if instance is not None:
                    return instance
                turn = Turn(context, Holders(self._holders))
                self._line_up(turn)
            return self._serve(turn)
        except BaseException:
            if turn is not None:
                self._withdraw(turn)
            raise

    def give_back(self, instance: T) -> None:
        """Takes an instance back: for the next call, or to close it if it is poisoned or the pool keeps none.

        Raises:
            InternalError: The instance is not checked out of this pool.
        """
        held = self._held
        if instance.poisoned or self._is_inline:
            if instance not in held:
                raise not_taken(self.name)
            self._discard(instance)
            return
        try:
            del held[instance]
        except KeyError:
            raise not_taken(self.name) from None
        self._returned.append(instance)
        if self._waiters or not self._keeps:
            self._settle()

    def _settle(self) -> None:
        """Does for what was given back without the lock what takes it: serves who waits, closes what is not kept."""
        with self._lock:
            self._serve_waiters()
            ended = [] if self._keeps else self._take_idle(self._idle())
        self._discard_all(ended)

    def hold(self, instance: T, holder: CallContext) -> None:
        """Says which frame holds an instance from now on: it stays out when the call that took it ends.

        For what is to be able to end waits, that is the frame at or below which nothing may be waiting: the outermost
        one of a chain that has to end before the instance is given back.
        """
        with self._lock:
            if instance in self._held:  # else Ctrl-C has taken it back
                self._held[instance] = holder

    def release(self, instance: T, holders: Collection[CallContext], *, broken: bool = False) -> None:
        """Takes an instance back that one of some frames holds; one that Ctrl-C has taken back is closed already.

        Args:
            instance: The instance; it may be anybody's by now.
            holders: The frames.
            broken: Whether it must be closed.
        """
        with self._lock:
            is_theirs = self._held.get(instance) in holders
            if is_theirs and broken:
                instance.poisoned = True
        if is_theirs:
            self.give_back(instance)

    def take_back(self, context: CallContext) -> None:
        """Closes what a frame still holds, if anything, after Python has broken off what ran in it.

        Ctrl-C may come between the lines that hand an instance over, where no one else could tell whose it is.
        """
        with self._lock:
            held: list[T | Turn[T]] = [key for key, holder in self._held.copy().items() if holder is context]
            held += [turn for turn in self._waiters if turn.context is context]
        with ExitStack() as closing:
            for key in held:
                if isinstance(key, Turn):
                    closing.callback(self._withdraw, key)
                else:
                    closing.callback(self._discard, key)
        self._settle()  # what it gave back, or closed, may have been broken off before the look at the queue

    def drop_idle(self, now: float) -> float | None:
        """Closes instances that lay idle for too long, as far as the policy allows: an adaptive pool drops one a call.

        They are taken to lie idle from when this finds them so, which must therefore be called now and then.

        Args:
            now: The time, by the pool's clock.

        Returns:
            When there may be something to drop next; None if nothing is idle that could be dropped, for now.
        """
        policy = self._policy
        with self._lock:
            idle = self._idle_by_age()
            for each in idle:
                uses = self._uses[each]
                if each not in self._seen or self._seen[each][0] != uses:
                    self._seen[each] = uses, now
            due = [self._seen[each][1] + policy.idle_seconds for each in idle]
            spare = idle[: max(0, min(len(idle), self._slots - policy.min_size))]
            overdue = [each for each, then in zip(spare, due, strict=False) if then <= now]
            dropped = self._take_idle(overdue[:1] if policy.type == "adaptive" else overdue)
            more = len(spare) > len(dropped)
            following = None
            if more:
                following = max(due[len(dropped)], now + _SHRINK_STEP_SECONDS)
        self._discard_all(dropped)
        return following

    def retire(self) -> None:
        """Keeps no instance from now on: closes idle ones now, the others when no call wants them any more.

        Calls that are on their way here, or wait, still get an instance: replacing an entry must not make them fail.
        """
        with self._lock:
            self._keeps = False
            idle = self._take_idle(self._idle())
        self._discard_all(idle)

    def close(self) -> None:
        """Closes idle instances now and those in use when they are given back; calls that wait fail at once."""
        with self._lock:
            self._closed = True
            while self._waiters:
                self._next_in_line().notify()
        self.retire()

    def after_fork(self, own: Collection[CallContext]) -> None:
        """Gives up, in a forked child, what the calls of other threads hold and wait for: they do not go on there.

        Their instances are never closed: they are as they were in the middle of a call.

        Args:
            own: The frames of the call that goes on.
        """
        for key, holder in self._held.copy().items():
            if holder not in own:
                self._free(key)
                if not isinstance(key, Turn):
                    self._forget_name(key)
        self._waiters.clear()

    def snapshot(self) -> PoolSnapshot:
        """Returns the pool's figures, all of the same moment."""
        with self._lock:
            idle = len(self._idle())
            return PoolSnapshot(
                size=self._slots,
                idle=idle,
                in_use=self._slots - idle,
                waiting=len(self._waiters),
                made=self._made,
                discarded=self._discarded,
                peak=self._peak,
            )

    def traffic(self) -> PoolTraffic:
        """Returns what went through the pool so far, all of the same moment."""
        with self._lock:
            return PoolTraffic(self._asked + sum(self._uses.values()), self._waited, self._waited_seconds)

    def _holders(self) -> list[CallContext]:
        """Returns the frames that hold slots, with the lock held.

        Among them is `PASSING` if a slot has no holder: its instance is idle, or on its way to or from a call.
        """
        frames = list(self._held.copy().values())  # calls come and go without the lock: a copy is of one moment
        if len(frames) < self._slots:
            frames.append(PASSING)
        return frames

    # A call that finds no idle instance: it lines up, is served, or withdraws.

    def _line_up(self, turn: Turn[T]) -> None:
        if self._closed:
            raise closed(self.name)
        if self._slots < self._limit and not self._waiters:  # a free slot goes to the first at once
            self._grant_slot(turn)
            turn.notified = True  # nobody waits yet who must be woken
            return
        here = get_ident()
        if all(type(holder) is Outside and holder.thread == here for holder in turn.holders):
            raise kept(self.name, self._limit)
        circle = self._waits.enter(turn)
        if circle:
            raise deadlock(self.name, self._policy, circle)
        self._waiters.append(turn)
        self._serve_waiters()

    def _serve(self, turn: Turn[T]) -> T:
        if not turn.notified:
            self._queue(turn)
        return turn.instance if turn.instance is not None else self._make_for(turn)

    def _queue(self, turn: Turn[T]) -> None:
        since = self._clock()
        try:
            turn.wait(turn.context, f'an instance of "{self.name}" (all {self._limit} are in use)')
        finally:
            seconds = self._clock() - since
            with self._lock:
                self._waited += 1
                self._waited_seconds += seconds

    def _make_for(self, turn: Turn[T]) -> T:
        if turn not in self._held:  # woken with neither slot nor instance
            raise closed(self.name)
        instance = self._make(turn.context)
        with self._lock:
            self._held[instance] = turn.context
            del self._held[turn]
            self._uses[instance] = 0
            turn.instance = instance
            self._made += 1
        return instance

    def _withdraw(self, turn: Turn[T]) -> None:
        """Undoes whatever the turn has got so far: it may have been served at the very moment in which it failed."""
        with self._lock:
            self._waits.leave(turn)
            if turn in self._waiters:
                self._waiters.remove(turn)
            self._free(turn)
            self._serve_waiters()
        if turn.instance is not None:
            self.give_back(turn.instance)

    # What is passed on, with the lock held.

    def _next_in_line(self) -> Turn[T]:
        turn = self._waiters.popleft()
        self._waits.leave(turn)
        return turn

    def _serve_waiters(self) -> None:
        """Gives those who wait, in their order, what is idle and the slots that are free."""
        while self._waiters:
            turn = self._waiters[0]
            if turn.instance is None and turn not in self._held:  # else Ctrl-C came before it was told
                turn.instance = self._taken(turn.context)
                if turn.instance is None:
                    if self._slots >= self._limit:
                        return
                    self._grant_slot(turn)
            turn.notify()
            self._waits.leave(turn)
            self._waiters.popleft()

    # Between these lines no signal is looked for: nothing is called.

    def _grant_slot(self, turn: Turn[T]) -> None:
        self._slots += 1
        self._held[turn] = turn.context
        self._peak = max(self._peak, self._slots)

    def _free(self, key: T | Turn[T]) -> bool:
        """Frees the slot of an instance that is no more, or of a turn; says whether it was an instance's."""
        is_turn, uses = isinstance(key, Turn), cast("dict[object, int]", self._uses)
        if key not in self._held:  # Ctrl-C came, and it was freed already
            return False
        is_instance = key in uses
        if is_instance:  # before it is free: what is not in there is taken by nobody
            self._asked += uses[key]
            del uses[key]
        if is_instance or is_turn:
            self._slots -= 1
        del self._held[key]
        return is_instance

    # What is idle, with the lock held. Calls take of it and add to it without the lock.

    def _idle(self) -> list[T]:
        held = self._held.copy()
        return [instance for instance in self._uses if instance not in held]

    def _idle_by_age(self) -> list[T]:
        """Returns the idle ones, those that were given back first at the beginning."""
        order = {instance: at for at, instance in enumerate(self._returned.copy())}
        return sorted(self._idle(), key=lambda instance: order.get(instance, -1))

    def _taken(self, holder: CallContext) -> T | None:
        """Takes the idle instance that was returned last; None if there is none."""
        if self._is_inline:
            return None
        held = self._held
        while self._returned:
            with suppress(IndexError):  # another call was faster
                instance = self._returned.pop()
                if instance in self._uses and instance not in held and held.setdefault(instance, holder) is holder:
                    self._seen.pop(instance, None)
                    return instance
        taken = self._take_idle(self._idle()[:1], holder)  # one whose name was lost
        return taken[0] if taken else None

    # What is closed: it keeps its slot until it is.

    def _take_idle(self, instances: Iterable[T], holder: CallContext | None = None) -> list[T]:
        """Takes those of some idle instances that no call has taken meanwhile."""
        held = self._held
        frame = holder or self._own_frame()
        taken = [each for each in instances if each not in held and held.setdefault(each, frame) is frame]
        for each in taken:
            self._seen.pop(each, None)
        return taken

    def _forget_name(self, instance: T) -> None:
        if self._returned:
            with suppress(ValueError):
                self._returned.remove(instance)

    def _discard_all(self, instances: list[T]) -> None:
        with ExitStack() as closing:  # closes every one of them, even if closing another fails
            for instance in reversed(instances):
                closing.callback(self._discard, instance)

    def _discard(self, instance: T) -> None:
        try:
            instance.close()
        finally:
            with self._lock:
                self._discarded += self._free(instance)
                self._forget_name(instance)
                self._serve_waiters()

    def _own_frame(self) -> CallContext:
        return CallContext(self.name, "python")
