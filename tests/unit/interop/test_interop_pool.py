from __future__ import annotations

import itertools
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import pytest

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import (
    CancelledError,
    DeadlineError,
    GuestError,
    InternalError,
    PoolClosedError,
    PoolDeadlockError,
    PoolError,
)
from polycall.interop.pool import Pool
from polycall.interop.pool_figures import PoolSnapshot
from polycall.interop.pool_spec import PoolPolicy, PoolSpec
from polycall.interop.values import Value
from polycall.interop.waiting import Waiter, WaitGraph

T = TypeVar("T")

PATIENCE_SECONDS = 10  # no test waits that long unless it fails


class FakeInstance:
    def __init__(self) -> None:
        self.poisoned = False
        self.closed = False
        self.users = 0
        self.does: Callable[[FakeInstance], Value] = lambda _: None

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        return self.does(self)

    def close(self) -> None:
        assert self.users == 0
        self.closed = True


class Maker:
    """Makes fake instances, and does `then` after each; raises what `fail_next` says instead, once."""

    def __init__(self) -> None:
        self.made: list[FakeInstance] = []
        self.fail_next: BaseException | None = None
        self.then: Callable[[], None] = lambda: None

    def __call__(self, _context: CallContext) -> FakeInstance:
        failure, self.fail_next = self.fail_next, None
        if failure is not None:
            raise failure
        instance = FakeInstance()
        self.made.append(instance)
        self.then()
        return instance

    @property
    def live(self) -> list[FakeInstance]:
        return [instance for instance in self.made if not instance.closed]


