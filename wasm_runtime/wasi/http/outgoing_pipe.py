"""The body of a request on its way from a guest: bounded, each side waiting for the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polycall.wasm_runtime.wasi.http.error_codes import HttpFailure
from polycall.wasm_runtime.wasi.http.fields import FieldValues
from polycall.wasm_runtime.wasi.http.watched import Awaited, Watched
from polycall.wasm_runtime.wasi.io.ends import Closed, Failed, Sink

if TYPE_CHECKING:
    import asyncio  # see `watched`

__all__ = ["Outgoing"]


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
        self._awaited = Awaited()
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
            if self._is_open:  # the loop may have ended it meanwhile: nobody takes what would stay here
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
            self.trailers = trailers if self._is_open else {}
            self._finished = True
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
            self.trailers = {}  # the guest may keep for ever what it has waited with
        self.changed()
