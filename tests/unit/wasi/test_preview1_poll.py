"""Preview 1: waiting for times and descriptors."""

from __future__ import annotations

import os
import struct
import threading
import time
from typing import NamedTuple

import pytest

from polycall.interop.context import Cancellation
from polycall.interop.errors import CancelledError, DeadlineError
from polycall.wasm_runtime.wasi.console import Console
from wasip1_guests import OUT, Done, Host, Steps

AGAIN, BADF, INVAL, PIPE = 6, 8, 28, 64
REALTIME, MONOTONIC = 0, 1
EVENTS = 8192
SECOND = 1_000_000_000


def clock(userdata: int, nanoseconds: int, *, which: int = MONOTONIC, flags: int = 0) -> bytes:
    return struct.pack("<QB7xI4xQQH6x", userdata, 0, which, nanoseconds, 0, flags)


def descriptor(userdata: int, kind: int, fd: int) -> bytes:
    return struct.pack("<QB7xI28x", userdata, kind, fd)


class Event(NamedTuple):
    userdata: int
    errno: int
    kind: int
    size: int
    flags: int


def events(done: Done) -> list[Event]:
    return [Event(*struct.unpack_from("<QHB5xQH6x", done.memory, EVENTS + 32 * at)) for at in range(done.u32())]


def poll(*subscriptions: bytes, host: Host | None = None, seconds: float | None = 10) -> Done:
    steps = Steps(host)
    steps.call("poll_oneoff", steps.put(b"".join(subscriptions)), EVENTS, len(subscriptions), OUT)
    return steps.run(seconds)


@pytest.mark.parametrize("which", [REALTIME, MONOTONIC])
def test_a_time_from_now(which: int) -> None:
    begin = time.monotonic()
    done = poll(clock(7, SECOND // 50, which=which))
    assert time.monotonic() - begin >= 0.02
    assert events(done) == [Event(7, 0, 0, 0, 0)]


@pytest.mark.parametrize(("which", "instant"), [(REALTIME, time.time_ns), (MONOTONIC, lambda: 0)])
def test_a_time_of_the_clock_that_is_over(which: int, instant: object) -> None:
    assert callable(instant)
    done = poll(clock(2**64 - 1, instant(), which=which, flags=1), clock(8, 2**64 - 1))
    assert events(done) == [Event(2**64 - 1, 0, 0, 0, 0)]


def test_a_time_of_the_clock_that_comes() -> None:
    begin = time.time_ns()
    poll(clock(1, begin + SECOND // 50, which=REALTIME, flags=1))
    assert time.time_ns() - begin >= SECOND // 50


def test_what_is_ready_comes_at_once() -> None:
    done = poll(clock(1, 3600 * SECOND), descriptor(2, 1, 0), descriptor(3, 2, 1), descriptor(4, 2, 2))
    assert [(each.userdata, each.kind, each.errno) for each in events(done)] == [(2, 1, 0), (3, 2, 0), (4, 2, 0)]


def test_input_that_comes_ends_the_wait() -> None:
    stdin, to_stdin = os.pipe()
    later = threading.Timer(0.05, os.write, (to_stdin, b"x"))
    later.start()
    try:
        done = poll(clock(1, 3600 * SECOND), descriptor(2, 1, 0), host=Host(console=Console(stdin, None, None)))
        assert [each.userdata for each in events(done)] == [2]
    finally:
        later.join()
        os.close(stdin)
        os.close(to_stdin)


@pytest.mark.parametrize(
    ("subscription", "errno"),
    [
        (descriptor(1, 1, 99), BADF),
        (descriptor(1, 1, 1), BADF),
        (descriptor(1, 2, 0), BADF),
        (descriptor(1, 3, 0), INVAL),
        (clock(1, 0, which=2), INVAL),
        (clock(1, 0, flags=2), INVAL),
    ],
)
def test_what_cannot_be_waited_for(subscription: bytes, errno: int) -> None:
    assert poll(subscription).errnos == [errno]


def test_nothing_is_nothing_to_wait_for() -> None:
    assert poll().errnos == [INVAL]


def test_lists_are_bounded() -> None:
    pages = 60  # of 64 KiB: room for more subscriptions than there may be
    steps = Steps()
    source = steps.call("poll_oneoff", 0, 0, 10_001, OUT).source().replace('"memory") 1', f'"memory") {pages}')
    with steps.host.instance(source, wit="run: func() -> list<u8>") as instance:
        assert steps.run_in(instance).errnos == [INVAL]


def test_a_wait_ends_with_the_deadline() -> None:
    begin = time.monotonic()
    with pytest.raises(DeadlineError, match="a point in time"):
        poll(clock(1, 3600 * SECOND), seconds=0.05)
    assert time.monotonic() - begin < 2


def test_a_blocking_read_ends_with_the_deadline() -> None:
    stdin, to_stdin = os.pipe()
    try:
        steps = Steps(Host(console=Console(stdin, None, None)))
        steps.call("fd_read", 0, steps.buffers((2048, 1)), 1, OUT)
        with pytest.raises(DeadlineError, match="input"):
            steps.run(0.05)
    finally:
        os.close(stdin)
        os.close(to_stdin)


@pytest.mark.parametrize("flags", [0, 4])
def test_output_that_nobody_reads(flags: int) -> None:
    """It is waited for until the deadline, unless the guest said that it does not wait."""
    from_stdout, stdout = os.pipe()
    try:
        steps = Steps(Host(console=Console(None, stdout, None))).call("fd_fdstat_set_flags", 1, flags)
        listed = steps.buffers(*[(0, 65_536)] * 64)
        steps.call("fd_write", 1, listed, 64, OUT).call("fd_write", 1, listed, 64, OUT + 8)
        if not flags:
            with pytest.raises(DeadlineError, match="room for output"):
                steps.run(0.2)
            return
        done = steps.run()
        assert done.errnos == [0, 0, AGAIN]
        assert 0 < done.u32() < 64 * 65_536
    finally:
        os.close(from_stdout)
        os.close(stdout)


def test_output_to_a_pipe_that_is_closed() -> None:
    from_stdout, stdout = os.pipe()
    os.close(from_stdout)
    try:
        steps = Steps(Host(console=Console(None, stdout, None)))
        assert steps.call("fd_write", 1, steps.buffers(steps.text("x")), 1, OUT).run().errnos == [PIPE]
    finally:
        os.close(stdout)


def test_a_wait_ends_with_a_cancellation() -> None:
    cancellation = Cancellation()
    steps = Steps()
    steps.call("poll_oneoff", steps.put(clock(1, 3600 * SECOND)), EVENTS, 1, OUT)
    threading.Timer(0.05, cancellation.cancel).start()
    with pytest.raises(CancelledError):
        steps.run(None, cancellation)
