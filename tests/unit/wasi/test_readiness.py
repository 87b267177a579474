"""Things that a guest can wait for."""

from __future__ import annotations

import os
import threading
import time

from polycall.wasm_runtime.wasi.readiness import Readiness, Timer, nothing, watch_descriptor


def test_what_nobody_says_anything_of_is_ready() -> None:
    thing = Readiness()
    assert thing.ready()
    assert thing.until is None
    thing.watch(lambda: None)()
    assert nothing() is None  # type: ignore[func-returns-value]  # that is what is asserted


def test_a_timer_is_ready_from_its_time_on() -> None:
    now = time.monotonic()
    assert Timer(now).ready()
    assert Timer(0).ready()
    late = Timer(now + 1000)
    assert not late.ready()
    assert late.until == now + 1000


def test_a_descriptor_is_watched() -> None:
    reader, writer = os.pipe()
    happened = threading.Event()
    stop = watch_descriptor(reader, "read", happened.set)
    os.write(writer, b"a")
    assert happened.wait(10)
    stop()
    os.close(reader)
    os.close(writer)
