"""The thread that watches sockets and pipes for everybody: an event loop of asyncio's, one for the process.

A call that waits for input or output does so in its own thread, by `polycall.interop.waiting`; what it waits for is
watched here, and connections that must be served while no guest looks at them (HTTP) are served here.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from polycall.interop.forks import new_lock, watch_forks

if TYPE_CHECKING:  # asyncio takes long to import: whoever waits for no input or output must not pay for it
    import asyncio
    from concurrent.futures import Future

__all__ = ["Event", "IoThread", "io_thread"]

T = TypeVar("T")

Event = Literal["read", "write"]


class IoThread:
    """An event loop in a thread that begins when it is first needed, and ends with the process. Shared by threads."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watches: dict[tuple[int, Event], list[Callable[[], None]]] = {}  # touched by the loop's thread alone
        watch_forks(self)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, which runs.

        Raises:
            RuntimeError, OSError: The system gives no thread, or no descriptor, more.
        """
        with self._lock:
            if self._loop is None:
                self._loop = self._started()
            return self._loop

    def _started(self) -> asyncio.AbstractEventLoop:
        import asyncio  # noqa: PLC0415  # see TYPE_CHECKING

        loop = asyncio.new_event_loop()
        self._watches = {}
        try:
            threading.Thread(target=_serve, args=(loop,), name="polycall io", daemon=True).start()
        except BaseException:
            loop.close()
            raise
        return loop

    def run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begins a coroutine on the loop; cancelling what is returned cancels it."""
        import asyncio  # noqa: PLC0415  # see TYPE_CHECKING

        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def watch(self, descriptor: int, event: Event, call: Callable[[], None]) -> Callable[[], None]:
        """Has something called once, when a descriptor can be read or written or is found broken.

        It may be called for nothing: whoever is woken looks again. Whoever closes the descriptor calls the watch off
        before; and it must be the only descriptor of what it stands for (no `os.dup`), or stay open: the system would
        go on to watch what is still open under another number.

        Args:
            descriptor: A socket or pipe; anything that cannot be watched (a regular file) is ready at once.
            event: What for.
            call: Is called on the loop's thread; must neither block nor raise.

        Returns:
            What calls it off.
        """
        loop = self.loop
        loop.call_soon_threadsafe(self._begin, loop, (descriptor, event), call)
        return lambda: self._call_off(loop, (descriptor, event), call)

    def _call_off(self, loop: asyncio.AbstractEventLoop, key: tuple[int, Event], call: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(self._end, loop, key, call)

    def _begin(self, loop: asyncio.AbstractEventLoop, key: tuple[int, Event], call: Callable[[], None]) -> None:
        waiting = self._watches.setdefault(key, [])
        if waiting:  # of the same descriptor; or of one that was closed, and this one has its number now
            self._forget(loop, key)
        waiting.append(call)
        descriptor, event = key
        try:
            (loop.add_reader if event == "read" else loop.add_writer)(descriptor, self._happened, loop, key)
        except Exception:  # noqa: BLE001  # no file of a kind that blocks, or none any more; nobody may wait for ever
            self._happened(loop, key)

    def _happened(self, loop: asyncio.AbstractEventLoop, key: tuple[int, Event]) -> None:
        waiting = self._watches.pop(key, ())
        self._forget(loop, key)
        for call in waiting:
            call()

    def _end(self, loop: asyncio.AbstractEventLoop, key: tuple[int, Event], call: Callable[[], None]) -> None:
        waiting = self._watches.get(key)
        if waiting is None or call not in waiting:
            return  # it has happened
        waiting.remove(call)
        if not waiting:
            del self._watches[key]
            self._forget(loop, key)

    @staticmethod
    def _forget(loop: asyncio.AbstractEventLoop, key: tuple[int, Event]) -> None:
        descriptor, event = key
        with suppress(Exception):  # it may be closed by now: then the system has forgotten it already
            (loop.remove_reader if event == "read" else loop.remove_writer)(descriptor)

    def after_fork(self) -> None:
        """Forgets the loop, whose thread a forked child does not have: the next use begins another."""
        self._loop = None


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    # Whoever embeds this may let a broken pipe end the process; that a server hangs up on a guest is none of its own.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])
    loop.run_forever()


_IO_THREAD = IoThread()
"""By process, as descriptors are: a thread for each registry would be many, and all would do the same."""


def io_thread() -> IoThread:
    """Returns the thread of this process."""
    return _IO_THREAD
