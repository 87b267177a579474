"""``wasi:http/outgoing-handler``: sending requests."""

from __future__ import annotations

from typing import Any

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.http.error_codes import HttpFailure
from polycall.wasm_runtime.wasi.http.exchange import Exchange
from polycall.wasm_runtime.wasi.http.fields import content_length
from polycall.wasm_runtime.wasi.http.incoming_response import FutureIncomingResponse
from polycall.wasm_runtime.wasi.http.outgoing_body import REQUEST_SIZE
from polycall.wasm_runtime.wasi.http.outgoing_request import OutgoingRequest
from polycall.wasm_runtime.wasi.http.request_options import RequestOptions
from polycall.wasm_runtime.wasi.http.room import piece_bytes
from polycall.wasm_runtime.wasi.http.syntax import BODILESS, Authority, target_of
from polycall.wasm_runtime.wasi.http.types import Types
from polycall.wasm_runtime.wasi.session import Session, session_of

__all__ = ["OutgoingHandler"]

_PORTS = {"http": 80, "https": 443}
_LONGEST = 600.0
"""Seconds that are waited for what a guest sets no timeout for; its call's deadline may come before."""


class OutgoingHandler(HostInterface):
    """The interface."""

    name = "wasi:http/outgoing-handler@0.2.12"
    wit = """
        use types.{outgoing-request, request-options, future-incoming-response, error-code};
        handle: func(request: outgoing-request, options: option<request-options>)
            -> result<future-incoming-response, error-code>;
    """
    uses = (Types,)

    def handle(self, store: GuestStore, request: OutgoingRequest, options: RequestOptions | None) -> dict[str, Any]:
        """Begins to send a request, if it is one and may be sent."""
        request.check()
        if options is None:
            options = RequestOptions(store)
        options.check()
        try:
            return {"ok": _begin(session_of(store), request, options)}
        except HttpFailure as failure:
            request.drop()
            return {"err": failure.code}
        finally:
            options.drop()


def _begin(session: Session, request: OutgoingRequest, options: RequestOptions) -> FutureIncomingResponse:
    method, scheme, authority, path = request.first_line()
    if scheme not in _PORTS or method == "CONNECT":  # a tunnel would lead to where nobody judges
        raise HttpFailure("HTTP-protocol-error")
    if not authority or path is None:
        raise HttpFailure("HTTP-request-URI-invalid")
    to = Authority.parse(authority)
    port = to.port or _PORTS[scheme]
    _judge(session, scheme, to, port)
    if request.pipe is None:
        if content_length(request.fields):
            raise HttpFailure(REQUEST_SIZE, 0)
    elif method in BODILESS:
        request.pipe.need_length()
    from polycall.wasm_runtime.wasi.http.client import Plan, talk  # noqa: PLC0415  # TLS and h11 take their time
    from polycall.wasm_runtime.wasi.http.connecting import Destination  # noqa: PLC0415
    from polycall.wasm_runtime.wasi.http.connection import client_context  # noqa: PLC0415

    plan = Plan(
        to=Destination(
            scheme, to.host, port, session.network, session.entry_id, client_context() if scheme == "https" else None
        ),
        method=method,
        target=target_of(path),
        host=str(to),
        fields=request.fields,
        connect=_seconds(options.connect),
        first_byte=_seconds(options.first_byte),
        between_bytes=_seconds(options.between_bytes),
        most_header_bytes=session.settings.limits.max_header_bytes,
        piece=piece_bytes(session),
    )
    request.send()
    exchange = Exchange(session, f"an HTTP response of {to.host}:{port}", request.pipe)
    exchange.start(talk(plan, exchange.head, exchange.body, exchange.outgoing))
    return FutureIncomingResponse(exchange)


def _judge(session: Session, scheme: str, to: Authority, port: int) -> None:
    """Refuses what can be refused before anything is looked up; addresses of names are judged when they are known."""
    if isinstance(to.host, str):
        if not session.network.may_look_up(to.host):
            raise HttpFailure("HTTP-request-denied")
    elif not session.network.may_connect(scheme, to.host, port):
        raise HttpFailure("destination-IP-prohibited")


def _seconds(nanoseconds: int | None) -> float:
    return _LONGEST if nanoseconds is None else nanoseconds / 1e9
