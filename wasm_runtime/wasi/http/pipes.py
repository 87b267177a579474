"""Bodies on their way between a guest's thread and that of the loop: bounded, each side waiting for the other.

The guest's side never blocks: it is a `Source` or a `Sink`, and `Session.wait` is where guests wait. The loop's side is
awaited. Each passes as much at a time as there is: waking the other thread is what costs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from polycall.interop.forks import new_lock
from polycall.wasm_runtime.wasi.http.error_codes import HttpFailure
from polycall.wasm_runtime.wasi.http.fields import FieldValues
from polycall.wasm_runtime.wasi.io.ends import Closed, Failed, Sink, Source
from polycall.wasm_runtime.wasi.readiness import Readiness

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
    """The body of a response: the loop pushes, the guest reads."""

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
        self.trailers: FieldValues | None = None

    # --- the guest's side ---

    def ready(self) -> bool:
        """Says whether `read` gives something or raises."""
        return bool(self._pieces) or self._ended

    def read(self, most: int) -> bytes:
        """Returns what is there; see `Source.read`."""
        with self._lock:
            if self._pieces:
                return self._take(most)
            if not self._ended:
                return b""
        if self._failure is not None:
            raise Failed(self._failure.as_io_error())
        raise Closed

    def _take(self, most: int) -> bytes:
        piece = self._pieces[0]
        taken = piece if not self._read and len(piece) <= most else piece[self._read : self._read + most]
        self._read += len(taken)
        if self._read == len(piece):
            self._pieces.popleft()
            self._read = 0
        self._size -= len(taken)
        if self._size < self._most:
            self._awaited.wake()
        return taken

    def discard(self) -> None:
        """Forgets what is there and what comes, up to the end."""
        with self._lock:
            self._discards = True
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
            if not self._discards:
                self._pieces.append(data)
                self._size += len(data)
        self.changed()
        while (waiting := self._full()) is not None:
            await waiting

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
