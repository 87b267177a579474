from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

import pytest

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, PoolClosedError
from polycall.interop.waiting import Waiter, WaitGraph, Wakeup
from waiting_threads import taken_place


class WatchedCancellation(Cancellation):
    """Tells when somebody has begun to listen to it, and who still does."""

    def __init__(self) -> None:
        super().__init__()
        self.listening = threading.Event()
        self.listeners = 0

    def add(self, waker: Callable[[], None]) -> None:
        super().add(waker)
        self.listeners += 1
        self.listening.set()

    def remove(self, waker: Callable[[], None]) -> None:
        super().remove(waker)
        self.listeners -= 1


def _call(deadline: float | None = None, cancellation: Cancellation | None = None) -> CallContext:
    return CallContext("app:tax", "lua", deadline=deadline, cancellation=cancellation)


def _once(event: threading.Event, act: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        event.wait()
        act()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _soon(seconds: float = 0.02) -> float:
    return time.monotonic() + seconds


# Wakeup


def test_a_wait_that_was_notified_before_it_began_ends_at_once() -> None:
    wakeup = Wakeup()
    wakeup.notify()
    wakeup.notify()
    assert wakeup.wait(_call(), "the answer")


@pytest.mark.parametrize("deadline", [None, 3600.0, math.inf])
def test_notify_from_another_thread_ends_the_wait(deadline: float | None) -> None:
    wakeup, cancellation = Wakeup(), WatchedCancellation()
    context = _call(None if deadline is None else time.monotonic() + deadline, cancellation)
    notifier = _once(cancellation.listening, wakeup.notify)
    assert wakeup.wait(context, "the answer")
    notifier.join()


def test_a_wait_ends_without_an_error_when_its_own_time_is_up() -> None:
    until = _soon()
    assert not Wakeup().wait(_call(deadline=time.monotonic() + 3600), "the end of its sleep", until)
    assert time.monotonic() >= until


def test_a_wait_without_a_deadline_ends_when_its_own_time_is_up() -> None:
    assert not Wakeup().wait(_call(), "the end of its sleep", _soon())


def test_the_deadline_ends_a_wait_with_an_error_that_names_what_it_waited_for() -> None:
    deadline = _soon()
    with pytest.raises(DeadlineError, match="deadline of the call passed while it waited for the answer") as caught:
        Wakeup().wait(_call(deadline), "the answer", until=time.monotonic() + 3600)
    assert time.monotonic() >= deadline
    assert caught.value.entry_id == "app:tax"


def test_a_deadline_that_is_past_ends_the_wait_before_it_begins() -> None:
    with pytest.raises(DeadlineError):
        Wakeup().wait(_call(time.monotonic() - 1), "the answer")


def test_what_was_waited_for_wins_over_a_deadline_that_passes_at_the_same_moment() -> None:
    wakeup = Wakeup()
    wakeup.notify()
    assert wakeup.wait(_call(time.monotonic() - 1), "the answer")


def test_cancelling_from_another_thread_ends_the_wait_at_once() -> None:
    cancellation = WatchedCancellation()
    canceller = _once(cancellation.listening, cancellation.cancel)
    with pytest.raises(CancelledError, match="cancelled while it waited for the answer"):
        Wakeup().wait(_call(cancellation=cancellation), "the answer")
    canceller.join()


def test_a_call_that_is_cancelled_already_does_not_wait() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(CancelledError):
        Wakeup().wait(_call(cancellation=cancellation), "the answer")


def test_a_signal_handler_may_cancel_the_wait_of_its_own_thread() -> None:
    cancellation, over = WatchedCancellation(), threading.Event()
    waiting_thread = threading.get_ident()

    def cancel(_number: int, _frame: FrameType | None) -> None:
        cancellation.cancel()

    def send() -> None:
        # Again and again: Python notices a signal late that comes just before a thread blocks.
        while not over.wait(0.01):
            signal.pthread_kill(waiting_thread, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, cancel)
    sender = _once(cancellation.listening, send)
    try:
        with pytest.raises(CancelledError):
            Wakeup().wait(_call(cancellation=cancellation), "the answer")
    finally:
        over.set()
        sender.join()
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("end", ["notified", "deadline", "time"])
def test_a_wait_that_is_over_leaves_nothing_with_the_cancellation(end: str) -> None:
    wakeup, cancellation = Wakeup(), WatchedCancellation()
    if end == "notified":
        wakeup.notify()
    context = _call(_soon(0) if end == "deadline" else None, cancellation)
    try:
        wakeup.wait(context, "the answer", _soon(0) if end == "time" else None)
    except DeadlineError:
        assert end == "deadline"
    assert cancellation.listening.is_set()
    assert cancellation.listeners == 0


# Waits of guests


def test_a_guest_that_waits_gives_its_place_away_and_takes_it_again_whatever_happens() -> None:
    with taken_place() as moves:
        assert not Wakeup().wait(_call(), "the end of its sleep", _soon(), Cancellation())
        assert moves == ["leave", "retake"]
        with pytest.raises(DeadlineError):
            Wakeup().wait(_call(_soon(0)), "input", None, Cancellation())
        assert moves == ["leave", "retake"] * 2


def test_a_call_that_waits_for_others_keeps_its_place() -> None:
    with taken_place() as moves:
        assert not Wakeup().wait(_call(), "an instance", _soon())
    assert moves == []


@pytest.mark.parametrize("before", [True, False])
def test_a_guest_may_wait_no_more_once_the_registry_closes(before: bool) -> None:
    closing = WatchedCancellation()
    closer = _once(closing.listening, closing.cancel)
    if before:
        closing.cancel()
    with pytest.raises(PoolClosedError, match="the registry was closed while the call waited for input"):
        Wakeup().wait(_call(), "input", None, closing)
    closer.join()
    assert (closing.listeners, closing._wakers) == (0, {})


def test_what_was_waited_for_wins_over_the_end_of_the_registry() -> None:
    wakeup, closing = Wakeup(), Cancellation()
    wakeup.notify()
    closing.cancel()
    assert wakeup.wait(_call(), "input", None, closing)


# WaitGraph


def _frame(name: str, parent: CallContext | None = None) -> CallContext:
    return CallContext(f"app:{name}", "lua", parent)


def _refused(graph: WaitGraph, frame: CallContext, holders: Sequence[CallContext]) -> list[str]:
    with graph.lock:
        return [waiter.chain() for waiter in graph.enter(Waiter(frame, holders))]


def _begins(graph: WaitGraph, frame: CallContext, holders: Sequence[CallContext]) -> Waiter:
    waiter = Waiter(frame, holders)
    with graph.lock:
        assert graph.enter(waiter) == []
    return waiter


def test_a_call_may_wait_for_one_that_runs() -> None:
    _begins(WaitGraph(), _frame("a"), [_frame("b")])


def test_a_call_may_not_wait_for_what_its_own_chain_holds() -> None:
    outer = _frame("a")
    inner = _frame("a", _frame("b", outer))
    assert _refused(WaitGraph(), inner, [outer]) == ["app:a (lua) -> app:b (lua) -> app:a (lua)"]


def test_a_call_may_wait_if_its_own_chain_holds_only_a_part() -> None:
    outer = _frame("a")
    _begins(WaitGraph(), _frame("a", outer), [outer, _frame("a")])


@pytest.mark.parametrize("length", [2, 3, 5])
def test_whoever_would_close_a_circle_of_chains_is_refused(length: int) -> None:
    graph = WaitGraph()
    holders = [_frame(f"p{number}") for number in range(length)]
    waits = [_frame(f"p{(number + 1) % length}", holders[number]) for number in range(length)]
    for number in range(length - 1):
        _begins(graph, waits[number], [holders[number + 1]])
    refused = _refused(graph, waits[-1], [holders[0]])
    assert refused[0] == f"app:p{length - 1} (lua) -> app:p0 (lua)"
    assert sorted(refused[1:]) == [f"app:p{n} (lua) -> app:p{n + 1} (lua)" for n in range(length - 1)]


def test_a_refused_wait_leaves_no_trace() -> None:
    graph = WaitGraph()
    outer = _frame("a")
    assert _refused(graph, _frame("a", outer), [outer])
    _begins(graph, _frame("a"), [outer])


def test_a_wait_that_is_over_holds_up_nobody() -> None:
    graph = WaitGraph()
    first, second = _frame("a"), _frame("b")
    wait = _begins(graph, _frame("b", first), [second])
    assert _refused(graph, _frame("a", second), [first])
    with graph.lock:
        graph.leave(wait)
        graph.leave(wait)
    _begins(graph, _frame("a", second), [first])


def test_a_holder_that_can_go_on_anywhere_along_the_way_lets_all_of_them_wait() -> None:
    graph = WaitGraph()
    first, second, third, running = _frame("a"), _frame("b"), _frame("c"), _frame("c")
    _begins(graph, _frame("c", second), [third, running])
    _begins(graph, _frame("b", first), [second])
    _begins(graph, _frame("a", third), [first])  # a circle of three, but for the fourth call that runs


def test_the_last_call_that_runs_may_not_begin_to_wait_for_the_others() -> None:
    graph = WaitGraph()
    first, second, third = _frame("a"), _frame("b"), _frame("b")
    _begins(graph, _frame("b", first), [second, third])
    _begins(graph, _frame("a", second), [first])
    assert len(_refused(graph, _frame("a", third), [first])) == 3


def test_a_branch_of_a_chain_may_wait_for_its_sibling_that_runs() -> None:
    caller = _frame("python")
    sibling = _frame("a", caller)
    _begins(WaitGraph(), _frame("a", caller), [sibling])


def test_a_branch_may_not_wait_for_a_sibling_that_waits_for_their_common_caller() -> None:
    graph = WaitGraph()
    caller = _frame("a")
    sibling, running = _frame("b", caller), _frame("b")
    wait = _begins(graph, _frame("b", caller), [sibling, running])
    assert _refused(graph, _frame("a", sibling), [caller])
    with graph.lock:
        graph.leave(wait)
    assert _refused(graph, _frame("a", sibling), [caller])


def test_a_caller_counts_as_waiting_for_every_one_of_its_branches() -> None:
    # One branch of `caller` can go on, the other waits for `other`: if `other` waited for `caller`, which joins both of
    # them, nobody would ever find the circle.
    graph = WaitGraph()
    caller, other, running = _frame("a"), _frame("b"), _frame("c")
    _begins(graph, _frame("b", caller), [other])
    _begins(graph, _frame("c", caller), [running])
    assert len(_refused(graph, _frame("a", other), [caller])) == 2


class Lock:
    """Notes for how long it is asked; it is free for who asks for the third time, or waits without an end."""

    def __init__(self, wakeup: Wakeup) -> None:
        self.timeouts: list[float] = []
        self._wakeup = wakeup

    def acquire(self, *, timeout: float) -> bool:
        self.timeouts.append(timeout)
        if timeout >= 0 and len(self.timeouts) < 3:
            return False
        self._wakeup.notified = True
        return True


def test_only_the_thread_that_runs_signal_handlers_looks_for_them_again(monkeypatch: pytest.MonkeyPatch) -> None:
    wakeup = Wakeup()
    lock = Lock(wakeup)
    monkeypatch.setattr(wakeup, "_asleep", lock)
    assert wakeup.wait(_call(), "something")
    assert [0 <= timeout <= 0.05 for timeout in lock.timeouts] == [True, True, True]

    other = Wakeup()
    lock = Lock(other)
    monkeypatch.setattr(other, "_asleep", lock)
    thread = threading.Thread(target=other.wait, args=(_call(), "something"))
    thread.start()
    thread.join()
    assert lock.timeouts == [-1]