class WatchedGraph(WaitGraph):
    """Tells when a call has begun to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Semaphore(0)

    def enter(self, waiter: Waiter) -> Sequence[Waiter]:
        circle = super().enter(waiter)
        if not circle:
            self.entered.release()
        return circle

    def await_waiting(self, calls: int = 1) -> None:
        for _ in range(calls):
            assert self.entered.acquire(timeout=PATIENCE_SECONDS)
        with self.lock:  # who enters the graph holds the lock until it stands in the queue as well
            pass


class Bench:
    """A pool with everything around it that a test wants to look at."""

    def __init__(self, policy: PoolPolicy, name: str = "app:tax", waits: WatchedGraph | None = None) -> None:
        self.make = Maker()
        self.waits = waits or WatchedGraph()
        self.now = 1000.0
        self.pool = Pool(name, policy, self.make, self.waits, clock=lambda: self.now)

    def numbers(self) -> PoolSnapshot:
        return self.pool.snapshot()


def _lazy(max_size: int) -> PoolPolicy:
    return PoolSpec(type="lazy", max_size=max_size).policy()


def _static(size: int) -> PoolPolicy:
    return PoolSpec(type="static", size=size).policy()


def _adaptive(max_size: int) -> PoolPolicy:
    return PoolSpec(type="adaptive", max_size=max_size).policy()


INLINE = PoolSpec(type="inline").policy()


def _call(
    name: str = "app:tax",
    parent: CallContext | None = None,
    *,
    deadline: float | None = None,
    cancellation: Cancellation | None = None,
) -> CallContext:
    # With a deadline always, so that a test which would hang fails instead.
    end = time.monotonic() + PATIENCE_SECONDS if deadline is None else deadline
    return CallContext(name, "lua", parent, deadline=end, cancellation=cancellation)


def _in_thread(action: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(action())
        except BaseException as error:  # noqa: BLE001  # it surfaces in the test's own thread
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _result(future: Future[T]) -> T:
    return future.result(timeout=PATIENCE_SECONDS)


def _waiting_call(bench: Bench, context: CallContext | None = None) -> Future[FakeInstance]:
    frame = context or _call()
    future = _in_thread(lambda: bench.pool.check_out(frame))
    bench.waits.await_waiting()
    return future


# The policies


def test_a_lazy_pool_makes_nothing_before_it_is_needed() -> None:
    bench = Bench(_lazy(2))
    bench.pool.start()
    assert bench.numbers() == PoolSnapshot(size=0, idle=0, in_use=0, waiting=0, made=0, discarded=0, peak=0)


def test_the_instance_returned_last_is_used_first() -> None:
    bench = Bench(_lazy(3))
    cold, warm = bench.pool.check_out(_call()), bench.pool.check_out(_call())
    assert cold is not warm
    bench.pool.give_back(cold)
    bench.pool.give_back(warm)
    assert bench.pool.check_out(_call()) is warm
    assert bench.pool.check_out(_call()) is cold
    assert bench.numbers() == PoolSnapshot(size=2, idle=0, in_use=2, waiting=0, made=2, discarded=0, peak=2)


def test_a_static_pool_makes_all_its_instances_at_the_start_and_keeps_them() -> None:
    bench = Bench(_static(3))
    bench.pool.start()
    assert bench.numbers() == PoolSnapshot(size=3, idle=3, in_use=0, waiting=0, made=3, discarded=0, peak=3)
    assert bench.pool.drop_idle(bench.now + 1e9) is None
    assert bench.numbers().idle == 3


def test_a_pool_is_filled_no_longer_than_the_call_that_starts_it_may_take() -> None:
    bench, cancellation = Bench(_static(3)), Cancellation()
    with pytest.raises(DeadlineError, match="the deadline of the call passed"):
        bench.pool.start(_call("app:caller", deadline=time.monotonic() - 1))
    bench.make.then = cancellation.cancel
    with pytest.raises(CancelledError):
        bench.pool.start(_call("app:caller", cancellation=cancellation))
    assert (bench.numbers().made, bench.numbers().idle) == (1, 1)
    assert len({bench.pool.check_out(_call()) for _ in range(3)}) == 3


def test_a_discarded_instance_of_a_static_pool_is_replaced_by_the_next_call_that_needs_it() -> None:
    bench = Bench(_static(2))
    bench.pool.start()
    broken = bench.pool.check_out(_call())
    broken.poisoned = True
    bench.pool.give_back(broken)
    assert (broken.closed, bench.numbers().size) == (True, 1)
    first, second = bench.pool.check_out(_call()), bench.pool.check_out(_call())
    assert broken not in (first, second)
    assert bench.numbers().made == 3


def test_an_inline_pool_makes_an_instance_for_each_call_and_closes_it_afterwards() -> None:
    bench = Bench(INLINE)
    bench.pool.start()
    taken = [bench.pool.check_out(_call()) for _ in range(200)]
    assert len(set(taken)) == 200
    for instance in taken:
        bench.pool.give_back(instance)
    assert bench.make.live == []
    assert bench.numbers() == PoolSnapshot(size=0, idle=0, in_use=0, waiting=0, made=200, discarded=200, peak=200)


def test_an_inline_function_may_call_itself() -> None:
    bench = Bench(INLINE)
    frame = _call()
    taken = []
    for _ in range(10):
        taken.append(bench.pool.check_out(frame))
        frame = _call(parent=frame)
    assert len(set(taken)) == 10


def test_an_adaptive_pool_starts_with_one_and_grows_as_calls_would_wait() -> None:
    bench = Bench(_adaptive(3))
    bench.pool.start()
    assert bench.numbers().size == 1
    taken = [bench.pool.check_out(_call()) for _ in range(3)]
    assert len(set(taken)) == 3
    future = _waiting_call(bench)
    bench.pool.give_back(taken[0])
    assert _result(future) is taken[0]
    assert bench.numbers().peak == 3


def test_an_adaptive_pool_shrinks_one_at_a_time_down_to_one() -> None:
    bench = Bench(_adaptive(4))
    bench.pool.start()
    for instance in [bench.pool.check_out(_call()) for _ in range(4)]:
        bench.pool.give_back(instance)
    sizes, due = [], bench.pool.drop_idle(bench.now)
    assert due == bench.now + 30.0
    while due is not None:
        due = bench.pool.drop_idle(due)
        sizes.append(bench.numbers().size)
    assert sizes == [3, 2, 1]
    assert len(bench.make.live) == 1


def test_a_lazy_pool_drops_what_lay_idle_too_long_and_says_when_to_look_again() -> None:
    bench = Bench(_lazy(3))
    old, older, young = (bench.pool.check_out(_call()) for _ in range(3))
    bench.pool.give_back(older)
    assert bench.pool.drop_idle(1000.0) == 1030.0
    bench.pool.give_back(old)
    assert bench.pool.drop_idle(1001.0) == 1030.0
    bench.pool.give_back(young)
    assert bench.pool.drop_idle(1021.0) == 1030.0
    assert bench.pool.drop_idle(1029.9) == pytest.approx(1030.4)  # not more often than twice a second
    assert bench.pool.drop_idle(1031.0) == 1051.0
    assert bench.make.live == [young]
    assert bench.pool.drop_idle(1051.0) is None
    assert bench.numbers() == PoolSnapshot(size=0, idle=0, in_use=0, waiting=0, made=3, discarded=3, peak=3)


def test_an_instance_in_use_is_never_dropped() -> None:
    bench = Bench(_lazy(2))
    instance = bench.pool.check_out(_call())
    assert bench.pool.drop_idle(bench.now + 1e9) is None
    assert not instance.closed


def test_using_an_instance_starts_its_idle_time_again() -> None:
    bench = Bench(_lazy(2))
    bench.pool.give_back(bench.pool.check_out(_call()))
    assert bench.pool.drop_idle(1000.0) == 1030.0
    bench.pool.give_back(bench.pool.check_out(_call()))
    assert bench.pool.drop_idle(1025.0) == 1055.0
    bench.pool._returned.clear()  # so that it is taken by the lock
    bench.pool.give_back(bench.pool.check_out(_call()))
    assert bench.pool.drop_idle(1050.0) == 1080.0


def test_an_adaptive_pool_counts_what_is_in_use_when_it_shrinks() -> None:
    bench = Bench(_adaptive(2))
    bench.pool.start()
    busy, idle = bench.pool.check_out(_call()), bench.pool.check_out(_call())
    bench.pool.give_back(idle)
    assert bench.pool.drop_idle(bench.now) == bench.now + 30
    assert bench.pool.drop_idle(bench.now + 30) is None
    assert bench.make.live == [busy]


def test_a_start_that_fails_halfway_leaves_a_pool_that_can_be_closed() -> None:
    bench = Bench(_static(3))
    make = bench.make

    def fails_third(context: CallContext) -> FakeInstance:
        if len(make.made) == 2:
            raise GuestError("no more")
        return make(context)

    pool = Pool("app:tax", _static(3), fails_third, WaitGraph())
    with pytest.raises(GuestError):
        pool.start()
    assert pool.snapshot().idle == 2
    pool.close()
    assert make.live == []


# Waiting


def test_what_is_given_back_goes_to_the_call_that_waits_longest() -> None:
    bench = Bench(_lazy(1))
    instance = bench.pool.check_out(_call())
    futures = [_waiting_call(bench) for _ in range(3)]
    assert bench.numbers().waiting == 3
    for served, future in enumerate(futures):
        bench.pool.give_back(instance)
        assert _result(future) is instance
        assert not any(later.done() for later in futures[served + 1 :])
    assert bench.numbers() == PoolSnapshot(size=1, idle=0, in_use=1, waiting=0, made=1, discarded=0, peak=1)


def test_a_newcomer_does_not_overtake_a_call_that_waits() -> None:
    bench = Bench(_lazy(1))
    instance = bench.pool.check_out(_call())
    first = _waiting_call(bench)
    bench.pool.give_back(instance)  # belongs to `first` from here on, even if its thread did not wake yet
    second = _waiting_call(bench)
    assert _result(first) is instance
    bench.pool.give_back(instance)
    assert _result(second) is instance


def test_a_call_that_waits_makes_a_new_instance_in_place_of_a_poisoned_one() -> None:
    bench = Bench(_lazy(1))
    broken = bench.pool.check_out(_call())
    future = _waiting_call(bench)
    broken.poisoned = True
    bench.pool.give_back(broken)
    fresh = _result(future)
    assert fresh is not broken
    assert bench.make.live == [fresh]


def test_there_are_never_more_live_instances_than_slots_even_while_one_is_being_closed() -> None:
    bench = Bench(_lazy(1))
    closing, may_close = threading.Event(), threading.Event()
    broken = bench.pool.check_out(_call())
    broken.poisoned = True

    def close_slowly() -> None:
        closing.set()
        assert may_close.wait(PATIENCE_SECONDS)

    broken.close = close_slowly  # type: ignore[method-assign]  # this one instance only
    giving_back = _in_thread(lambda: bench.pool.give_back(broken))
    assert closing.wait(PATIENCE_SECONDS)
    future = _waiting_call(bench)
    assert bench.numbers().made == 1
    may_close.set()
    _result(giving_back)
    assert _result(future) is bench.make.made[1]


def test_the_deadline_of_a_waiting_call_ends_its_wait_and_nothing_else() -> None:
    bench = Bench(_lazy(1))
    instance = bench.pool.check_out(_call())
    with pytest.raises(DeadlineError, match=r'waited for an instance of "app:tax" \(all 1 are in use\)'):
        bench.pool.check_out(_call(deadline=time.monotonic() + 0.02))
    assert bench.numbers().waiting == 0
    bench.pool.give_back(instance)
    assert bench.pool.check_out(_call()) is instance


def test_cancelling_a_waiting_call_ends_its_wait_at_once_and_the_next_one_moves_up() -> None:
    bench = Bench(_lazy(1))
    instance = bench.pool.check_out(_call())
    cancellation = Cancellation()
    cancelled = _waiting_call(bench, _call(cancellation=cancellation))
    patient = _waiting_call(bench)
    cancellation.cancel()
    with pytest.raises(CancelledError):
        _result(cancelled)
    assert bench.numbers().waiting == 1
    bench.pool.give_back(instance)
    assert _result(patient) is instance


class ServedTooLate(CallContext):
    """A call whose deadline passes at the very moment at which it is served."""

    __slots__ = ("serve",)

    serve: Callable[[], None]

    def interruption(self, _doing: str = "") -> DeadlineError:
        self.serve()
        return DeadlineError("the deadline of the call passed")


def test_an_instance_handed_over_at_the_moment_of_the_deadline_is_not_lost() -> None:
    bench = Bench(_lazy(1))
    instance = bench.pool.check_out(_call())
    late = ServedTooLate("app:tax", "lua")
    late.serve = lambda: bench.pool.give_back(instance)
    with pytest.raises(DeadlineError):
        bench.pool.check_out(late)
    assert bench.numbers() == PoolSnapshot(size=1, idle=1, in_use=0, waiting=0, made=1, discarded=0, peak=1)
    assert bench.pool.check_out(_call()) is instance


def test_a_slot_that_comes_free_at_the_moment_of_the_deadline_is_not_lost() -> None:
    bench = Bench(_lazy(1))
    broken = bench.pool.check_out(_call())
    broken.poisoned = True
    late = ServedTooLate("app:tax", "lua")
    late.serve = lambda: bench.pool.give_back(broken)
    with pytest.raises(DeadlineError):
        bench.pool.check_out(late)
    assert bench.numbers().size == 0
    assert bench.pool.check_out(_call()) is bench.make.made[1]


class InterruptingCancellation(Cancellation):
    def add(self, waker: Callable[[], None]) -> None:
        raise KeyboardInterrupt


def test_a_keyboard_interrupt_while_waiting_leaves_the_queue_in_order() -> None:
    bench = Bench(_lazy(1))
    instance = bench.pool.check_out(_call())
    with pytest.raises(KeyboardInterrupt):
        bench.pool.check_out(_call(cancellation=InterruptingCancellation()))
    assert bench.numbers().waiting == 0
    bench.pool.give_back(instance)
    assert bench.pool.check_out(_call()) is instance


# Making that fails


@pytest.mark.parametrize("failure", [GuestError("start-up failed"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("policy", [_lazy(1), _static(1), INLINE], ids=lambda policy: policy.type)
def test_an_instance_that_cannot_be_made_gives_its_slot_back(failure: BaseException, policy: PoolPolicy) -> None:
    bench = Bench(policy)
    bench.make.fail_next = failure
    with pytest.raises(type(failure)):
        bench.pool.check_out(_call())
    assert bench.numbers() == PoolSnapshot(size=0, idle=0, in_use=0, waiting=0, made=0, discarded=0, peak=1)
    assert bench.pool.check_out(_call()) is bench.make.made[0]


def test_the_next_call_in_the_queue_tries_when_making_failed() -> None:
    bench = Bench(_lazy(1))
    broken = bench.pool.check_out(_call())
    first, second = _waiting_call(bench), _waiting_call(bench)
    bench.make.fail_next = GuestError("start-up failed")
    broken.poisoned = True
    bench.pool.give_back(broken)
    with pytest.raises(GuestError):
        _result(first)
    assert _result(second) is bench.make.made[1]


def test_other_calls_go_on_while_an_instance_is_being_made() -> None:
    making, may_end = threading.Event(), threading.Event()
    made = iter((FakeInstance(), FakeInstance()))

    def make(_context: CallContext) -> FakeInstance:
        instance = next(made)
        if threading.current_thread() is not threading.main_thread():
            making.set()
            assert may_end.wait(PATIENCE_SECONDS)
        return instance

    pool = Pool("app:tax", _lazy(2), make, WaitGraph())
    slow = _in_thread(lambda: pool.check_out(_call()))
    assert making.wait(PATIENCE_SECONDS)
    quick = pool.check_out(_call())
    assert pool.snapshot().in_use == 2
    may_end.set()
    assert _result(slow) is not quick


def test_closing_that_fails_still_frees_the_slot() -> None:
    bench = Bench(_lazy(1))
    broken = bench.pool.check_out(_call())
    broken.poisoned, broken.users = True, 1
    with pytest.raises(AssertionError):
        bench.pool.give_back(broken)
    assert bench.pool.check_out(_call()) is bench.make.made[1]


def test_giving_back_what_was_not_taken_is_an_error() -> None:
    bench = Bench(_lazy(1))
    instance = bench.pool.check_out(_call())
    bench.pool.give_back(instance)
    with pytest.raises(InternalError, match='given back to the pool of "app:tax"'):
        bench.pool.give_back(instance)
    assert bench.numbers().idle == 1


# Deadlocks


def test_a_chain_that_holds_the_only_instance_gets_an_error_at_once_when_it_comes_back() -> None:
    bench = Bench(_lazy(1))
    outer = _call()
    instance = bench.pool.check_out(outer)
    inner = _call(parent=_call("app:total", outer))
    with pytest.raises(PoolDeadlockError) as caught:
        bench.pool.check_out(inner)
    assert caught.value.entry_id == "app:tax"
    assert str(caught.value) == (
        'no instance of "app:tax" can come free: the calls that hold all 1 of them would wait in a circle: '
        "app:tax (lua) -> app:total (lua) -> app:tax (lua) "
        "(raise pool.max_size above 1, or have these functions not call each other)"
    )
    bench.pool.give_back(instance)
    assert bench.pool.check_out(_call()) is instance


def test_the_hint_for_a_static_pool_names_the_key_that_a_static_pool_has() -> None:
    bench = Bench(_static(1))
    outer = _call()
    bench.pool.check_out(outer)
    with pytest.raises(PoolDeadlockError, match=r"raise pool\.size above 1"):
        bench.pool.check_out(_call(parent=outer))


def test_a_chain_may_hold_as_many_instances_as_there_are() -> None:
    bench = Bench(_lazy(3))
    frame = _call()
    for _ in range(3):
        bench.pool.check_out(frame)
        frame = _call(parent=frame)
    with pytest.raises(PoolDeadlockError):
        bench.pool.check_out(frame)


def test_a_chain_waits_for_its_own_pool_while_another_call_holds_an_instance_and_runs() -> None:
    bench = Bench(_lazy(2))
    mine = _call()
    bench.pool.check_out(mine)
    foreign = bench.pool.check_out(_call())
    future = _waiting_call(bench, _call(parent=mine))
    bench.pool.give_back(foreign)
    assert _result(future) is foreign


@pytest.mark.parametrize("length", [2, 3])
def test_the_call_that_closes_a_circle_over_several_pools_gets_the_error_and_the_others_go_on(length: int) -> None:
    waits = WatchedGraph()
    benches = [Bench(_lazy(1), f"app:p{number}", waits) for number in range(length)]
    holders = [_call(f"app:p{number}") for number in range(length)]
    instances = [bench.pool.check_out(holder) for bench, holder in zip(benches, holders, strict=True)]
    futures = [
        _waiting_call(benches[number + 1], _call(f"app:p{number + 1}", holders[number])) for number in range(length - 1)
    ]
    with pytest.raises(PoolDeadlockError) as caught:
        benches[0].pool.check_out(_call("app:p0", holders[-1]))
    for number in range(length):
        assert f"app:p{number} (lua) -> app:p{(number + 1) % length} (lua)" in caught.value.message
    for number in reversed(range(1, length)):  # the refused call fails, lets go, and so on along the circle
        benches[number].pool.give_back(instances[number])
        assert _result(futures[number - 1]) is instances[number]


def test_a_call_that_gave_up_waiting_does_not_count_as_waiting_any_more() -> None:
    waits = WatchedGraph()
    first, second = Bench(_lazy(1), "app:p0", waits), Bench(_lazy(1), "app:p1", waits)
    holder, other = _call("app:p0"), _call("app:p1")
    instance = first.pool.check_out(holder)
    second.pool.check_out(other)
    with pytest.raises(DeadlineError):
        second.pool.check_out(_call("app:p1", holder, deadline=time.monotonic() - 1))
    future = _waiting_call(first, _call("app:p0", other))
    first.pool.give_back(instance)
    assert _result(future) is instance


def test_a_long_circle_is_cut_in_the_message() -> None:
    waits = WatchedGraph()
    benches = [Bench(_lazy(1), f"app:p{number}", waits) for number in range(7)]
    holders = [_call(f"app:p{number}") for number in range(7)]
    for bench, holder in zip(benches, holders, strict=True):
        bench.pool.check_out(holder)
    futures = [_waiting_call(benches[number + 1], _call(f"app:p{number + 1}", holders[number])) for number in range(6)]
    with pytest.raises(PoolDeadlockError, match="; and 3 more"):
        benches[0].pool.check_out(_call("app:p0", holders[-1]))
    for bench in benches:
        bench.pool.close()
    for future in futures:
        with pytest.raises(PoolClosedError):
            _result(future)


def test_a_call_may_wait_for_one_that_is_still_making_its_instance() -> None:
    may_end = threading.Event()
    making = threading.Event()

    def make(_context: CallContext) -> FakeInstance:
        making.set()
        assert may_end.wait(PATIENCE_SECONDS)
        return FakeInstance()

    waits = WatchedGraph()
    pool = Pool("app:tax", _lazy(1), make, waits)
    slow = _in_thread(lambda: pool.check_out(_call()))
    assert making.wait(PATIENCE_SECONDS)
    waiting = _in_thread(lambda: pool.check_out(_call()))
    waits.await_waiting()
    may_end.set()
    pool.give_back(_result(slow))
    assert _result(waiting) is not None


# Closing


def test_close_closes_idle_instances_now_and_those_in_use_when_they_come_back() -> None:
    bench = Bench(_lazy(3))
    idle, busy = bench.pool.check_out(_call()), bench.pool.check_out(_call())
    bench.pool.give_back(idle)
    bench.pool.close()
    bench.pool.close()
    assert (idle.closed, busy.closed) == (True, False)
    bench.pool.give_back(busy)
    assert bench.make.live == []
    assert bench.numbers() == PoolSnapshot(size=0, idle=0, in_use=0, waiting=0, made=2, discarded=2, peak=2)


@pytest.mark.parametrize("policy", [_lazy(1), INLINE], ids=lambda policy: policy.type)
def test_a_closed_pool_gives_nothing_out(policy: PoolPolicy) -> None:
    bench = Bench(policy)
    bench.pool.give_back(bench.pool.check_out(_call()))
    bench.pool.close()
    with pytest.raises(PoolClosedError, match='the pool of "app:tax" is closed'):
        bench.pool.check_out(_call())
    assert bench.numbers().size == 0


def test_calls_that_wait_when_the_pool_is_closed_fail_at_once() -> None:
    bench = Bench(_lazy(1))
    bench.pool.check_out(_call())
    futures = [_waiting_call(bench) for _ in range(3)]
    bench.pool.close()
    for future in futures:
        with pytest.raises(PoolClosedError):
            _result(future)
    assert bench.numbers().waiting == 0


def test_every_idle_instance_is_closed_even_if_closing_one_fails() -> None:
    bench = Bench(_static(3))
    bench.pool.start()
    bench.make.made[1].users = 1  # its close will raise
    with pytest.raises(AssertionError):
        bench.pool.close()
    assert bench.make.live == [bench.make.made[1]]
    assert bench.numbers().size == 0


# Retiring


def test_a_retired_pool_closes_idle_instances_now_and_those_in_use_when_they_come_back() -> None:
    bench = Bench(_static(2))
    bench.pool.start()
    busy = bench.pool.check_out(_call())
    bench.pool.retire()
    assert bench.make.live == [busy]
    bench.pool.give_back(busy)
    assert bench.make.live == []


@pytest.mark.parametrize("policy", [_lazy(1), _static(1), _adaptive(1), INLINE], ids=lambda policy: policy.type)
def test_a_call_on_its_way_to_a_retired_pool_gets_an_instance_all_the_same(policy: PoolPolicy) -> None:
    bench = Bench(policy)
    bench.pool.retire()
    bench.pool.start()  # the reload may have come before the start
    bench.pool.give_back(bench.pool.check_out(_call()))
    assert bench.make.live == []
    assert bench.numbers().size == 0


def test_calls_that_wait_in_a_retired_pool_are_served_one_after_the_other_by_the_same_instance() -> None:
    bench = Bench(_lazy(1))
    instance = bench.pool.check_out(_call())
    waiting = [_waiting_call(bench) for _ in range(3)]
    bench.pool.retire()
    for future in waiting:
        assert not instance.closed
        bench.pool.give_back(instance)
        assert _result(future) is instance
    bench.pool.give_back(instance)
    assert (instance.closed, len(bench.make.made)) == (True, 1)


# Threads


@pytest.fixture
def _restless_threads() -> Iterator[None]:
    """Has Python switch threads as often as it can, so that they meet in the middle of things."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_restless_threads")
