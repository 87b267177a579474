"""The native stack of a thread: what is left of it, and a hop that goes on in another thread when too little is.

A chain of calls nests guests of several engines on one native stack, which nobody but the operating system watches: at
its end the process dies. Each hop uses a bounded part of it. So before a hop is entered, that much must be left.
"""

from __future__ import annotations

import _thread
import contextvars
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from operator import call
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import DepthError
from polycall.interop.forks import new_lock
from polycall.interop.waiting import seconds_between_looks

if TYPE_CHECKING:
    from polycall.interop.native_stack import StackPointer

__all__ = [
    "DEFAULT_STACK_BYTES",
    "LEAST_STACK_BYTES",
    "MOST_STACK_BYTES",
    "WORK_STACK_BYTES",
    "OwnThread",
    "StackRoom",
    "begin_thread",
    "blocked_loop",
    "has_stack",
]

T = TypeVar("T")

DEFAULT_STACK_BYTES = 512 * 1024
"""What the WebAssembly of one call may use where nothing else is declared: as much as wasmtime gives by itself."""

LEAST_STACK_BYTES, MOST_STACK_BYTES = 64 * 1024, 8 * 1024 * 1024

_HOST_BYTES = 192 * 1024
"""What else a hop may use: below a guest the host takes less than 16 KiB."""

_LUA_BYTES = 512 * 1024
"""What a hop of Lua may use: its own limit of 200 levels ends a hop at 470 KiB, whatever its guest nests. Lua in the
host's engine and WebAssembly are never both in one hop."""

_MOST_HOPS = 34
"""How many hops a thread of ours has room for: a whole chain, its end, and what each call of Python's needs."""

_PAGE_BYTES = 64 * 1024  # or less

WORK_STACK_BYTES = 8 * 1024 * 1024
"""The stack of a thread for other work: what threads have on most systems."""


