"""Bodies on their way between a guest's thread and that of the loop: bounded, each side waiting for the other.

The guest's side never blocks: it is a `Source` or a `Sink`, and `Session.wait` is where guests wait. The loop's side is
awaited. Each passes as much at a time as there is: waking the other thread is what costs.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from polycall.interop.forks import new_lock
from polycall.wasm_runtime.wasi.http.error_codes import HttpFailure, failed_connection
from polycall.wasm_runtime.wasi.http.fields import FieldValues
from polycall.wasm_runtime.wasi.io.ends import Closed, Failed, Sink, Source
from polycall.wasm_runtime.wasi.readiness import Readiness

if TYPE_CHECKING:
    import asyncio  # takes its time, and most guests call nobody
    import socket

__all__ = ["Incoming", "Outgoing", "Watched"]


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


class _Awaited:
    """The loop's side of waiting: one coroutine at a time. Used with the lock of the pipe held."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[None] | None = None

    def begin(self) -> asyncio.Future[None]:
        import asyncio  # noqa: PLC0415  # see TYPE_CHECKING

        self._waiting = asyncio.get_running_loop().create_future()
        return self._waiting

    def wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.get_loop().call_soon_threadsafe(_set, waiting)


def _set(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class Incoming(Watched, Source):
    """The body of a response: the loop pushes, the guest reads; or the loop lends a socket, and the guest reads that.

    From a socket that is lent the guest's thread receives by itself, and the loop only waits when the guest does: the
    two do not take turns for every piece, which costs more than receiving it.
    """

    def __init__(self, most: int) -> None:
        """Makes one.

        Args:
            most: The loop pushes while fewer bytes are there.
        """
        super().__init__()
        self._most = most
        self._pieces: deque[bytes] = deque()
        self._read = 0  # of the first piece
        self._size = 0
        self._awaited = _Awaited()
        self._discards = False
        self._failure: HttpFailure | None = None
        self._ended = False
        self._lent: socket.socket | None = None
        self._left = 0  # to be received from it
        self._is_waited_for = False
        self.trailers: FieldValues | None = None

    # --- the guest's side ---

    def ready(self) -> bool:
        """Says whether `read` gives something or raises."""
        if self._pieces or self._ended:
            return True
        with self._lock:
            return self._lent is not None and _can_be_read(self._lent)

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        """Has something called at every change; of a socket that is lent, once it can be read."""
        stop = super().watch(call)
        with self._lock:
            self._is_waited_for = True
            if self._lent is not None:
                self._awaited.wake()
        return stop

    def read(self, most: int) -> bytes:
        """Returns what is there; see `Source.read`."""
        with self._lock:
            if self._pieces:
                return self._take(most)
            if self._lent is not None:
                return self._receive(self._lent, most)
            if not self._ended:
                return b""
        if self._failure is not None:
            raise Failed(self._failure.as_io_error())
        raise Closed

    def _take(self, most: int) -> bytes:
        taken: list[bytes | memoryview] = []
        left = min(most, self._size)
        self._size -= left
        while left:
            piece = self._pieces[0]
            part = memoryview(piece)[self._read : self._read + left]
            taken.append(part)
            left -= len(part)
            self._read += len(part)
            if self._read == len(piece):
                self._pieces.popleft()
                self._read = 0
        if self._size <= self._most // 2:  # not at every read: waking the loop's thread is what costs
            self._awaited.wake()
        return b"".join(taken)

    def _receive(self, lent: socket.socket, most: int) -> bytes:
        """With the lock held: the loop does not close the socket meanwhile, so its number is nobody else's."""
        try:
            data = lent.recv(min(most, self._left))
        except BlockingIOError:
            return b""
        except OSError as error:
            self._finish(failed_connection(error))
        else:
            self._left -= len(data)
            if data and self._left:
                return data
            self._finish(None if data else HttpFailure("HTTP-response-incomplete"))
            if data:
                return data
        assert self._failure is not None
        raise Failed(self._failure.as_io_error())

    def _finish(self, failure: HttpFailure | None) -> None:
        self._failure, self._ended, self._lent = failure, True, None
        self._awaited.wake()

    def discard(self) -> None:
        """Forgets what is there and what comes, up to the end."""
        with self._lock:
            self._discards = True
            self._lent = None
            self._pieces.clear()
            self._read = self._size = 0
            self._awaited.wake()

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self._ended

    @property
    def failure(self) -> HttpFailure | None:
        """Why it ended too soon, if it did."""
        return self._failure

    # --- the loop's side ---

    async def push(self, data: bytes) -> None:
        """Adds some bytes; returns when the next ones are wanted."""
        with self._lock:
            if data and not self._discards:
                self._pieces.append(data)
                self._size += len(data)
        self.changed()
        while (waiting := self._full()) is not None:
            await waiting

    async def lend(self, lent: socket.socket, left: int, seconds: float) -> int:
        """Lets the guest receive the rest of the body by itself.

        Args:
            lent: Nobody else receives from it, and nobody closes it, before this has returned.
            left: How many bytes are to come.
            seconds: How long may pass while the guest waits and nothing comes.

        Returns:
            How many bytes it left; then the body has not ended.

        Raises:
            TimeoutError: Nothing came.
        """
        with self._lock:
            self._left = left
            self._lent = None if self._discards else lent
        self.changed()
        waited, left_then, since = False, left, 0.0
        try:
            while (waiting := self._still_lent()) is not None:
                if not (waited and self._is_waited_for) or self._left != left_then:
                    left_then, since = self._left, waiting.get_loop().time()
                waited = self._is_waited_for
                await self._asked(waiting, lent, since + seconds)
        finally:
            with self._lock:
                self._lent = None
        return 0 if self._ended else self._left

    def _still_lent(self) -> asyncio.Future[None] | None:
        with self._lock:
            return None if self._lent is None else self._awaited.begin()

    async def _asked(self, waiting: asyncio.Future[None], lent: socket.socket, until: float) -> None:
        """Returns when the guest begins to wait, or is done; or when something has come, if it waits already."""
        if not self._is_waited_for:
            return await waiting
        import asyncio  # noqa: PLC0415  # see TYPE_CHECKING

        loop = waiting.get_loop()
        loop.add_reader(lent, self._has_come, waiting)
        try:
            async with asyncio.timeout_at(until):
                await waiting
        finally:
            loop.remove_reader(lent)

    def _has_come(self, waiting: asyncio.Future[None]) -> None:
        self._is_waited_for = False
        _set(waiting)
        self.changed()

    def _full(self) -> asyncio.Future[None] | None:
        with self._lock:
            return self._awaited.begin() if self._size >= self._most else None

    def end(self, trailers: FieldValues | None = None, failure: HttpFailure | None = None) -> None:
        """Ends it, from whichever thread; what is there can still be read. Harmless when repeated."""
        with self._lock:
            if self._ended:
                return
            self.trailers, self._failure, self._ended = trailers, failure, True
        self.changed()


def _can_be_read(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


class Outgoing(Watched, Sink):
    """The body of a request: the guest writes, the loop pulls.

    Attributes:
        written: How many bytes the guest has written, or tried to.
        expected: How many it said it would; None for any number.
        trailers: What follows the body.
    """

    def __init__(self, most: int, expected: int | None, size_case: str) -> None:
        """Makes one.

        Args:
            most: What is kept of it at most, in bytes.
            expected: How many bytes it must have, if that is known.
            size_case: The error code of another number.
        """
        super().__init__()
        self._most = most
        self._data = bytearray()
        self._awaited = _Awaited()
        self._size_case = size_case
        self._needs_length = False
        self._failure: HttpFailure | None = None  # the guest's, for the loop
        self._closed: HttpFailure | None = None  # the loop's, for the guest
        self._finished = False
        self._is_open = True
        self.written = 0
        self.expected = expected
        self.trailers: FieldValues = {}

    # --- the guest's side ---

    def ready(self) -> bool:
        """Says whether `permit` gives something or raises."""
        return not self._is_open or len(self._data) < self._most

    def permit(self) -> int:
        """Returns how many bytes there is room for; see `Sink.permit`."""
        self._check()
        return self._most - len(self._data)

    def write(self, data: bytes) -> None:
        """Takes bytes; see `Sink.write`."""
        self._check()
        self.written += len(data)
        if self.expected is not None and self.written > self.expected:
            failure = self._misfit()
            self.abort(failure)
            raise Failed(failure.as_io_error())
        with self._lock:
            self._data += data
            self._awaited.wake()

    def flush(self) -> None:
        """Does nothing: what was written is on its way."""
        self._check()

    def _check(self) -> None:
        if self._is_open:
            return
        if self._closed is not None:
            raise Failed(self._closed.as_io_error())
        raise Closed

    def _misfit(self) -> HttpFailure:
        if self._needs_length:
            return HttpFailure("HTTP-request-length-required")
        return HttpFailure(self._size_case, self.written)

    def need_length(self) -> None:
        """Is told that without a length there is no body.

        Raises:
            HttpFailure: There is some already.
        """
        if self.expected is None:
            self.expected, self._needs_length = 0, True
            if self.written:
                raise self._misfit()

    def finish(self, trailers: FieldValues) -> None:
        """Ends it.

        Raises:
            HttpFailure: It has not as many bytes as was said.
        """
        if self.expected is not None and self.written != self.expected:
            failure = self._misfit()
            self.abort(failure)
            raise failure
        with self._lock:
            self.trailers, self._finished = trailers, True
            self._awaited.wake()

    def abort(self, failure: HttpFailure) -> None:
        """Gives it up: the request fails."""
        with self._lock:
            if not self._finished and self._failure is None:
                self._failure = failure
                self._awaited.wake()

    # --- the loop's side ---

    async def pull(self) -> bytes | None:
        """Returns what is there, once something is; None at the end.

        Raises:
            HttpFailure: The guest has given it up.
        """
        while (waiting := self._empty()) is not None:
            await waiting
        with self._lock:
            if self._failure is not None:
                raise self._failure
            data = bytes(self._data)
            self._data.clear()
        if not data:
            return None
        self.changed()
        return data

    def _empty(self) -> asyncio.Future[None] | None:
        with self._lock:
            there = self._data or self._finished or self._failure is not None
            return None if there else self._awaited.begin()

    def cut(self, failure: HttpFailure | None = None) -> None:
        """Takes no more, from whichever thread: the guest's next write is told why. Harmless when repeated."""
        with self._lock:
            if not self._is_open:
                return
            self._is_open, self._closed = False, failure
            self._data.clear()
        self.changed()