def test_under_load_no_instance_is_ever_in_two_hands_and_none_is_lost() -> None:
    bench = Bench(_lazy(3))
    calls, threads = 2000, 8

    def work(seed: int) -> int:
        random_numbers = random.Random(seed)
        failures = 0
        for _ in range(calls):
            try:
                instance = bench.pool.check_out(_call())
            except GuestError:
                failures += 1
                continue
            instance.users += 1
            assert (instance.users, instance.closed, instance.poisoned) == (1, False, False)
            chance = random_numbers.random()
            instance.poisoned = chance < 0.1
            if chance < 0.02:
                bench.make.fail_next = GuestError("start-up failed")
            assert instance.users == 1
            instance.users -= 1
            bench.pool.give_back(instance)
        return failures

    futures = [_in_thread(partial(work, seed)) for seed in range(threads)]
    failures = sum(future.result(timeout=60) for future in futures)
    numbers = bench.numbers()
    assert failures > 0
    assert (numbers.in_use, numbers.waiting) == (0, 0)
    assert numbers.peak <= 3
    assert numbers.made - numbers.discarded == numbers.idle == len(bench.make.live)
    bench.pool.close()
    assert bench.make.live == []


@pytest.mark.usefixtures("_restless_threads")
def test_chains_that_nest_over_several_small_pools_in_any_order_all_come_to_an_end() -> None:
    waits = WatchedGraph()
    benches = [Bench(_lazy(size), f"app:p{number}", waits) for number, size in enumerate((1, 2, 1, 3))]
    refused: list[str] = []

    def nest(random_numbers: random.Random, parent: CallContext, depth: int) -> None:
        bench = random_numbers.choice(benches)
        frame = _call(bench.pool.name, parent)
        instance = bench.pool.check_out(frame)
        try:
            if depth:
                nest(random_numbers, frame, depth - 1)
        finally:
            bench.pool.give_back(instance)

    def work(worker: int) -> None:
        random_numbers = random.Random(worker)
        for _ in range(300):
            try:
                nest(random_numbers, _call("app:main"), 3)
            except PoolDeadlockError as error:
                refused.append(error.message)

    seeds = itertools.count()
    while not any("; " in message for message in refused):  # until circles of several chains have come up
        for future in [_in_thread(partial(work, next(seeds))) for _ in range(6)]:
            future.result(timeout=PATIENCE_SECONDS)
    assert all(bench.numbers().in_use == bench.numbers().waiting == 0 for bench in benches)