class StackRoom:
    """Says whether the running thread has room for a hop, and lets the hop go on elsewhere if not. Shared by threads.

    To look costs a system call. So the first hops of a chain go without: as many as fit into half of the thread's
    stack, whatever they do. The other half is for who called from outside.
    """

    __slots__ = ("_here", "_hop_bytes")

    def __init__(self, stack_bytes: int = DEFAULT_STACK_BYTES) -> None:
        """Makes one.

        Args:
            stack_bytes: What a guest may use of the stack in one hop.
        """
        self._hop_bytes = -(-max(stack_bytes, _LUA_BYTES) // _PAGE_BYTES) * _PAGE_BYTES + _HOST_BYTES
        self._here: _Here | None = None

    @property
    def here(self) -> _Here:
        """Of the running thread; a hop at most `_Here.free_hops` deep need not ask `lacks`.

        Made when it is first asked for: only who calls looks at stacks, and to look loads ctypes.
        """
        if self._here is None:
            self._here = _Here(self._hop_bytes)
        return self._here

    def lacks(self, depth: int) -> bool:
        """Says whether a hop so deep in its chain must not be entered in this thread."""
        return depth > self.here.free_hops and self.here.left_bytes() < self._hop_bytes

    def run(self, context: CallContext, work: Callable[[], T]) -> T:
        """Returns what work gives, from this thread if there is room; see `elsewhere`."""
        return self.elsewhere(context, work) if self.lacks(context.depth) else work()

    def elsewhere(self, context: CallContext, work: Callable[[], T]) -> T:
        """Returns what work gives in a thread of its own, which has room for a whole chain; this one waits for it.

        Context variables have their values there, and what is set there stays there. An exception that a signal's
        handler raises here cancels the work, and is raised when it has ended: nothing of a call outlives it.

        Args:
            context: The frame that does the work; nobody else may use it yet.
            work: What to do.

        Raises:
            DepthError: There can be no such thread.
            BaseException: What `work` raised.
        """
        stop = Cancellation()
        forget: Callable[[], None] | None = None
        if context.cancellation is None:
            context.cancellation = stop
        else:
            context.cancellation, forget = context.cancellation.joined(stop)
        variables = contextvars.copy_context()
        variables.run(_BLOCKED.set, blocked_loop())
        hop = _Hop(variables, work)
        try:
            hop.start(_MOST_HOPS * self._hop_bytes)
            hop.wait()
        except BaseException:
            stop.cancel()
            hop.abandon()
            raise
        finally:
            if forget is not None:
                forget()
        return hop.result()


_BLOCKED: contextvars.ContextVar[Any] = contextvars.ContextVar("polycall_blocked_loop", default=None)


def blocked_loop() -> Any:
    """Returns the event loop of asyncio's that stands still while this thread is busy; None if there is none.

    It is that of this thread, or of one that waits for it in `StackRoom.elsewhere`.
    """
    asyncio = sys.modules.get("asyncio")  # who has not imported it runs no loop
    if asyncio is None:
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return _BLOCKED.get()


class OwnThread(threading.Thread):
    """A thread of ours, whose stack has a size that is known, whatever `threading.stack_size` says at the moment.

    A process may end without it.
    """

    def __init__(self, work: Callable[[], object], name: str, stack_bytes: int = WORK_STACK_BYTES) -> None:
        super().__init__(target=work, name=name, daemon=True)
        self._stack_bytes = stack_bytes

    def start(self) -> None:
        """Starts it.

        Raises:
            RuntimeError: The system gives no thread more.
        """
        with _STARTING:
            usual = threading.stack_size(self._stack_bytes)
            try:
                super().start()
            finally:
                _put_back(usual, self._stack_bytes)

    def run(self) -> None:
        """Works."""
        has_stack(self._stack_bytes)
        super().run()


def begin_thread(function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    """Begins a thread for work, by `_thread`; `has_stack` is the first thing that it should do.

    Raises:
        RuntimeError: The system gives no thread more.
    """
    was: list[Any] = []
    give_back = map(threading.stack_size, was)  # the first that comes into it
    begin = partial(_thread.start_new_thread, function, arguments)
    steps = partial(threading.stack_size, WORK_STACK_BYTES), begin, partial(next, give_back)
    with _STARTING:
        try:
            # One call of C's, below which no other thread of Python's runs. It might else set a size of its own: this
            # one's stack would be at its end before anybody looks. Or begin a thread, with less than it has asked for.
            # Calls of `call_async` come by the thousand: what may happen here, does.
            deque(map(was.append, map(call, steps)), maxlen=0)
        except BaseException:
            if len(was) == 1:  # it has not begun
                _put_back(was[0], WORK_STACK_BYTES)
            raise


def _put_back(usual: int, set_bytes: int) -> None:
    """Sets the size of others' stacks as it was before, unless somebody has changed it meanwhile: for good."""
    found = threading.stack_size(usual)  # to ask for it without an argument would set it to 0
    if found != set_bytes:
        threading.stack_size(found)


def has_stack(stack_bytes: int = WORK_STACK_BYTES) -> None:
    """Says in a thread how large its stack is, so that nobody need ask the system: that takes as long as a call."""
    _KNOWN.bytes = stack_bytes


_STARTING = new_lock()
"""The size is the process's, so one thread is started at a time. One that others start meanwhile only has more."""


class _Hop(Generic[T]):
    """Work in another thread, once."""

    def __init__(self, variables: contextvars.Context, work: Callable[[], T]) -> None:
        self._variables = variables
        self._work = [work]  # who takes it first decides: the thread to begin, or the caller that it must not
        self._results: list[T] = []
        self._failures: list[BaseException] = []
        self._ended = False
        self._wakes: SimpleQueue[None] = SimpleQueue()

    def start(self, stack_bytes: int) -> None:
        try:
            OwnThread(self._run, "polycall hop", stack_bytes).start()
        except RuntimeError as error:
            hint = "give the thread more stack (threading.stack_size, ulimit -s), or the process more threads or memory"
            raise DepthError(f"the thread has no stack left for this call, and {error}", hint=hint) from error

    def _run(self) -> None:
        try:
            for work in self._taken():
                self._results.append(self._variables.run(work))
        except BaseException as error:  # noqa: BLE001  # raised where it is waited for
            self._failures.append(error)
        finally:
            self._ended = True
            self._wakes.put(None)

    def _taken(self) -> list[Callable[[], T]]:
        with suppress(IndexError):
            return [self._work.pop()]
        return []

    def wait(self) -> None:
        # A handler may raise just after the queue gave what it has. So that only wakes; the mark says if it is over.
        look = seconds_between_looks()
        while not self._ended:
            with suppress(Empty):
                self._wakes.get(timeout=look)

    def abandon(self) -> None:
        """Returns when the work has ended, or will never begin."""
        if self._taken():
            return
        while not self._ended:
            with suppress(BaseException):  # one more Ctrl-C: the first one is on its way already
                self.wait()

    def result(self) -> T:
        if self._failures:
            raise self._failures.pop()
        return self._results[0]


class _Known(threading.local):
    bytes = 0


_KNOWN = _Known()
"""How much stack a thread of ours has got; 0 in one of somebody else's."""


class _Here(threading.local):
    """The stack of the running thread; looked at when the thread first asks, which is when `__init__` runs in it.

    That loads ctypes, which takes as long as a call from the command line: so in a thread of ours, not before a chain
    is longer than what is known to fit.

    Attributes:
        free_hops: So many hops fit in any case.
    """

    def __init__(self, hop_bytes: int) -> None:
        self._pointer: StackPointer | None = None  # most threads need none
        self._lowest = self._size = 0
        if _KNOWN.bytes:
            self.free_hops: int = _KNOWN.bytes // 2 // hop_bytes
            return
        from polycall.interop.native_stack import is_told, stack_of_this_thread  # noqa: PLC0415  # see above

        self._lowest, self._size = stack_of_this_thread()
        # Where nobody can look, more is left to trust: elsewhere is dear, and the first hop should not need it.
        part = self._size // 2 if is_told() else self._size * 3 // 4
        self.free_hops = part // hop_bytes

    def left_bytes(self) -> int:
        """Returns how much of the stack is left; 0 where that is not known."""
        if self._pointer is None:
            from polycall.interop.native_stack import StackPointer, stack_of_this_thread  # noqa: PLC0415  # as above

            self._lowest, self._size = stack_of_this_thread()
            self._pointer = StackPointer()
        left = self._pointer.now() - self._lowest
        return left if 0 < left <= self._size else 0
