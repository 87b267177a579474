"""The pool against a model of it: any sequence of calls, failures, passing time and closing, with threads that wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from effort import times
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, GuestError, PoolClosedError, PoolDeadlockError
from polycall.interop.pool import Pool
from polycall.interop.pool_figures import PoolSnapshot
from polycall.interop.pool_spec import PoolPolicy, PoolSpec
from polycall.interop.values import Value
from polycall.interop.waiting import Waiter, WaitGraph

PATIENCE_SECONDS = 10  # nothing here waits that long unless the test fails


class FakeInstance:
    def __init__(self) -> None:
        self.poisoned = False
        self.closed = 0

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        raise NotImplementedError

    def close(self) -> None:
        self.closed += 1


class WatchedGraph(WaitGraph):
    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Semaphore(0)

    def enter(self, waiter: Waiter) -> Sequence[Waiter]:
        circle = super().enter(waiter)
        if not circle:
            self.entered.release()
        return circle


class WaitingCall(NamedTuple):
    context: CallContext
    cancellation: Cancellation
    outcome: Future[FakeInstance]


def _policies() -> st.SearchStrategy[PoolPolicy]:
    sizes = st.integers(1, 3)
    return st.one_of(
        st.builds(lambda size: PoolSpec(type="lazy", max_size=size).policy(), sizes),
        st.builds(lambda size: PoolSpec(type="static", size=size).policy(), sizes),
        st.builds(lambda size: PoolSpec(type="adaptive", max_size=size).policy(), sizes),
        st.just(PoolSpec(type="inline").policy()),
    )


class PoolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.made: list[FakeInstance] = []
        self.making_fails = False
        self.now = 0.0
        self.waits = WatchedGraph()
        # The model.
        self.idle: list[tuple[FakeInstance, float | None]] = []  # with when it was first seen to be idle
        self.held: dict[FakeInstance, CallContext] = {}
        self.queue: list[WaitingCall] = []
        self.closed = False
        self.retired = False
        self.peak = 0
        self.taken = 0

    @initialize(policy=_policies())
    def start(self, policy: PoolPolicy) -> None:
        self.policy = policy
        self.pool = Pool("app:tax", policy, self.make, self.waits, clock=lambda: self.now)
        self.pool.start()
        self.idle = [(instance, None) for instance in reversed(self.made)]  # start returns the last one first
        self.peak = len(self.made)
        assert len(self.made) == policy.min_size

    def make(self, _context: CallContext) -> FakeInstance:
        if self.making_fails:
            self.making_fails = False
            raise GuestError("start-up failed")
        self.made.append(FakeInstance())
        return self.made[-1]

    # What the model says.

    @property
    def size(self) -> int:
        return len(self.idle) + len(self.held)

    @property
    def full(self) -> bool:
        return not self.closed and not self.idle and 0 < self.policy.max_size <= len(self.held)

    def circle(self, newcomer: CallContext) -> bool:
        """Whether every holder has a wait below its frame, the newcomer's included."""
        blocked: set[CallContext] = set()
        for waiting in [newcomer, *(call.context for call in self.queue)]:
            frame: CallContext | None = waiting
            while frame is not None:
                blocked.add(frame)
                frame = frame.parent
        return all(holder in blocked for holder in self.held.values())

    def frame(self, data: st.DataObject) -> CallContext:
        """A call from outside, or one that a guest makes which runs in an instance of this very pool."""
        callers = [frame for frame in self.held.values() if frame.interruption() is None]
        parent = data.draw(st.sampled_from([None, *callers]), label="caller")
        return CallContext("app:tax", "lua", parent, cancellation=Cancellation())  # a caller's own one wins

    def pass_on(self, fails: bool) -> None:
        """Follows a slot that came free to the calls that wait for one; the first of them may fail to make theirs."""
        if fails and self.queue:
            with pytest.raises(GuestError):
                self.queue.pop(0).outcome.result(PATIENCE_SECONDS)
        if self.queue:
            call = self.queue.pop(0)
            instance = call.outcome.result(PATIENCE_SECONDS)
            assert instance is self.made[-1]
            self.take(instance, call.context)

    def take(self, instance: FakeInstance, context: CallContext) -> None:
        assert instance not in self.held
        assert (instance.closed, instance.poisoned) == (0, False)
        self.held[instance] = context
        self.taken += 1
        self.peak = max(self.peak, self.size)

    # What happens.

    @rule(data=st.data())
    def check_out(self, data: st.DataObject) -> None:
        context = self.frame(data)
        if self.closed:
            with pytest.raises(PoolClosedError):
                self.pool.check_out(context)
        elif self.idle:
            instance = self.pool.check_out(context)
            assert instance is self.idle.pop()[0]
            self.take(instance, context)
        elif self.full:
            self.refused_or_late(context)
        elif self.making_fails:
            self.peak = max(self.peak, self.size + 1)
            with pytest.raises(GuestError):
                self.pool.check_out(context)
        else:
            instance = self.pool.check_out(context)
            assert instance is self.made[-1]
            self.take(instance, context)

    @precondition(lambda self: self.policy.max_size)
    @rule()
    def fill(self) -> None:
        while not (self.full or self.closed or self.making_fails):
            context = CallContext("app:tax", "lua", cancellation=Cancellation())
            instance = self.pool.check_out(context)
            if self.idle:
                self.idle.pop()
            self.take(instance, context)

    def refused_or_late(self, context: CallContext) -> None:
        context.deadline = time.monotonic() - 1
        with pytest.raises(PoolDeadlockError if self.circle(context) else DeadlineError):
            self.pool.check_out(context)
        self.waits.entered.acquire(blocking=False)

    @precondition(lambda self: self.full and len(self.queue) < 4)
    @rule(data=st.data())
    def line_up(self, data: st.DataObject) -> None:
        context = self.frame(data)
        if self.circle(context):
            with pytest.raises(PoolDeadlockError):
                self.pool.check_out(context)
            return
        outcome: Future[FakeInstance] = Future()

        def wait() -> None:
            try:
                outcome.set_result(self.pool.check_out(context))
            except Exception as error:  # noqa: BLE001  # it surfaces where the outcome is looked at
                outcome.set_exception(error)

        threading.Thread(target=wait, daemon=True).start()
        assert self.waits.entered.acquire(timeout=PATIENCE_SECONDS)
        assert context.cancellation is not None
        self.queue.append(WaitingCall(context, context.cancellation, outcome))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), poisoned=st.booleans())
    def give_back(self, data: st.DataObject, poisoned: bool) -> None:
        instance = data.draw(st.sampled_from(list(self.held)), label="instance")
        instance.poisoned = poisoned
        fails = self.making_fails  # before a waiting thread comes to make one
        self.pool.give_back(instance)
        del self.held[instance]
        if self.queue and not poisoned:
            call = self.queue.pop(0)
            assert call.outcome.result(PATIENCE_SECONDS) is instance
            self.take(instance, call.context)
        elif poisoned or self.retired or self.policy.type == "inline":
            assert instance.closed
            self.pass_on(fails)
        else:
            self.idle.append((instance, None))

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.queue), label="call").cancellation
        chosen.cancel()
        for call in [call for call in self.queue if call.cancellation is chosen]:  # the whole chain
            with pytest.raises(CancelledError):
                call.outcome.result(PATIENCE_SECONDS)
            self.queue.remove(call)

    @rule()
    def making_will_fail(self) -> None:
        self.making_fails = True

    @rule(seconds=st.sampled_from([0.0, 1.0, 29.0, 30.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def drop_idle(self) -> None:
        following = self.pool.drop_idle(self.now)
        self.idle = [(instance, self.now if since is None else since) for instance, since in self.idle]
        most = 1 if self.policy.type == "adaptive" else len(self.idle)
        dropped: list[FakeInstance] = []
        while self.droppable and self.due <= self.now and len(dropped) < most:
            dropped.append(self.idle.pop(0)[0])
        assert all(instance.closed for instance in dropped)
        assert (following is not None) == self.droppable
        assert following is None or following > self.now

    @property
    def due(self) -> float:
        return (self.idle[0][1] or 0.0) + self.policy.idle_seconds

    @property
    def droppable(self) -> bool:
        return bool(self.idle) and self.size > self.policy.min_size

    @precondition(lambda self: self.taken > 12)  # else most runs would be about a retired pool
    @rule()
    def retire(self) -> None:
        self.pool.retire()
        self.retired = True
        assert all(instance.closed for instance, _ in self.idle)
        self.idle.clear()

    @precondition(lambda self: self.taken > 12)
    @rule()
    def close(self) -> None:
        self.pool.close()
        self.closed = self.retired = True
        assert all(instance.closed for instance, _ in self.idle)
        self.idle.clear()
        for call in self.queue:
            with pytest.raises(PoolClosedError):
                call.outcome.result(PATIENCE_SECONDS)
        self.queue.clear()

    # What always holds.

    @invariant()
    def sizes_add_up(self) -> None:
        live = [instance for instance in self.made if not instance.closed]
        assert set(live) == {*self.held, *(instance for instance, _ in self.idle)}
        assert self.pool.snapshot() == PoolSnapshot(
            size=len(live),
            idle=len(self.idle),
            in_use=len(self.held),
            waiting=len(self.queue),
            made=len(self.made),
            discarded=len(self.made) - len(live),
            peak=self.peak,
        )

    @invariant()
    def there_are_never_more_instances_than_the_policy_allows(self) -> None:
        assert not self.policy.max_size or self.size <= self.policy.max_size

    @invariant()
    def nobody_waits_while_an_instance_is_idle(self) -> None:
        assert not (self.queue and self.idle)

    def teardown(self) -> None:
        if not hasattr(self, "pool"):
            return
        self.close()
        for instance in self.held:
            self.pool.give_back(instance)
        assert [instance.closed for instance in self.made] == [1] * len(self.made)
        assert self.pool.snapshot().size == 0


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=times(100, 25), stateful_step_count=40, deadline=None)
