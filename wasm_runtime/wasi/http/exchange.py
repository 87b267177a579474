"""A request on its way and its response: what stands between the guest's thread and the coroutine that talks."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any

from polycall.interop.io_thread import io_thread
from polycall.wasm_runtime.wasi.http.error_codes import HttpFailure
from polycall.wasm_runtime.wasi.http.fields import FieldValues
from polycall.wasm_runtime.wasi.http.incoming_pipe import Incoming
from polycall.wasm_runtime.wasi.http.outgoing_pipe import Outgoing
from polycall.wasm_runtime.wasi.http.room import Buffered, piece_bytes
from polycall.wasm_runtime.wasi.http.watched import Watched
from polycall.wasm_runtime.wasi.session import Session

__all__ = ["Exchange", "Head"]

_NO_FIELDS: Mapping[str, list[bytes]] = MappingProxyType({})


class Head(Watched):
    """Status and headers of a response, or why there are none.

    Attributes:
        what: What a call waits for that waits for it.
        status: The status.
        fields: The headers.
        failure: Why there is no response; None while there is one or may be.
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        self.status = 0
        self.fields: FieldValues = _NO_FIELDS
        self.failure: HttpFailure | None = None
        self._is_over = False

    def ready(self) -> bool:
        """Says whether there is one of both."""
        return self.status != 0 or self.failure is not None

    def arrive(self, status: int, fields: FieldValues) -> None:
        """Is told by the loop that the response begins."""
        with self._lock:
            if self._is_over:
                return
            self.fields, self.status = fields, status  # in this order: the status says that all is there
        self.changed()

    def give_up(self) -> None:
        """Forgets the headers and those that come: the guest may keep what it waited with for ever."""
        with self._lock:
            self._is_over, self.fields = True, _NO_FIELDS

    def fail(self, failure: HttpFailure) -> None:
        """Is told by the loop that there will be none; harmless if there is."""
        if not self.ready():
            self.failure = failure
            self.changed()


class Exchange(Buffered):
    """A request on its way.

    Attributes:
        head: The beginning of its response.
        body: The body of its response.
        outgoing: Its own body, or None.
    """

    bound = "max_http_requests"

    def __init__(self, session: Session, what: str, outgoing: Outgoing | None) -> None:
        """Makes one.

        Args:
            session: Of the instance.
            what: See `Head`.
            outgoing: Its body, or None.

        Raises:
            TooManyError: The guest has too many, or too much in them.
        """
        piece = piece_bytes(session)
        super().__init__(session, (3 if outgoing is None else 5) * piece)
        self.head = Head(what)
        self.body = Incoming(2 * piece)
        self.outgoing = outgoing
        self._work: Future[None] | None = None

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins to talk."""
        self._work = io_thread().run(work)

    def tell_refusal(self) -> None:
        """Tells the person, once, if a rule has refused it: the loop has found out, the log is the guest's thread's."""
        failure = self.head.failure
        if failure is not None and failure.refusal:
            self.session.refuse(failure.refusal)
            failure.refusal = ""

    def close(self) -> None:
        """Ends it: the connection is closed at once, whatever is on its way."""
        super().close()
        if self._work is not None:
            self._work.cancel()
        self.tell_refusal()
        self.head.give_up()
        self.body.give_up()
        if self.outgoing is not None:
            self.outgoing.cut()
