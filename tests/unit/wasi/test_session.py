"""What is kept of an instance for one call, and the one place where guests wait."""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, InternalError, PoolClosedError, TrapError
from polycall.wasm_runtime.wasi.readiness import Readiness, Timer
from polycall.wasm_runtime.wasi.session import Kept, Session, TooManyError, session_of
from waiting_threads import taken_place
from wasi_sessions import Basin, Spring, Watched, new_session, store_of


class Thing(Kept):
    bound = "max_open_files"

    def __init__(self, session: Session, *, lasting: bool = False, fails: bool = False) -> None:
        super().__init__(session, lasting=lasting)
        self.fails = fails
        self.done: list[str] = []
        self.ended = 0

    def close(self) -> None:
        self.done.append("closed")
        if self.fails:
            raise OSError("cannot close")

    def end_call(self) -> None:
        self.ended += 1


def test_what_a_call_opened_is_closed_when_it_ends_and_what_lasts_is_not() -> None:
    session = new_session()
    own, lasting = Thing(session), Thing(session, lasting=True)
    closes, lasting_closes = own.done, lasting.done
    session.end()
    assert (closes, lasting_closes, lasting.ended) == (["closed"], [], 1)
    assert set(vars(own)) == {"session", "lasting", "gone"}  # the guest may keep it as long as it likes
    own.drop()
    with pytest.raises(TrapError, match="a resource that is gone: it was closed when the call that opened it ended"):
        own.check()
    lasting.check()
    session.close()
    session.close()
    assert (closes, lasting_closes) == (["closed"], ["closed"])
    with pytest.raises(TrapError, match="its instance has ended"):
        lasting.check()


def test_one_that_cannot_be_closed_keeps_no_other_open(caplog: pytest.LogCaptureFixture) -> None:
    session = new_session()
    things = [Thing(session, fails=fails) for fails in (False, True, False)]
    things += [Thing(session, lasting=True, fails=True), Thing(session, lasting=True)]
    done = [thing.done for thing in things]
    session.shared("stdout", FailingEnd)
    with caplog.at_level(logging.ERROR, "polycall.wasi"):
        session.end()
        session.close()
    assert done == [["closed"]] * 5
    # Two things; and the end of the streams, when the call ended, when the session did, and when it was closed itself.
    assert {record.message for record in caplog.records} == {"something that app:guest had open could not be closed"}
    assert len(caplog.records) == 5
    assert session.context is None


class FailingEnd(Basin):
    def __init__(self) -> None:
        super().__init__(1)

    def end_call(self) -> None:
        raise ValueError("end_call")

    def close(self) -> None:
        raise ValueError("close")


def test_each_bound_has_its_error_and_is_free_again_afterwards() -> None:
    session = new_session(max_open_files=1)
    thing = Thing(session)
    with pytest.raises(TooManyError, match=r"the guest has 1 open files .*wasi\.limits\.max_open_files"):
        Thing(session)
    thing.drop()
    thing.drop()
    closes = Thing(session).done
    session.end()
    assert (thing.done, closes) == (["closed"], ["closed"])
    session.begin(CallContext("app:guest", "wasm"))
    Thing(session)
    with pytest.raises(TooManyError):
        Thing(session)


def test_ends_are_shared_by_name_and_closed_with_the_session() -> None:
    session = new_session()
    basin = session.shared("stdout", lambda: Basin(1))
    assert session.shared("stdout", lambda: Basin(2)) is basin
    assert session.ends() == [basin]
    session.end()
    assert basin.closes == 0
    session.close()
    assert basin.closes == 1
    assert not session.ends()


def test_outside_of_a_call_nothing_is_waited_for() -> None:
    session = new_session()
    session.end()
    with pytest.raises(InternalError, match="outside of any call"):
        session.wait([Timer(0)], "nothing")


def test_an_instance_without_a_session_is_a_fault_of_ours() -> None:
    session = new_session()
    assert session_of(store_of(session)) is session
    with pytest.raises(InternalError, match="an instance without a session"):
        session_of(store_of(None))  # type: ignore[arg-type]  # the fault under test


def test_a_session_and_what_it_kept_are_no_garbage_for_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        session = new_session()
        kept = [weakref.ref(each) for each in (Thing(session), Thing(session, lasting=True), session)]
        session.shared("stdout", lambda: Basin(1))
        session.close()
        del session
        assert [each() for each in kept] == [None] * 3
    finally:
        gc.enable()


# --- waiting ---


def test_what_is_ready_is_not_watched() -> None:
    spring = Spring(b"a")
    new_session().wait([Spring(), spring], "input")
    assert not spring.watchers


class FalseAlarm(Readiness):
    def ready(self) -> bool:
        return False

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        call()
        return lambda: None


def test_false_alarms_hold_up_no_deadline() -> None:
    session = new_session(seconds=0.05)
    with pytest.raises(DeadlineError, match="while it waited for nothing at all"):
        session.wait([FalseAlarm()], "nothing at all")
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(CancelledError):
        new_session(cancellation=cancellation).wait([FalseAlarm()], "nothing at all")
    session = new_session()
    session.wait([FalseAlarm(), Timer(time.monotonic() + 0.01)], "a point in time")


def test_what_becomes_ready_while_it_is_being_watched_is_not_missed() -> None:
    class Late(Spring):
        def watch(self, call: Callable[[], None]) -> Callable[[], None]:
            stop = super().watch(call)
            self.pieces.append(b"now")  # without a word
            return stop

    late = Late()
    new_session(seconds=10).wait([late], "input")
    assert not late.watchers


def test_a_watch_that_fails_leaves_no_other_behind() -> None:
    class Broken(Spring):
        def watch(self, call: Callable[[], None]) -> Callable[[], None]:
            raise RuntimeError("can't start new thread")

    springs = [Spring(), Spring()]
    with pytest.raises(RuntimeError):
        new_session().wait([*springs, Broken(), Spring()], "input")
    assert not any(spring.watchers for spring in springs)


def test_a_time_that_never_comes_is_no_trouble() -> None:
    session = new_session(seconds=0.02)
    with pytest.raises(DeadlineError):
        session.wait([Timer(2.0**64)], "a point in time")
    with pytest.raises(DeadlineError):
        session.wait([Timer(float("inf"))], "a point in time")


def test_the_place_of_the_call_is_given_away_while_it_waits_and_only_then() -> None:
    with taken_place() as moves:
        new_session().wait([Timer(0)], "a point in time")
        assert moves == []
        new_session().wait([Timer(time.monotonic() + 0.001)], "a point in time")
        assert moves == ["leave", "retake"]
        with pytest.raises(DeadlineError):
            new_session(seconds=0.001).wait([Spring()], "input")
        assert moves == ["leave", "retake"] * 2


@pytest.mark.parametrize("before", [False, True])
def test_the_end_of_the_runtime_ends_waits(before: bool) -> None:
    closing = Cancellation()
    session = new_session(closing=closing)
    watched = Spring()
    if before:
        closing.cancel()
    else:
        threading.Timer(0.02, closing.cancel).start()
    with pytest.raises(PoolClosedError, match="the registry was closed while the call waited for input"):
        session.wait([watched], "input")
    assert not watched.watchers
    session.wait([Readiness()], "what is there")  # which waits for nothing


def test_waits_that_are_over_leave_nothing_with_the_runtime() -> None:
    closing = Cancellation()
    session = new_session(closing=closing, seconds=0.01)
    with pytest.raises(DeadlineError):
        session.wait([Never()], "input")
    assert not closing._wakers


class Never(Watched, Readiness):
    def ready(self) -> bool:
        return False