@pytest.mark.usefixtures("_restless_threads")
def test_closing_under_load_leaves_no_instance_open() -> None:
    bench = Bench(_lazy(2))
    half_way = threading.Barrier(5)

    def work() -> int:
        done = 0
        while True:
            try:
                bench.pool.give_back(bench.pool.check_out(_call()))
            except PoolError:
                return done
            done += 1
            if done == 50:
                half_way.wait(PATIENCE_SECONDS)

    futures = [_in_thread(work) for _ in range(4)]
    half_way.wait(PATIENCE_SECONDS)
    bench.pool.close()
    assert all(_result(future) >= 50 for future in futures)
    assert bench.make.live == []
    assert bench.numbers().size == 0


# Many threads at once: most of these calls do without the lock


@pytest.mark.parametrize("policy", [_static(2), _lazy(3), _adaptive(2)], ids=["static", "lazy", "adaptive"])
def test_an_instance_is_one_calls_alone_however_many_threads_there_are(policy: PoolPolicy) -> None:
    bench, calls, threads = Bench(policy), 400, 8
    bench.pool.start()
    users: dict[FakeInstance, list[int]] = {}

    def use(number: int) -> None:
        for count in range(calls):
            instance = bench.pool.check_out(_call())
            inside = users.setdefault(instance, [])
            inside.append(number)
            assert inside == [number]
            inside.clear()
            instance.poisoned = count % 50 == 49
            bench.pool.give_back(instance)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for future in [_in_thread(partial(use, number)) for number in range(threads)]:
            _result(future)
    finally:
        sys.setswitchinterval(interval)
    numbers = bench.numbers()
    assert numbers.peak <= policy.max_size
    assert numbers.size == numbers.idle == len(bench.make.live)
    assert (numbers.in_use, numbers.waiting) == (0, 0)
    assert bench.pool.traffic().asked == threads * calls


