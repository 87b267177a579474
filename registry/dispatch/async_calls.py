"""The threads on which `Registry.call_async` makes its calls."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from polycall.interop.context import Cancellation
from polycall.interop.errors import DeadlineError, PoolClosedError
from polycall.interop.forks import new_lock, watch_forks
from polycall.interop.ids import cut
from polycall.interop.values import Value
from polycall.registry.dispatch.python_functions import current_context

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["AsyncCalls", "owner_thread"]

_THREADS = 64

_awaited: contextvars.ContextVar[bool] = contextvars.ContextVar("polycall_awaited", default=False)


def owner_thread() -> int:
    """Returns the thread that has what a call here returns; 0 if that is whoever awaits it, in another thread."""
    return 0 if _awaited.get() else threading.get_ident()


class AsyncCalls:
    """Up to 64 threads that calls from outside share, and one more for each call that a Python function makes.

    A nested call cannot queue for the shared threads: those who hold them may all be waiting for it, or for its like.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._closed = False
        self._shared: ThreadPoolExecutor | None = None
        self._here = threading.local()
        watch_forks(self)

    async def run(
        self, target: str, work: Callable[[], Value], deadline: float | None, cancellation: Cancellation
    ) -> Value:
        """Runs a call on a thread and returns its result.

        Args:
            target: The entry that is called, for messages.
            work: Makes the call; it sees to the deadline itself once it has a thread.
            deadline: When to give up waiting for a thread, in seconds of `time.monotonic`, or None.
            cancellation: The switch of the call; it goes on when the awaiting task is cancelled.

        Raises:
            DeadlineError: The call had no thread when its deadline passed.
            PoolClosedError: The threads are closed.
            BaseException: What `work` raised.
        """
        import asyncio  # noqa: PLC0415  # a command that only lists must not pay for it

        future = self._submit(target, work)
        outcome = asyncio.wrap_future(future)
        late = False

        def give_up() -> None:
            nonlocal late
            late = future.cancel()  # which also ends `outcome`; it can be cancelled only while it is queued

        timer = None
        if deadline is not None:  # a timer costs a fraction of what `asyncio.wait` does
            timer = asyncio.get_running_loop().call_later(max(0.0, deadline - time.monotonic()), give_up)
        try:
            return await outcome
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if late and not (task and task.cancelling()):
                message = "the deadline of the call passed while it waited for a thread"
                raise DeadlineError(message, entry_id=cut(target)) from None
            cancellation.cancel()
            outcome.cancel()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _submit(self, target: str, work: Callable[[], Value]) -> Future[Value]:
        run = contextvars.copy_context().run
        run(_awaited.set, True)
        with self._lock:
            if self._closed:
                raise PoolClosedError("the registry is closed", entry_id=cut(target))
            if current_context() is None:
                self._shared = self._shared or self._executor(_THREADS)
                return self._shared.submit(run, work)
        own = self._executor(1)
        try:
            return own.submit(run, work)
        finally:
            own.shutdown(wait=False)  # its thread ends with the call

    def _executor(self, threads: int) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # as above

        return ThreadPoolExecutor(threads, thread_name_prefix="polycall", initializer=self._mark_thread)

    def _mark_thread(self) -> None:
        self._here.ours = True

    def after_fork(self) -> None:
        """Forgets the threads, which a forked child does not have: its first call starts others."""
        self._shared = None

    def close(self) -> None:
        """Refuses new calls and waits for those on the shared threads; harmless when repeated.

        From within a call it does not wait: the call would wait for itself.
        """
        with self._lock:
            self._closed = True
            shared, self._shared = self._shared, None
        if shared is not None:
            shared.shutdown(wait=current_context() is None and not hasattr(self._here, "ours"))
