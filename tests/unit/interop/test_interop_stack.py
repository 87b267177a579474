from __future__ import annotations

import _thread
import contextvars
import gc
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import cmp_to_key
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from foreign_threads import in_thread
from polycall.interop import native_stack
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, DepthError, raise_if
from polycall.interop.native_stack import StackPointer, stack_of_this_thread
from polycall.interop.stack import (
    DEFAULT_STACK_BYTES,
    MOST_STACK_BYTES,
    WORK_STACK_BYTES,
    OwnThread,
    StackRoom,
    begin_thread,
)
from polycall.interop.waiting import Wakeup

KIB = 1024
SMALL = 128 * KIB  # the C library may hand out the stack of a thread that ended, if it is at most four times as large


def frame(depth: int = 1, cancellation: Cancellation | None = None) -> CallContext:
    made = CallContext("app:f", "lua", cancellation=cancellation)
    made.depth = depth
    return made


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not tell where it has got to")
def test_the_system_tells_where_a_stack_is_and_where_it_has_got_to() -> None:
    def measure() -> tuple[int, int, int]:
        return (*stack_of_this_thread(), StackPointer().now())

    for size in (SMALL, 8 * KIB * KIB, 64 * KIB * KIB):
        lowest, found, pointer = in_thread(measure, size)
        assert size <= found <= 4 * size
        assert lowest + found - 64 * KIB < pointer < lowest + found  # of a new thread hardly any is used
    lowest, size, pointer = measure()
    assert lowest < pointer < lowest + size


def test_the_stack_pointer_moves_as_native_frames_come_and_go() -> None:
    pointer = StackPointer()
    seen: list[int] = []

    def compare(_a: int, _b: int) -> int:
        seen.append(pointer.now())
        return 0

    before = pointer.now()
    sorted([1, 2], key=cmp_to_key(compare))
    assert seen[0] < before == pointer.now()


def test_the_first_hops_fit_into_a_large_stack_without_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    room = StackRoom()

    def look() -> list[bool]:
        free = room.here.free_hops
        monkeypatch.setattr(type(room.here), "left_bytes", lambda _: 0)
        return [room.lacks(free), room.lacks(free + 1)]

    assert in_thread(look) == [False, True]
    assert in_thread(lambda: room.here.free_hops) >= 5


def test_a_thread_of_ours_knows_its_stack_and_looks_only_at_the_hop_that_may_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[int] = []
    room, seen = StackRoom(), list[object]()

    def look() -> tuple[int, int]:
        looks.append(1)
        return stack_of_this_thread()

    def work() -> None:
        free = room.here.free_hops
        seen.extend([free, room.lacks(free), len(looks)])
        seen.extend([room.lacks(free + 1), len(looks)])  # for hardly anything is used, it fits after all

    monkeypatch.setattr(native_stack, "stack_of_this_thread", look)
    thread = OwnThread(work, "test", 8 * KIB * KIB)
    thread.start()
    thread.join()
    assert seen == [5, False, 0, False, 1]


@pytest.mark.parametrize(("size", "stays"), [(8 * KIB * KIB, 8), (1024 * KIB, 1), (SMALL, 0)])
def test_where_nobody_can_look_the_hops_stay_that_fit_into_three_quarters(
    monkeypatch: pytest.MonkeyPatch, size: int, stays: int
) -> None:
    monkeypatch.setattr(native_stack, "_STACK_POINTER", {})  # as on a machine that is not known
    monkeypatch.setattr(native_stack, "is_told", native_stack.is_told.__wrapped__)
    monkeypatch.setattr(native_stack, "stack_of_this_thread", lambda: (1, size))
    room = StackRoom()
    assert in_thread(lambda: [room.lacks(depth) for depth in (stays, stays + 1)]) == [False, True]