def test_threads_that_call_on_from_their_calls_are_never_refused_while_one_of_them_can_end() -> None:
    waits = WatchedGraph()
    outer, inner = Bench(_lazy(4), "app:outer", waits), Bench(_lazy(1), "app:inner", waits)

    def use() -> None:
        for _ in range(200):
            frame = _call("app:outer")
            holding = outer.pool.check_out(frame)
            below = _call("app:inner", frame)
            inner.pool.give_back(inner.pool.check_out(below))
            outer.pool.give_back(holding)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for future in [_in_thread(use) for _ in range(8)]:
            _result(future)
    finally:
        sys.setswitchinterval(interval)
    assert inner.numbers().peak == 1
    assert outer.numbers().peak <= 4


def test_an_instance_whose_name_was_lost_is_found_again() -> None:
    bench = Bench(_static(1))
    bench.pool.start()
    (instance,) = bench.make.live
    bench.pool._returned.clear()  # as if Ctrl-C had come just then
    assert bench.pool.check_out(_call()) is instance
    bench.pool.give_back(instance)
    assert bench.numbers().idle == 1


def test_a_name_of_what_lives_no_more_is_passed_over() -> None:
    bench = Bench(_lazy(2))
    gone = bench.pool.check_out(_call())
    gone.poisoned = True
    bench.pool.give_back(gone)
    bench.pool._returned.append(gone)
    assert bench.pool.check_out(_call()) is not gone
    assert bench.numbers().in_use == 1


