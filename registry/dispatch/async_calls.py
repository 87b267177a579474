"""The threads on which `Registry.call_async` makes its calls."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from polycall.interop.context import Cancellation
from polycall.interop.errors import DeadlineError, PoolClosedError
from polycall.interop.forks import new_lock, watch_forks
from polycall.interop.ids import cut
from polycall.interop.values import Value
from polycall.interop.waiting import PLACE
from polycall.registry.dispatch.answers import Answers
from polycall.registry.dispatch.python_functions import current_context
from polycall.registry.dispatch.starting_gate import LONG_SECONDS, StartingGate
from polycall.registry.dispatch.threads import THREADS

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

__all__ = ["AsyncCalls", "awaited_elsewhere", "owner_thread"]

_PLACES = 64
"""Calls from outside that run at a time, without those that wait."""

_THREADS = 4096
"""Of calls from outside, with those that wait: each has its own stack, and as much of its memory as it has used."""

_FEW_UNWANTED = 64
"""Calls that were given up, for which nobody goes through the queue."""

_SELDOM_SECONDS = 0.1
"""Between two looks at calls for which there is no place: whoever leaves one lets the next in."""

_awaited: contextvars.ContextVar[bool] = contextvars.ContextVar("polycall_awaited", default=False)


def owner_thread() -> int:
    """Returns the thread that has what a call here returns; 0 if that is whoever awaits it, in another thread."""
    return 0 if _awaited.get() else threading.get_ident()


def awaited_elsewhere() -> contextvars.Context:
    """Returns a copy of the context here, for calls whose results go to another thread; see `owner_thread`."""
    variables = contextvars.copy_context()
    variables.run(_awaited.set, True)
    return variables


class AsyncCalls:
    """Threads for calls from outside, of which 64 may run at a time, and one more for each call of a Python function.

    A guest that waits (asleep, for input, for an answer) gives its place to the next call, so that a thousand of them
    wait at the same time. A nested call cannot queue for a place: those who have them may all be waiting for it, or for
    its like.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._closed = False
        self._threads = THREADS
        self._uses_threads = False
        self._queued: deque[_Work] = deque()
        self._unwanted = 0  # of them, or so: those that were given up, and have not come to their turn
        self._gate = StartingGate(_PLACES)
        self._begun: dict[_Work, None] = {}  # those that have threads
        self._waiting = 0  # of them; negative if one has ended while threads of its own go on waiting
        self._ended = threading.Event()
        self._at_work: set[int] = set()  # the threads that make calls
        self._answers: WeakValueDictionary[int, Answers] = WeakValueDictionary()
        self._generation = object()
        watch_forks(self)

    async def run(
        self,
        target: str,
        work: Callable[..., Value],
        arguments: tuple[Any, ...],
        deadline: float | None,
        cancellation: Cancellation,
    ) -> Value:
        """Runs a call on a thread and returns its result.

        Args:
            target: The entry that is called, for messages.
            work: Makes the call; it sees to the deadline itself once it has a thread.
            arguments: What it takes.
            deadline: When to give up waiting for a thread, in seconds of `time.monotonic`, or None.
            cancellation: The switch of the call; it goes on when the awaiting task is cancelled.

        Raises:
            DeadlineError: The call had no thread when its deadline passed.
            PoolClosedError: The threads are closed.
            BaseException: What `work` raised.
        """
        import asyncio  # noqa: PLC0415  # a command that only lists must not pay for it

        loop = asyncio.get_running_loop()
        submitted = _Work(self, work, arguments, self._answers_of(loop))
        try:
            self._submit(target, submitted)
        except BaseException:  # Ctrl-C
            submitted.taken()
            raise
        timer = None
        if deadline is not None:  # a timer costs a fraction of what `asyncio.wait` does
            timer = loop.call_later(max(0.0, deadline - time.monotonic()), submitted.give_up, target)
        try:
            return await submitted.outcome
        except asyncio.CancelledError:
            cancellation.cancel()
            if submitted.taken():  # it need not begin any more
                self.forget_one()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _answers_of(self, loop: AbstractEventLoop) -> Answers:
        answers = self._answers.get(id(loop))
        if answers is None:  # an id is a loop's own as long as its answers, which keep it, are there
            answers = self._answers[id(loop)] = Answers(loop)
        return answers

    def _submit(self, target: str, work: _Work) -> None:
        with self._lock:
            if self._closed:
                raise PoolClosedError("the registry is closed", entry_id=cut(target))
            if not self._uses_threads:
                self._uses_threads = True
                self._threads.enter(self)
            if current_context() is None:
                work.variables.run(PLACE.set, work.place)
                self._queued.append(work)
                self._let_in()
                if self._queued:
                    work.answers.look_after(self.look, LONG_SECONDS)
                return
        self._threads.do(partial(self._marked, work))

    def forget_one(self) -> None:
        """Is told that a call was given up which nobody had begun.

        It would stay in the queue, with its arguments, as long as there is no place for one before it. To look for it
        there takes long; so all of its like are taken out together, when they are more than the others.
        """
        with self._lock:
            self._unwanted += 1
            if self._unwanted > _FEW_UNWANTED + len(self._queued) // 2:
                self._queued = deque(each for each in self._queued if each.is_wanted)
                self._unwanted = 0

    # --- places ---

    def leave(self, place: _Place) -> None:
        """Lets another call run while one waits."""
        with self._lock:
            place.waiting += 1
            if place.waiting == 1 and place.generation is self._generation:
                self._waiting += 1
                self._gate.wait(place)
                self._let_in()

    def retake(self, place: _Place) -> None:
        """Says that a call goes on which has waited. It does not queue: its deadline may be what has ended the wait."""
        with self._lock:
            place.waiting -= 1
            if not place.waiting and place.generation is self._generation:
                self._waiting -= 1

    def look(self) -> float | None:
        """Lets calls in that only wait for others to have begun.

        Returns:
            After how many seconds to look again; None if no call is queued.
        """
        with self._lock:
            self._gate.look()
            self._let_in()
            if not self._queued:
                return None
            return _SELDOM_SECONDS if self._gate.is_open else LONG_SECONDS

    @property
    def generation(self) -> object:
        """Stands for the process in which calls are counted: a forked child counts anew."""
        return self._generation

    @property
    def _on_threads(self) -> int:
        return len(self._begun)

    @property
    def _running(self) -> int:
        return len(self._begun) - self._waiting

    def _may_begin(self) -> bool:
        """Says whether the first of the queue may begin; those that were given up leave it."""
        while self._queued and not self._queued[0].is_wanted:
            del self._queued[0]
        begun = len(self._begun)
        room = begun - self._waiting < _PLACES and begun < _THREADS and self._gate.is_open
        return room and bool(self._queued)

    def _let_in(self) -> None:
        """Gives free places to queued calls; the lock is held. Raises nothing: it may be another call that waits."""
        while self._may_begin():
            queued = self._queued[0]
            try:
                # Ctrl-C comes after calls and where functions begin, so not before it is counted. By a number, and once
                # its thread is there, it would be counted once too few: `close` would wait for ever.
                del self._queued[0]
                self._begun[queued] = None
                self._gate.begin(queued.place)
                self._threads.do(queued)
            except RuntimeError as error:  # the system gives no thread more
                self._uncount(queued)
                if self._begun:
                    self._queued.appendleft(queued)  # until one of them ends
                    return
                queued.fail(error)
            except BaseException:
                if queued.taken():  # else its thread is there, and comes to `serve`; it may all the same
                    self._uncount(queued)
                    queued.call_off()
                raise

    def _uncount(self, queued: _Work) -> None:
        self._begun.pop(queued, None)
        self._gate.forget(queued.place)

    def serve(self, queued: _Work | None, generation: object) -> None:
        """Makes a call that has got a place, and others in the same place then; in a thread of their own."""
        while queued is not None:
            self._marked(queued)
            with self._lock:
                if generation is not self._generation:
                    return  # the call forked, and this is the child
                self._begun.pop(queued, None)
                self._gate.end(queued.place)
                queued = self._next()  # in this thread, which is there
                self._let_in()
                self._tell_if_ended()

    def _marked(self, work: _Work) -> None:
        here = threading.get_ident()
        self._at_work.add(here)
        work.run()
        self._at_work.discard(here)

    def _next(self) -> _Work | None:
        if not self._may_begin():
            return None
        queued = self._queued.popleft()
        self._begun[queued] = None
        self._gate.begin(queued.place)
        return queued

    def _tell_if_ended(self) -> None:
        if self._closed and not self._begun and not self._queued:
            self._ended.set()

    def after_fork(self) -> None:
        """Forgets the calls of threads that a forked child does not have."""
        self._generation = object()
        self._queued.clear()
        self._unwanted = 0
        self._gate = StartingGate(_PLACES)
        self._at_work &= {threading.get_ident()}
        self._begun.clear()
        self._waiting = 0

    def close(self) -> None:
        """Refuses new calls and waits for those that there are; harmless when repeated.

        From within a call it does not wait: the call would wait for itself.
        """
        with self._lock:
            used, self._uses_threads = self._uses_threads, False
            self._closed = True
            self._let_in()  # Ctrl-C may have left one in the queue for which no other is there to let it in
            self._tell_if_ended()
        waits = current_context() is None and threading.get_ident() not in self._at_work
        if waits:
            self._ended.wait()
        if used:
            self._threads.leave(self, wait=waits)