def test_the_stack_of_macos_is_told_by_its_upper_end(monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(
        pthread_self=lambda: 7,
        pthread_get_stackaddr_np=lambda thread: 9_000_000 if thread.value == 7 else 0,
        pthread_get_stacksize_np=lambda thread: 8_000_000 if thread.value == 7 else 0,
    )
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(native_stack, "_system", lambda: library)
    assert native_stack.stack_of_this_thread() == (1_000_000, 8_000_000)


@pytest.mark.parametrize(
    ("stack_bytes", "lacking"), [(DEFAULT_STACK_BYTES, [True, False, False]), (4 * KIB * KIB, [True, True, False])]
)
def test_a_hop_needs_what_a_guest_may_use_of_the_stack(stack_bytes: int, lacking: list[bool]) -> None:
    room = StackRoom(stack_bytes)
    sizes = (SMALL, 1024 * KIB, 8 * KIB * KIB)
    assert [in_thread(lambda: room.lacks(1), size) for size in sizes] == lacking


def test_a_thread_of_ours_has_room_for_a_whole_chain_as_deep_as_it_may_be() -> None:
    for stack_bytes in (DEFAULT_STACK_BYTES, MOST_STACK_BYTES):
        room = StackRoom(stack_bytes)

        def look(room: StackRoom = room) -> tuple[int, int]:
            return room.here.free_hops, room.here.left_bytes()

        free, left = room.elsewhere(frame(), look)
        assert free >= 16
        assert left > 33 * stack_bytes


def test_work_elsewhere_gives_its_result_its_error_and_sees_the_callers_variables() -> None:
    variable = contextvars.ContextVar("variable", default="nothing")
    room = StackRoom()

    def work() -> tuple[str, int]:
        seen = variable.get()
        variable.set("theirs")
        return seen, threading.get_ident()

    variable.set("ours")
    seen, ident = room.elsewhere(frame(), work)
    assert (seen, variable.get()) == ("ours", "ours")
    assert ident != threading.get_ident()
    error = KeyError("own")
    with pytest.raises(KeyError) as caught:
        room.elsewhere(frame(), lambda: raise_if(error))
    assert caught.value is error


def test_work_elsewhere_leaves_nothing_to_the_garbage_collector() -> None:
    room = StackRoom()

    def fail() -> None:
        raise KeyError

    def go() -> None:
        room.elsewhere(frame(cancellation=Cancellation()), int)
        with suppress(KeyError):
            room.elsewhere(frame(), fail)

    go()
    gc.collect()
    gc.disable()
    try:
        go()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_work_that_was_given_up_before_it_began_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[OwnThread] = []

    def interrupt(thread: OwnThread) -> None:
        threads.append(thread)
        raise KeyboardInterrupt

    began: list[bool] = []
    with monkeypatch.context() as patched:
        patched.setattr(OwnThread, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            StackRoom().elsewhere(frame(), lambda: began.append(True))
    threads[0].start()
    threads[0].join()
    assert not began


def test_work_stays_where_there_is_room_and_goes_where_there_is_none() -> None:
    room = StackRoom()

    def goes() -> bool:
        return room.run(frame(), threading.get_ident) != threading.get_ident()

    assert [in_thread(goes, size) for size in (8 * KIB * KIB, SMALL)] == [False, True]


@pytest.mark.parametrize("own", [None, Cancellation()], ids=["a call that nobody can cancel", "a cancellable call"])
def test_an_exception_of_a_signal_handler_ends_the_work_and_is_raised_after_it(own: Cancellation | None) -> None:
    class Stop(Exception):  # noqa: N818 - what a handler raises is no error
        pass

    def stop(_number: int, _frame: object) -> None:
        raise Stop

    ended: list[type[BaseException] | None] = []
    context = frame(cancellation=own)

    def work() -> None:
        main = threading.main_thread().ident or 0
        try:
            signal.pthread_kill(main, signal.SIGUSR1)
            Wakeup().wait(context, "nothing")
        finally:
            signal.pthread_kill(main, signal.SIGUSR1)  # one more, while the caller waits for the end
            ended.append(sys.exc_info()[0])

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(Stop):
            StackRoom().elsewhere(context, work)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ended == [CancelledError]
    assert own is None or not own.cancelled  # that is for who gave it to say


def test_a_cancellation_given_from_outside_reaches_the_work() -> None:
    own = Cancellation()
    context = frame(cancellation=own)

    def work() -> None:
        own.cancel()
        Wakeup().wait(context, "nothing")

    with pytest.raises(CancelledError):
        StackRoom().elsewhere(context, work)
    assert not own._wakers


def test_a_system_that_gives_no_thread_more_ends_the_call_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(DepthError, match="no stack left for this call, and can't start new thread") as caught:
        StackRoom().elsewhere(frame(), lambda: None)
    assert "ulimit -s" in (caught.value.hint or "")


def test_starting_a_thread_leaves_the_stack_size_of_others_alone() -> None:
    before = threading.stack_size(512 * KIB)
    try:
        thread = OwnThread(lambda: None, "test")
        thread.start()
        thread.join()
        assert threading.stack_size() == 512 * KIB
    finally:
        threading.stack_size(before)


def test_no_other_thread_comes_between_a_thread_of_calls_and_its_stack() -> None:
    sizes: list[int] = []
    seen: set[int] = set()
    left = 0

    def others(frame: FrameType, event: str, _argument: object) -> Any:
        """Sets a size at one of the lines, as another thread might do there."""
        nonlocal left
        if frame.f_code is begin_thread.__code__ and event == "line":
            left -= 1
            found = threading.stack_size(256 * KIB)
            seen.add(found)
            if left:
                threading.stack_size(found)
        return others

    before, tracing = threading.stack_size(512 * KIB), sys.gettrace()
    try:
        for line in range(1, 20):
            left = line
            sys.settrace(others)
            begin_thread(lambda: sizes.append(stack_of_this_thread()[1]), ())
            sys.settrace(tracing)
            assert threading.stack_size(512 * KIB) == (512 if left > 0 else 256) * KIB
    finally:
        sys.settrace(tracing)
        threading.stack_size(before)
    while len(sizes) < 19:
        time.sleep(0.001)
    assert min(sizes) >= WORK_STACK_BYTES
    assert seen == {256 * KIB, 512 * KIB}  # and with that begin the threads of others


def test_a_thread_that_cannot_begin_leaves_the_stack_size_of_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    before = threading.stack_size(512 * KIB)
    try:
        with pytest.raises(RuntimeError):
            begin_thread(lambda: None, ())
        assert threading.stack_size() == 512 * KIB
    finally:
        threading.stack_size(before)


def test_what_others_say_of_stacks_while_a_thread_starts_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    # Who starts a thread with a small stack puts the size back as soon as it runs: it may be starting one of ours.
    start, before = threading.Thread.start, threading.stack_size(512 * KIB)

    def start_and_say(thread: threading.Thread) -> None:
        start(thread)
        threading.stack_size(256 * KIB)

    monkeypatch.setattr(threading.Thread, "start", start_and_say)
    thread = OwnThread(lambda: None, "test", 1024 * KIB)
    thread.start()
    thread.join()
    try:
        assert threading.stack_size() == 256 * KIB
    finally:
        threading.stack_size(before)
