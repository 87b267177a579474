"""The threads on which `Registry.call_async` makes its calls."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from polycall.interop.context import Cancellation
from polycall.interop.errors import DeadlineError, PoolClosedError
from polycall.interop.forks import new_lock, watch_forks
from polycall.interop.ids import cut
from polycall.interop.places import PLACE
from polycall.interop.values import Value
from polycall.registry.dispatch.python_functions import current_context
from polycall.registry.dispatch.threads import Threads

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["AsyncCalls", "owner_thread"]

_PLACES = 64
"""Calls from outside that run at a time, without those that wait."""

_THREADS = 4096
"""Of calls from outside, with those that wait: each has its own stack, and as much of its memory as it has used."""

_awaited: contextvars.ContextVar[bool] = contextvars.ContextVar("polycall_awaited", default=False)


def owner_thread() -> int:
    """Returns the thread that has what a call here returns; 0 if that is whoever awaits it, in another thread."""
    return 0 if _awaited.get() else threading.get_ident()


class AsyncCalls:
    """Threads for calls from outside, of which 64 may run at a time, and one more for each call of a Python function.

    A guest that waits (asleep, for input, for an answer) gives its place to the next call, so that a thousand of them
    wait at the same time. A nested call cannot queue for a place: those who have them may all be waiting for it, or for
    its like.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._closed = False
        self._threads = Threads()
        self._queued: deque[_Work] = deque()
        self._running = 0
        self._on_threads = 0  # those that wait as well
        self._ended = threading.Event()
        self._generation = object()
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
        from concurrent.futures import Future  # noqa: PLC0415  # as above

        variables = contextvars.copy_context()
        variables.run(_awaited.set, True)
        with self._lock:
            if self._closed:
                raise PoolClosedError("the registry is closed", entry_id=cut(target))
            if current_context() is None:
                variables.run(PLACE.set, _Place(self))
                queued = _Work(Future(), lambda: variables.run(work))
                self._queued.append(queued)
                self._let_in()
                return queued.future
        nested = _Work(Future(), lambda: variables.run(work))
        self._threads.do(nested.run)
        return nested.future

    # --- places ---

    def leave(self, place: _Place) -> None:
        """Lets another call run while one waits."""
        with self._lock:
            place.waiting += 1
            if place.waiting == 1 and place.generation is self._generation:
                self._running -= 1
                self._let_in()

    def retake(self, place: _Place) -> None:
        """Says that a call goes on which has waited. It does not queue: its deadline may be what has ended the wait."""
        with self._lock:
            place.waiting -= 1
            if not place.waiting and place.generation is self._generation:
                self._running += 1

    @property
    def generation(self) -> object:
        """Stands for the process in which calls are counted: a forked child counts anew."""
        return self._generation

    def _let_in(self) -> None:
        """Gives free places to queued calls; the lock is held. Raises nothing: it may be another call that waits."""
        while self._queued and self._running < _PLACES and self._on_threads < _THREADS:
            queued = self._queued.popleft()
            try:
                self._threads.do(partial(self._serve, queued, self._generation))
            except RuntimeError as error:  # the system gives no thread more
                if self._on_threads:
                    self._queued.appendleft(queued)  # until one of them ends
                    return
                queued.fail(error)
                continue
            self._running += 1
            self._on_threads += 1

    def _serve(self, queued: _Work | None, generation: object) -> None:
        while queued is not None:
            queued.run()
            with self._lock:
                if generation is not self._generation:
                    return  # the call forked, and this is the child
                self._running -= 1
                self._on_threads -= 1
                queued = self._next()  # in this thread, which is there
                self._let_in()
                self._tell_if_ended()

    def _next(self) -> _Work | None:
        if not self._queued or self._running >= _PLACES:
            return None
        self._running += 1
        self._on_threads += 1
        return self._queued.popleft()

    def _tell_if_ended(self) -> None:
        if self._closed and not self._on_threads and not self._queued:
            self._ended.set()

    def after_fork(self) -> None:
        """Forgets the calls of threads that a forked child does not have."""
        self._generation = object()
        self._queued.clear()
        self._running = self._on_threads = 0

    def close(self) -> None:
        """Refuses new calls and waits for those that there are; harmless when repeated.

        From within a call it does not wait: the call would wait for itself.
        """
        with self._lock:
            self._closed = True
            self._tell_if_ended()
        waits = current_context() is None and not self._threads.here
        if waits:
            self._ended.wait()
        self._threads.close()
        if waits:
            self._threads.wait()


class _Place:
    """The place of a call; see `polycall.interop.places.Place`.

    Attributes:
        waiting: How many of its threads wait: a function of Python's may have begun some, and waits for them by means
            of its own. It is left with the first.
        generation: Of the process where it is counted.
    """

    def __init__(self, calls: AsyncCalls) -> None:
        self._calls = calls
        self.waiting = 0
        self.generation = calls.generation

    def leave(self) -> None:
        self._calls.leave(self)

    def retake(self) -> None:
        self._calls.retake(self)


class _Work:
    """A call that somebody awaits."""

    def __init__(self, future: Future[Value], work: Callable[[], Value]) -> None:
        self.future = future
        self._work = work

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001  # raised where it is awaited
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

    def fail(self, error: BaseException) -> None:
        """Says that it cannot be made."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)
