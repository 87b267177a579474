"""Work that Ctrl-C ends, wherever it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from polycall.interop.context import Cancellation
from polycall.interop.stack import OwnThread

__all__ = ["interruptible"]

T = TypeVar("T")

_SECONDS_TO_UNWIND = 5.0
"""How long a call may take to end after Ctrl-C before the process ends without it."""

_SECONDS_BETWEEN_LOOKS = 0.1
"""How often the main thread looks up: Python reacts to a signal in this one alone, wherever the system delivers it."""


def interruptible(
    work: Callable[[], T], cancellation: Cancellation | None = None, tick: Callable[[], object] = lambda: None
) -> T:
    """Runs `work` on a thread: the main one must be free for Ctrl-C, which Python cannot deliver inside an engine.

    Args:
        work: What to do; its error is raised here.
        cancellation: What ends the work after Ctrl-C; without one, the process ends without waiting for it.
        tick: Called in the main thread, ten times a second.
    """
    results: list[T] = []
    failures: list[BaseException] = []
    # Thread.join would not wait a second time: once interrupted, it takes the thread for ended.
    done = threading.Event()

    def work_and_keep() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  # it is raised again in the main thread
            failures.append(error)
        finally:
            done.set()

    thread = OwnThread(work_and_keep, "polycall-work")
    try:
        thread.start()  # in here, because it waits as well: the work may have begun when Ctrl-C comes
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            tick()
    except KeyboardInterrupt:
        if cancellation is not None:
            cancellation.cancel()
            done.wait(_SECONDS_TO_UNWIND)
        raise
    if failures:
        raise failures[0]
    return results[0]
