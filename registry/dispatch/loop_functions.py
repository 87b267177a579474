"""``async def`` functions of Python's: they run on the event loop that registered them, whoever calls."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CallError
from polycall.interop.stack import blocked_loop
from polycall.interop.waiting import Wakeup

if TYPE_CHECKING:
    import asyncio

__all__ = ["LoopFunction", "is_async"]

_LOOK_SECONDS = 0.25
"""Between two looks at the loop: one that has stopped tells nobody of what it will never do."""


def is_async(body: Callable[..., object]) -> bool:
    """Says whether calling something gives a coroutine."""
    return inspect.iscoroutinefunction(body) or inspect.iscoroutinefunction(getattr(body, "__call__", None))  # noqa: B004  # its own, not whether it has one


class LoopFunction:
    """Runs a coroutine function on its loop, for a call that waits for it in its own thread.

    What the coroutine calls goes on with the chain of calls that it is in, as it does below any function of Python's:
    a coroutine begins with the context variables of who began it.
    """

    def __init__(self, entry_id: str, body: Callable[..., Any], closing: Cancellation) -> None:
        """Finds the loop.

        Args:
            entry_id: ``namespace:name``.
            body: The coroutine function.
            closing: Goes on when nobody may wait any more.

        Raises:
            RuntimeError: No event loop runs in this thread.
        """
        import asyncio  # noqa: PLC0415  # it takes long to import: who registers no coroutine must not pay for it

        try:
            self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        except RuntimeError:
            message = "an async function runs on the event loop that registers it, and none runs in this thread"
            raise RuntimeError(f"{entry_id}: {message}: register it in a coroutine") from None
        self._entry_id = entry_id
        self._body = body
        self._closing = closing
        self._process = os.getpid()

    def run(self, arguments: tuple[Any, ...], context: CallContext) -> object:
        """Has the coroutine run, and returns what it returns.

        Raises:
            DeadlineError, CancelledError: The call is over; the task is cancelled.
            CallError: The loop has ended, or is that of the thread which would wait for it.
            PoolClosedError: The registry was closed meanwhile.
            BaseException: What the coroutine raised.
        """
        import asyncio  # noqa: PLC0415  # loaded by now
        from concurrent import futures  # noqa: PLC0415  # the same

        self._check()
        work = self._body(*arguments)
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # closed just now
            work.close()
            raise self._ended() from None
        wakeup = Wakeup()
        future.add_done_callback(lambda _: wakeup.notify())
        try:
            self._wait(wakeup, context)
            return future.result()
        except futures.CancelledError:
            raise CallError("its task was cancelled", hint="its event loop may have ended") from None
        finally:
            if not future.done() and not self._loop.is_closed():
                future.cancel()

    def _wait(self, wakeup: Wakeup, context: CallContext) -> None:
        while not wakeup.wait(context, "its event loop", time.monotonic() + _LOOK_SECONDS, self._closing):
            if not self._loop.is_running():
                raise self._ended()

    def _check(self) -> None:
        if not self._loop.is_running() or os.getpid() != self._process:
            raise self._ended()
        if blocked_loop() is self._loop:
            raise CallError(
                "it runs on the event loop of the thread that makes this call, which would wait for itself",
                hint="await registry.call_async(...) there",
            )

    def _ended(self) -> CallError:
        return CallError("the event loop that it runs on has ended", hint="register it on the loop that runs now")