class _Place:
    """The place of a call; see `polycall.interop.waiting.Place`.

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
    """A call that a task of a loop awaits.

    Attributes:
        variables: The context variables that it sees.
        outcome: What is awaited.
        place: What it takes up while it runs.
        answers: Where its outcome goes.
    """

    __slots__ = ("_arguments", "_calls", "_unclaimed", "_work", "answers", "outcome", "place", "variables")

    # A thousand of them may wait, and the garbage collector looks at all that they are made of.
    def __init__(
        self, calls: AsyncCalls, work: Callable[..., Value], arguments: tuple[Any, ...], answers: Answers
    ) -> None:
        self.variables = awaited_elsewhere()
        self.outcome: Future[Value] = answers.loop.create_future()
        self._calls = calls
        self.place = _Place(calls)
        self._work = work
        self._arguments = arguments
        self.answers = answers
        self._unclaimed = bytearray(b"\1")  # who pops it first decides whether the call begins; no list, see above

    def __call__(self) -> None:
        """Makes it in this thread, when it has got a place."""
        self._calls.serve(self, self.place.generation)

    @property
    def is_wanted(self) -> bool:
        """Whether nobody has begun it or given it up so far."""
        return bool(self._unclaimed)

    def taken(self) -> bool:
        """Says whether nobody has begun the call or given it up before; nobody will, from now on."""
        try:
            return bool(self._unclaimed.pop())
        except IndexError:
            return False

    def give_up(self, target: str) -> None:
        """Ends the wait for a thread, unless it has ended; on the loop."""
        if not self.taken():
            return
        self._calls.forget_one()
        if not self.outcome.done():
            message = "the deadline of the call passed while it waited for a thread"
            self.outcome.set_exception(DeadlineError(message, entry_id=cut(target)))

    def run(self) -> None:
        """Makes the call, unless nobody wants it any more."""
        if not self.taken():
            return
        try:
            result = self.variables.run(_make, self._work, self._arguments)
        except BaseException as error:  # noqa: BLE001  # raised where it is awaited
            self.fail(error)
            del self  # the error knows this frame by its traceback, and what is awaited knows the error
        else:
            self.answers.give(self.outcome, result)

    def fail(self, error: BaseException) -> None:
        """Says that it has failed, or could not be made."""
        self.answers.fail(self.outcome, error)

    def call_off(self) -> None:
        """Says that nobody makes it any more."""
        self.answers.call_off(self.outcome)


def _make(work: Callable[..., Value], arguments: tuple[Any, ...]) -> Value:
    """Makes a call; `Context.run` would keep all that it is given as ``*arguments`` in a tuple of its own."""
    return work(*arguments)
