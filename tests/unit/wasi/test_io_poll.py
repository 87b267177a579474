"""``wasi:io/poll`` and ``wasi:io/error``."""

from __future__ import annotations

import threading
import time

import pytest

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, TrapError
from polycall.wasm_runtime.wasi.io.error import IoError
from polycall.wasm_runtime.wasi.io.poll import Poll, Pollable
from polycall.wasm_runtime.wasi.io.streams import InputStream
from polycall.wasm_runtime.wasi.readiness import Readiness, Timer
from polycall.wasm_runtime.wasi.session import Session, TooManyError
from wasi_sessions import STORE, Spring, new_session


def never(session: Session) -> Pollable:
    return Pollable(session, Spring(), "what never comes")


def always(session: Session) -> Pollable:
    return Pollable(session, Readiness(), "what is there")


def test_poll_gives_the_places_of_all_that_are_ready_in_order() -> None:
    session = new_session()
    no, yes = never(session), always(session)
    assert Poll().poll(STORE, [no, yes, no, yes, yes]) == [1, 3, 4]
    assert Poll().poll(STORE, [yes]) == [0]
    assert (no.ready(STORE), yes.ready(STORE)) == (False, True)
    yes.block(STORE)


def test_the_same_pollable_and_others_of_the_same_stream_may_be_there_together() -> None:
    session = new_session()
    stream = InputStream(session, Spring(b"a"), "input")
    first, second = stream.subscribe(STORE), stream.subscribe(STORE)
    assert Poll().poll(STORE, [first, second, first, second]) == [0, 1, 2, 3]


def test_an_empty_list_traps_and_so_does_one_without_end() -> None:
    session = new_session()
    with pytest.raises(TrapError, match="poll was called with an empty list"):
        Poll().poll(STORE, [])
    one = always(session)
    assert len(Poll().poll(STORE, [one] * 10_000)) == 10_000
    with pytest.raises(TrapError, match="poll was called with 10001 pollables; at most 10000"):
        Poll().poll(STORE, [one] * 10_001)


def test_poll_wakes_for_the_earliest_of_many() -> None:
    session = new_session(seconds=30)
    now = time.monotonic()
    late, soon = (Pollable(session, Timer(now + seconds), "a point in time") for seconds in (20, 0.02))
    assert Poll().poll(STORE, [late, never(session), soon]) == [2]
    assert 0.02 <= time.monotonic() - now < 10


def test_a_thousand_pollables_are_watched_and_all_called_off() -> None:
    session = new_session(seconds=30)
    springs = [Spring() for _ in range(1000)]
    pollables = [Pollable(session, spring, "input") for spring in springs]

    def give() -> None:
        while not springs[-1].watchers:
            time.sleep(0.001)
        springs[500].pieces.append(b"a")
        springs[500].tell()

    thread = threading.Thread(target=give)
    thread.start()
    assert Poll().poll(STORE, pollables) == [500]
    thread.join()
    assert not any(spring.watchers for spring in springs)


def test_a_pollable_can_be_used_again_and_again() -> None:
    session = new_session()
    spring = Spring()
    pollable = Pollable(session, spring, "input")
    for _ in range(3):
        assert not pollable.ready(STORE)
        spring.pieces.append(b"a")
        pollable.block(STORE)
        spring.read(1)


def test_a_pollable_outlives_its_stream_without_harm() -> None:
    session = new_session(seconds=5)
    stream = InputStream(session, Spring(b"a"), "input")
    pollable = stream.subscribe(STORE)
    stream.drop()
    assert Poll().poll(STORE, [pollable]) == [0]


def test_a_pollable_that_is_gone_traps_wherever_it_stands() -> None:
    session = new_session()
    gone, there = always(session), always(session)
    gone.drop()
    with pytest.raises(TrapError, match="the guest used a resource that is gone: it was dropped"):
        Poll().poll(STORE, [there, gone])


def test_there_are_so_many_pollables_and_no_more_until_one_is_dropped() -> None:
    session = new_session(max_pollables=2)
    first, _second = always(session), always(session)
    with pytest.raises(TooManyError, match=r"the guest has 2 pollables .*raise wasi\.limits\.max_pollables"):
        always(session)
    first.drop()
    first.drop()  # counts once
    always(session)
    with pytest.raises(TooManyError):
        always(session)
    session.end()
    session.begin(CallContext("app:guest", "wasm"))
    always(session)


@pytest.mark.parametrize("many", [1, 100])
def test_poll_ends_with_the_deadline_and_the_cancellation(many: int) -> None:
    session = new_session(seconds=0.05)
    what = "what never comes" if many == 1 else "one of 100 things"
    with pytest.raises(DeadlineError, match=f"the deadline of the call passed while it waited for {what}"):
        Poll().poll(STORE, [never(session) for _ in range(many)])
    cancellation = Cancellation()
    session = new_session(cancellation=cancellation)
    timer = threading.Timer(0.02, cancellation.cancel)
    timer.start()
    with pytest.raises(CancelledError, match=f"while it waited for {what}"):
        Poll().poll(STORE, [never(session) for _ in range(many)])
    timer.join()


def test_what_is_ready_wins_over_a_deadline_that_has_passed() -> None:
    session = new_session(seconds=0)
    assert Poll().poll(STORE, [always(session)]) == [0]


def test_an_error_says_its_text() -> None:
    assert IoError("no space").to_debug_string(STORE) == "no space"
