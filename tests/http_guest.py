"""What a guest does with ``wasi:http``, done from Python: the host's classes, called as a component calls them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from types import SimpleNamespace, TracebackType
from typing import Any, NamedTuple, cast

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.source import SourceText
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.spec import WasiLimitsSpec, WasiNetworkSpec, WasiSpec, WasmProgram
from polycall.wasm_runtime.wasi.http.fields import Fields
from polycall.wasm_runtime.wasi.http.incoming_response import FutureIncomingResponse, IncomingBody, IncomingResponse
from polycall.wasm_runtime.wasi.http.outgoing_body import OutgoingBody
from polycall.wasm_runtime.wasi.http.outgoing_handler import OutgoingHandler
from polycall.wasm_runtime.wasi.http.outgoing_request import OutgoingRequest
from polycall.wasm_runtime.wasi.http.request_options import RequestOptions
from polycall.wasm_runtime.wasi.http.types import Types
from polycall.wasm_runtime.wasi.session import Session

__all__ = ["Answer", "HttpGuest", "NoAnswer", "StreamFailed"]


class NoAnswer(Exception):  # noqa: N818
    """A request failed, with this ``error-code``."""

    def __init__(self, code: dict[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        ((self.case, self.payload),) = code.items()


class StreamFailed(NoAnswer):
    """A stream of a body did."""


class Answer(NamedTuple):
    """A response, whole."""

    status: int
    headers: list[list[Any]]
    body: bytes
    trailers: list[list[Any]] | None


class HttpGuest:
    """A guest in the middle of a call; a context manager, which ends the call.

    Attributes:
        store: What the host's methods want first.
        session: The session behind it.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] | None = ("loopback",),
        deny: Sequence[str] = (),
        limits: WasiLimitsSpec | None = None,
        seconds: float | None = 20,
        cancellation: Cancellation | None = None,
    ) -> None:
        network = WasiNetworkSpec(allow=None if allow is None else tuple(allow), deny=tuple(deny))
        wasi = WasiSpec(network=network, limits=limits or WasiLimitsSpec())
        program = WasmProgram("app:guest", cast("SourceText", None), "run", wasi=wasi)
        self.session = Session(program, None)
        self.store = cast("GuestStore", SimpleNamespace(session=self.session))
        deadline = None if seconds is None else time.monotonic() + seconds
        self.session.begin(CallContext("app:guest", "wasm", None, deadline=deadline, cancellation=cancellation))

    def __enter__(self) -> HttpGuest:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.session.close()

    def fields(self, entries: Iterable[tuple[str, bytes | str]] = ()) -> Fields:
        values = [[name, value.encode() if isinstance(value, str) else value] for name, value in entries]
        made = Fields.from_list(self.store, values)["ok"]
        assert isinstance(made, Fields)
        return made

    def request(
        self,
        authority: str | None,
        path: str | None = "/",
        *,
        method: str = "GET",
        scheme: str | None = "HTTP",
        headers: Iterable[tuple[str, bytes | str]] = (),
    ) -> OutgoingRequest:
        """Composes a request; a setter that refuses is an `AssertionError`."""
        request = OutgoingRequest(self.store, self.fields(headers))
        variant = {"HTTP": {"HTTP": True}, "HTTPS": {"HTTPS": True}, None: None}.get(scheme, {"other": scheme})
        known = method in ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
        chosen = {method.lower(): True} if known else {"other": method}
        for outcome in (
            request.set_method(self.store, chosen),
            request.set_scheme(self.store, variant),
            request.set_authority(self.store, authority),
            request.set_path_with_query(self.store, path),
        ):
            assert "ok" in outcome, outcome
        return request

    def options(
        self, *, connect: float | None = None, first_byte: float | None = None, between_bytes: float | None = None
    ) -> RequestOptions:
        options = RequestOptions(self.store)
        for seconds, put in (
            (connect, options.set_connect_timeout),
            (first_byte, options.set_first_byte_timeout),
            (between_bytes, options.set_between_bytes_timeout),
        ):
            assert put(self.store, None if seconds is None else int(seconds * 1e9)) == {"ok": None}
        return options

    def send(self, request: OutgoingRequest, options: RequestOptions | None = None) -> FutureIncomingResponse:
        """Begins to send a request."""
        outcome = OutgoingHandler().handle(self.store, request, options)
        if "err" in outcome:
            raise NoAnswer(outcome["err"])
        future = outcome["ok"]
        assert isinstance(future, FutureIncomingResponse)
        return future

    def response(self, future: FutureIncomingResponse) -> IncomingResponse:
        """Waits for a response."""
        future.subscribe(self.store).block(self.store)
        outcome = future.get(self.store)
        assert outcome is not None
        future.drop()
        inner = outcome["ok"]
        if "err" in inner:
            raise NoAnswer(inner["err"])
        response = inner["ok"]
        assert isinstance(response, IncomingResponse)
        return response

    def write(self, body: OutgoingBody, data: bytes) -> None:
        """Writes to a body, as much at a time as there is room for, and lets the stream go."""
        stream = body.write(self.store)["ok"]
        pollable = stream.subscribe(self.store)
        at = 0
        try:
            while at < len(data):
                pollable.block(self.store)
                room = self._streamed(stream.check_write(self.store))
                self._streamed(stream.write(self.store, data[at : at + room]))
                at += room
        finally:
            pollable.drop()
            stream.drop()

    def finish(self, body: OutgoingBody, trailers: Iterable[tuple[str, bytes | str]] | None = None) -> None:
        """Ends a body."""
        fields = None if trailers is None else self.fields(trailers)
        outcome = OutgoingBody.finish(self.store, body, fields)
        if "err" in outcome:
            raise NoAnswer(outcome["err"])

    def read(self, response: IncomingResponse) -> Answer:
        """Reads a response to its end."""
        status, headers = response.status(self.store), response.headers(self.store)
        body = response.consume(self.store)["ok"]
        response.drop()
        data = self.read_body(body)
        return Answer(status, headers.entries(self.store), data, self.trailers(body))

    def read_body(self, body: IncomingBody) -> bytes:
        """Reads a body to its end, and lets the stream go."""
        stream = body.stream(self.store)["ok"]
        found = []
        try:
            while "ok" in (outcome := stream.blocking_read(self.store, 65536)):
                found.append(outcome["ok"])
        finally:
            stream.drop()
        if "last-operation-failed" in outcome["err"]:
            self._streamed(outcome)
        return b"".join(found)

    def trailers(self, body: IncomingBody) -> list[list[Any]] | None:
        """Waits for what follows a body."""
        future = IncomingBody.finish(self.store, body)
        future.subscribe(self.store).block(self.store)
        outcome = future.get(self.store)
        assert outcome is not None
        future.drop()
        inner = outcome["ok"]
        if "err" in inner:
            raise NoAnswer(inner["err"])
        fields = inner["ok"]
        return None if fields is None else fields.entries(self.store)

    def fetch(
        self,
        authority: str | None,
        path: str | None = "/",
        *,
        method: str = "GET",
        scheme: str | None = "HTTP",
        headers: Iterable[tuple[str, bytes | str]] = (),
        body: bytes | None = None,
        trailers: Iterable[tuple[str, bytes | str]] | None = None,
        options: RequestOptions | None = None,
    ) -> Answer:
        """Does all of it."""
        request = self.request(authority, path, method=method, scheme=scheme, headers=headers)
        outgoing = None if body is None else request.body(self.store)["ok"]
        future = self.send(request, options)
        if body is not None and outgoing is not None:
            self.write(outgoing, body)
            self.finish(outgoing, trailers)
        return self.read(self.response(future))

    def _streamed(self, outcome: dict[str, Any]) -> Any:
        if "ok" in outcome:
            return outcome["ok"]
        error = outcome["err"].get("last-operation-failed")
        code = None if error is None else Types().http_error_code(self.store, error)
        raise StreamFailed(code or {"closed": True})
