"""What changes in one thread and is waited for in another: a guest's, and that of the loop.

The guest's side never blocks: it is a `Readiness`, and `Session.wait` is where guests wait. The loop's side is awaited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from polycall.interop.forks import new_lock
from polycall.wasm_runtime.wasi.readiness import Readiness

if TYPE_CHECKING:
    import asyncio  # takes its time, and most guests call nobody

__all__ = ["Awaited", "Watched", "set_result"]


class Watched(Readiness):
    """Something that changes in one thread and is waited for in another."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._watches: dict[object, Callable[[], None]] = {}

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        """Has something called at every change; see `Readiness.watch`."""
        key = object()
        with self._lock:
            self._watches[key] = call
        return lambda: self._forget(key)

    def _forget(self, key: object) -> None:
        with self._lock:
            self._watches.pop(key, None)

    def changed(self) -> None:
        """Wakes whoever watches; never with the lock held."""
        with self._lock:
            calls = list(self._watches.values())
        for call in calls:
            call()


class Awaited:
    """The loop's side of waiting: one coroutine at a time. Used with the lock of the pipe held."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[None] | None = None

    def begin(self) -> asyncio.Future[None]:
        """Returns what to await, for the coroutine that runs."""
        import asyncio  # noqa: PLC0415  # see above

        self._waiting = asyncio.get_running_loop().create_future()
        return self._waiting

    def wake(self) -> None:
        """Ends the wait, from whichever thread; harmless where there is none."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.get_loop().call_soon_threadsafe(set_result, waiting)


def set_result(waiting: asyncio.Future[None]) -> None:
    """Ends a wait, on the loop's thread; harmless when repeated."""
    if not waiting.done():
        waiting.set_result(None)
