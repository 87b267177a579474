from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, DepthError, Frame


def _past() -> float:
    return time.monotonic() - 1


def _future(seconds: float = 3600) -> float:
    return time.monotonic() + seconds


def test_a_nested_frame_inherits_deadline_cancellation_and_values() -> None:
    cancellation = Cancellation()
    outer = CallContext("a:a", "lua", deadline=_future(), cancellation=cancellation, values={"user": "ana"})
    inner = CallContext("a:b", "wasm", outer)
    assert (inner.deadline, inner.cancellation, inner.values) == (outer.deadline, cancellation, {"user": "ana"})
    assert (outer.depth, inner.depth) == (1, 2)
    assert inner.frames() == (Frame("a:a", "lua"), Frame("a:b", "wasm"))


def test_a_callee_never_gets_more_time_than_its_caller_has_left() -> None:
    near, far = _future(10), _future(20)
    assert CallContext("a:b", "lua", CallContext("a:a", "lua", deadline=near), deadline=far).deadline == near
    assert CallContext("a:b", "lua", CallContext("a:a", "lua", deadline=far), deadline=near).deadline == near
    assert CallContext("a:b", "lua", CallContext("a:a", "lua"), deadline=near).deadline == near


def test_own_values_are_merged_over_inherited_ones() -> None:
    outer = CallContext("a:a", "lua", values={"x": 1, "y": 1})
    inner = CallContext("a:b", "lua", outer, values={"y": 2})
    assert inner.values == {"x": 1, "y": 2}
    assert outer.values == {"x": 1, "y": 1}


def test_a_call_without_deadline_and_switch_is_not_guarded() -> None:
    plain = CallContext("a:a", "lua")
    assert not plain.guarded
    assert plain.remaining_seconds() is None
    assert plain.interruption() is None
    assert CallContext("a:a", "lua", deadline=_future()).guarded
    assert CallContext("a:a", "lua", cancellation=Cancellation()).guarded


def test_remaining_seconds_never_fall_below_zero() -> None:
    assert CallContext("a:a", "lua", deadline=_past()).remaining_seconds() == 0
    remaining = CallContext("a:a", "lua", deadline=_future(100)).remaining_seconds()
    assert remaining is not None
    assert 99 < remaining <= 100


def test_a_call_may_not_start_too_deep_too_late_or_cancelled() -> None:
    context = CallContext("a:a", "lua")
    context.check(max_depth=1)
    with pytest.raises(DepthError, match="deeper than 1"):
        CallContext("a:b", "lua", context).check(max_depth=1)
    with pytest.raises(DeadlineError):
        CallContext("a:a", "lua", deadline=_past()).check()
    cancellation = Cancellation()
    guarded = CallContext("a:a", "lua", cancellation=cancellation, deadline=_future())
    guarded.check()
    cancellation.cancel()
    with pytest.raises(CancelledError):
        guarded.check()


def test_cancelling_wakes_everyone_once_and_late_comers_at_once() -> None:
    cancellation, woken = Cancellation(), []
    cancellation.on_cancel(lambda: woken.append("first"))
    forget = cancellation.on_cancel(lambda: woken.append("forgotten"))
    forget()
    forget()
    cancellation.cancel()
    cancellation.cancel()
    late = cancellation.on_cancel(lambda: woken.append("late"))
    late()
    assert woken == ["first", "late"]


def test_the_same_function_may_be_woken_for_two_and_called_off_for_one() -> None:
    cancellation, woken = Cancellation(), list[int]()

    def wake() -> None:
        woken.append(1)

    forget, _ = cancellation.on_cancel(wake), cancellation.on_cancel(wake)
    forget()
    cancellation.cancel()
    assert woken == [1]


def test_cancelling_works_from_another_thread() -> None:
    cancellation, woken = Cancellation(), threading.Event()
    cancellation.on_cancel(woken.set)
    threading.Thread(target=cancellation.cancel).start()
    assert woken.wait(10)


def test_a_waker_may_cancel_and_a_signal_handler_may_cancel_while_one_is_registered() -> None:
    cancellation, woken = Cancellation(), list[str]()

    class Interrupting(dict[Callable[[], None], None]):
        def __setitem__(self, wake: Callable[[], None], nothing: None) -> None:  # a signal handler in the middle of it
            super().__setitem__(wake, nothing)
            cancellation.cancel()

    cancellation._wakers = Interrupting()

    def wake() -> None:
        woken.append("once")
        cancellation.cancel()

    cancellation.on_cancel(wake)
    assert woken == ["once"]


@pytest.mark.parametrize("which", [0, 1])
def test_either_of_two_switches_stops_what_is_under_both(which: int) -> None:
    switches = Cancellation(), Cancellation()
    both, forget = switches[0].joined(switches[1])
    assert not both.cancelled
    switches[which].cancel()
    assert both.cancelled
    assert not switches[1 - which].cancelled
    forget()
    assert not switches[1 - which]._wakers, "a switch that outlives the call must not keep it"


def test_a_nested_frame_has_the_switch_that_it_is_given_and_else_its_parents() -> None:
    outer, own = CallContext("a:a", "lua", cancellation=Cancellation()), Cancellation()
    assert CallContext("a:b", "lua", outer, cancellation=own).cancellation is own
    assert CallContext("a:b", "lua", outer).cancellation is outer.cancellation
