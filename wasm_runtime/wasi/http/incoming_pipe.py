"""The body of a response on its way to a guest: bounded, each side waiting for the other."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from polycall.wasm_runtime.wasi.http.error_codes import HttpFailure, failed_connection
from polycall.wasm_runtime.wasi.http.fields import FieldValues
from polycall.wasm_runtime.wasi.http.watched import Awaited, Watched, set_result
from polycall.wasm_runtime.wasi.io.ends import Closed, Failed, Source

if TYPE_CHECKING:
    import asyncio  # see `watched`
    import socket

__all__ = ["Incoming"]


_SMALL = 4096
"""A server may send its body a byte at a time."""


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
        self._awaited = Awaited()
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

    def give_up(self) -> None:
        """Ends it, with nothing behind it: the guest may keep what it waited with for ever."""
        self.discard()
        with self._lock:
            self._ended, self.trailers = True, None

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
                self._add(data)
        self.changed()
        while (waiting := self._full()) is not None:
            await waiting

    def _add(self, data: bytes) -> None:
        self._size += len(data)
        if self._pieces and len(self._pieces[-1]) < _SMALL:  # as an object, each would take many times its bytes
            self._pieces[-1] += data
        else:
            self._pieces.append(data)

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
        import asyncio  # noqa: PLC0415  # see `watched`

        loop = waiting.get_loop()
        loop.add_reader(lent, self._has_come, waiting)
        try:
            async with asyncio.timeout_at(until):
                await waiting
        finally:
            loop.remove_reader(lent)

    def _has_come(self, waiting: asyncio.Future[None]) -> None:
        self._is_waited_for = False
        set_result(waiting)
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
