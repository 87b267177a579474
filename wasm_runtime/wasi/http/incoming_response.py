"""``future-incoming-response``, ``incoming-response``, ``incoming-body`` and ``future-trailers``: what comes back.

Each is made from the one before and keeps the request going: when the guest drops the last of them, it is over.
"""

from __future__ import annotations

from typing import Any

from polycall.interop.errors import TrapError
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.http.exchange import Exchange
from polycall.wasm_runtime.wasi.http.fields import Fields, pairs, size_of
from polycall.wasm_runtime.wasi.http.room import Buffered
from polycall.wasm_runtime.wasi.io.poll import Pollable
from polycall.wasm_runtime.wasi.io.streams import InputStream

__all__ = ["FutureIncomingResponse", "FutureTrailers", "IncomingBody", "IncomingResponse"]

_AGAIN = {"err": None}


class _Stage(Buffered):
    """What of a request's way the guest holds; the request ends with it, unless the next stage has taken it over.

    The guest may keep it when the request is over: what it holds by then is its own, and counts.
    """

    def __init__(self, exchange: Exchange, size: int = 0) -> None:
        super().__init__(exchange.session, size)
        self._exchange: Exchange | None = exchange

    def _take(self) -> Exchange | None:
        exchange, self._exchange = self._exchange, None
        return exchange

    def close(self) -> None:
        super().close()
        exchange = self._take()
        if exchange is not None:
            exchange.drop()


class FutureIncomingResponse(_Stage):
    """A response that may come."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._head = exchange.head

    def subscribe(self, _store: GuestStore) -> Pollable:
        """Returns what to wait for."""
        return Pollable(self.session, self._head, self._head.what)

    def get(self, _store: GuestStore) -> dict[str, Any] | None:
        """Returns the response or why there is none, once; None while there is neither."""
        if not self._head.ready():
            return None
        exchange = self._take()
        if exchange is None:
            return _AGAIN
        if self._head.failure is not None:
            exchange.drop()  # which tells of a refusal
            return {"ok": {"err": self._head.failure.code}}
        return {"ok": {"ok": IncomingResponse(exchange)}}


class IncomingResponse(_Stage):
    """A response."""

    def __init__(self, exchange: Exchange) -> None:
        head = exchange.head
        super().__init__(exchange, size_of(pairs(head.fields)))
        self._status = head.status
        self._fields = head.fields

    def status(self, _store: GuestStore) -> int:
        """Returns its status."""
        return self._status

    def headers(self, store: GuestStore) -> Fields:
        """Returns its headers, which cannot be changed."""
        return Fields.view(store, self._fields)

    def consume(self, _store: GuestStore) -> dict[str, Any]:
        """Returns its body, once."""
        exchange = self._take()
        return _AGAIN if exchange is None else {"ok": IncomingBody(exchange)}


class IncomingBody(_Stage):
    """The body of a response."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._pipe = exchange.body
        self._stream: InputStream | None = None

    def stream(self, _store: GuestStore) -> dict[str, Any]:
        """Returns the stream to read from, once."""
        if self._stream is not None:
            return _AGAIN
        self._stream = InputStream(self.session, self._pipe, "the body of an HTTP response")
        return {"ok": self._stream}

    @staticmethod
    def finish(_store: GuestStore, this: IncomingBody) -> FutureTrailers:
        """Skips what was not read, and returns what will follow it."""
        this.check()
        this._check_stream()
        exchange = this._take()
        if exchange is None:
            raise TrapError("the guest finished an incoming-body twice")
        this._pipe.discard()
        this.drop()
        return FutureTrailers(exchange)

    def _check_stream(self) -> None:
        if self._stream is not None and not self._stream.gone:
            raise TrapError("the guest ended an incoming-body whose stream it has not dropped")

    def drop(self) -> None:
        """Is told that the guest has dropped it."""
        if not self.gone:
            self._check_stream()
        super().drop()


class FutureTrailers(_Stage):
    """Trailers that may come."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._pipe = exchange.body

    def subscribe(self, _store: GuestStore) -> Pollable:
        """Returns what to wait for."""
        return Pollable(self.session, self._pipe, "the end of an HTTP response")

    def get(self, store: GuestStore) -> dict[str, Any] | None:
        """Returns the trailers if there are any, or why the body has no end, once; None while it has not."""
        if not self._pipe.ended:
            return None
        exchange = self._take()
        if exchange is None:
            return _AGAIN
        failure, trailers = self._pipe.failure, self._pipe.trailers
        exchange.drop()
        if failure is not None:
            return {"ok": {"err": failure.code}}
        return {"ok": {"ok": None if trailers is None else Fields.view(store, trailers)}}