# The same, at the very moments that matter: another thread comes between two steps that are taken without the lock


class _HeldThatTells(dict[Any, Any]):
    """What a pool has for its holders, with something that is done once, before or after one is taken out."""

    def __init__(
        self, held: dict[Any, Any], then: Callable[[], None] = lambda: None, first: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(held)
        self._first, self._then = [first], [then]

    def __delitem__(self, key: Any) -> None:
        if self._first:
            self._first.pop()()
        super().__delitem__(key)
        if self._then:
            self._then.pop()()


class _NamesThatTell(deque[Any]):
    """The names of idle instances, with something that is done once, when one has been taken."""

    def __init__(self, names: Iterable[Any], then: Callable[[], None]) -> None:
        super().__init__(names)
        self._then: list[Callable[[], None]] = [then]

    def pop(self) -> Any:  # type: ignore[override]  # the stub's is positional
        taken = super().pop()
        if self._then:
            self._then.pop()()
        return taken


def _called(bench: Bench, then: Callable[[], None]) -> FakeInstance:
    """Has the pool call an idle instance, and something done when that is about to be given back; returns it."""
    bench.pool.give_back(bench.pool.check_out(_call()))
    (instance,) = bench.make.live
    bench.pool._held = _HeldThatTells(bench.pool._held, first=then)
    bench.pool.call((), _call())
    return instance


def test_a_call_that_queues_while_the_pool_ends_another_gets_the_instance() -> None:
    bench, waiting = Bench(_lazy(1)), []
    assert _called(bench, lambda: waiting.append(_waiting_call(bench))) is _result(waiting[0])


def test_a_pool_that_is_retired_while_it_ends_a_call_closes_the_instance() -> None:
    bench = Bench(_lazy(1))
    assert _called(bench, bench.pool.retire).closed


def test_an_instance_that_another_call_takes_just_now_is_not_called() -> None:
    bench, others = Bench(_lazy(2)), []
    bench.pool.give_back(bench.pool.check_out(_call()))
    bench.pool._returned = _NamesThatTell(bench.pool._returned, lambda: others.append(bench.pool.check_out(_call())))
    bench.pool.call((), _call())
    assert bench.numbers().in_use == 1
    assert len(bench.make.live) == 2


def test_an_instance_that_lives_no_more_is_not_called() -> None:
    bench = Bench(_lazy(2))
    gone = bench.pool.check_out(_call())
    gone.poisoned = True
    bench.pool.give_back(gone)
    gone.does = lambda _: pytest.fail("it was called")
    bench.pool._returned.append(gone)
    bench.pool.call((), _call())
    assert (bench.numbers().in_use, bench.numbers().idle) == (0, 1)


@pytest.mark.parametrize(("error", "idle"), [(GuestError("its own"), 1), (KeyError("a fault"), 0)])
def test_an_instance_whose_call_fails_is_kept_only_after_an_error_of_ours(error: Exception, idle: int) -> None:
    bench = Bench(_lazy(1))

    def fail(_instance: FakeInstance) -> Value:
        raise error

    instance = bench.pool.check_out(_call())
    instance.does = fail
    bench.pool.give_back(instance)
    with pytest.raises(type(error)):
        bench.pool.call((), _call())
    assert (bench.numbers().idle, instance.closed) == (idle, not idle)


@pytest.mark.usefixtures("_restless_threads")
def test_what_the_pool_calls_is_one_calls_alone_however_many_threads_there_are() -> None:
    bench, calls, threads = Bench(_lazy(3)), 400, 8

    def use(instance: FakeInstance) -> Value:
        instance.users += 1
        assert (instance.users, instance.closed) == (1, False)
        instance.users -= 1
        if random.random() < 0.02:
            raise KeyError
        return 7

    def called() -> None:
        for _ in range(calls):
            with suppress(KeyError):
                assert bench.pool.call((), _call()) == 7

    def teach() -> None:
        for instance in bench.make.made[-threads:]:  # the last is another thread's, if that makes one as well
            instance.does = use

    bench.make.then = teach
    for future in [_in_thread(called) for _ in range(threads)]:
        _result(future)
    numbers = bench.numbers()
    assert numbers.made > 3 >= numbers.peak
    assert numbers.size == numbers.idle == len(bench.make.live)
    assert bench.pool.traffic().asked == threads * calls


def test_a_call_that_queues_while_an_instance_is_being_given_back_gets_it() -> None:
    bench, waiting = Bench(_lazy(1)), []
    instance = bench.pool.check_out(_call())
    bench.pool._held = _HeldThatTells(bench.pool._held, first=lambda: waiting.append(_waiting_call(bench)))
    bench.pool.give_back(instance)  # nobody waited when it began
    assert _result(waiting[0]) is instance


def test_a_call_that_queues_while_a_pool_is_retired_and_an_instance_given_back_closes_it() -> None:
    bench = Bench(_lazy(1))
    instance = bench.pool.check_out(_call())
    bench.pool._held = _HeldThatTells(bench.pool._held, first=bench.pool.retire)
    bench.pool.give_back(instance)
    assert instance.closed
    assert bench.numbers().size == 0


def test_an_instance_that_is_being_taken_is_taken_by_one_call() -> None:
    bench, others = Bench(_lazy(2)), []
    bench.pool.give_back(bench.pool.check_out(_call()))
    bench.pool._returned = _NamesThatTell(bench.pool._returned, lambda: others.append(bench.pool.check_out(_call())))
    assert bench.pool.check_out(_call()) is not others[0]
    assert bench.numbers().in_use == 2


def test_a_wait_for_what_is_being_given_back_can_end() -> None:
    waits, results = WatchedGraph(), []
    inner, outer = Bench(_lazy(1), "app:inner", waits), Bench(_lazy(1), "app:outer", waits)
    frame = _call("app:outer")
    held = outer.pool.check_out(frame)
    instance = inner.pool.check_out(_call("app:inner"))
    # The call of `frame` waits for the inner pool, whose holder has just let go of it: so another may wait for `frame`.
    below = _call("app:inner", frame)
    inner.pool._held = _HeldThatTells(
        inner.pool._held,
        lambda: results.append(_waiting_call(outer)),
        first=lambda: results.append(_waiting_call(inner, below)),
    )
    inner.pool.give_back(instance)
    assert _result(results[0]) is instance
    outer.pool.give_back(held)
    assert _result(results[1]) is held
