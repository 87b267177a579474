"""The client: one request and its response over a connection of their own, by HTTP/1.1. Runs on the loop's thread.

h11 knows the protocol and touches no socket; what is sent and when what comes is read, is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import h11

from polycall.interop.logs import logger
from polycall.interop.records import record
from polycall.wasm_runtime.wasi.http.connecting import Destination, connect
from polycall.wasm_runtime.wasi.http.connection import Connection
from polycall.wasm_runtime.wasi.http.error_codes import HttpFailure, failed_connection
from polycall.wasm_runtime.wasi.http.exchange import Head
from polycall.wasm_runtime.wasi.http.fields import FORBIDDEN, FieldValues, pairs, size_of
from polycall.wasm_runtime.wasi.http.incoming_pipe import Incoming
from polycall.wasm_runtime.wasi.http.lines import Lines
from polycall.wasm_runtime.wasi.http.outgoing_pipe import Outgoing
from polycall.wasm_runtime.wasi.http.syntax import BODILESS, is_value

__all__ = ["Plan", "talk"]


_START_LINE = 8 * 1024
_HEAD_READ = 16 * 1024
_MOST_INFORMATIONAL = 64
_EVENTS_AT_ONCE = 64
"""Of h11's, before others get their turn on the loop: a server may send its body in chunks of a byte."""

_WITH_A_BODY = ("POST", "PUT", "PATCH")


@record
class Plan:
    """A request, as it will be sent.

    Attributes:
        to: Where it goes.
        method: The method.
        target: Path and query.
        host: The header of that name.
        fields: The other headers.
        connect: How long the connection may take, in seconds.
        first_byte: The same for the head of the response.
        between_bytes: The same for each further piece.
        most_header_bytes: Of the response, and of its trailers.
        piece: How much of a body is read at once.
    """

    to: Destination
    method: str
    target: str
    host: str
    fields: FieldValues
    connect: float
    first_byte: float
    between_bytes: float
    most_header_bytes: int
    piece: int


async def talk(plan: Plan, head: Head, body: Incoming, outgoing: Outgoing | None) -> None:
    """Sends a request and receives its response; failures are told to who waits for it."""
    try:
        connection = await connect(plan.to, plan.connect)
        try:
            await _Talk(plan, connection, head, body, outgoing).run()
        finally:
            connection.close()
        failure = None
    except HttpFailure as error:
        failure = error.alone()
    except OSError as error:
        failure = failed_connection(error)
    except h11.LocalProtocolError:
        failure = HttpFailure("HTTP-protocol-error")
    except Exception:  # noqa: BLE001 - a fault of ours: the guest must not wait for ever because of it
        logger(__name__).exception("an HTTP request failed")
        failure = HttpFailure("internal-error", None)
    if failure is not None:
        head.fail(failure)
        body.end(failure=failure)
    if outgoing is not None:
        outgoing.cut(failure)


class _Talk:
    def __init__(
        self, plan: Plan, connection: Connection, head: Head, body: Incoming, outgoing: Outgoing | None
    ) -> None:
        self._plan = plan
        self._connection = connection
        self._head = head
        self._body = body
        self._outgoing = outgoing
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=plan.most_header_bytes + _START_LINE)
        self._h11._receive_buffer = Lines()
        self._at_end = False
        self._heard = False
        self._writes = False

    async def run(self) -> None:
        """Does both at once: a response may come before all of the request is sent."""
        both = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
            for each in done:
                each.result()
        finally:
            for each in both:
                each.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    # --- the request ---

    async def _send(self) -> None:
        outgoing = self._outgoing
        try:
            await self._write(self._request())
            if outgoing is not None:
                await self._send_body(outgoing)
            trailers = {} if outgoing is None else outgoing.trailers
            await self._write(h11.EndOfMessage(headers=_encoded(trailers)))
        except OSError as error:  # the server takes no more; what it has said by then is still to be read
            if outgoing is not None:
                outgoing.cut(failed_connection(error))

    def _request(self) -> h11.Request:
        plan = self._plan
        fields = [(b"host", plan.host.encode()), *_encoded(plan.fields), (b"connection", b"close")]
        if "content-length" not in plan.fields:
            if self._outgoing is not None and plan.method not in BODILESS:
                fields.append((b"transfer-encoding", b"chunked"))
            elif plan.method in _WITH_A_BODY:
                fields.append((b"content-length", b"0"))
        return h11.Request(method=plan.method, target=plan.target, headers=fields)

    async def _send_body(self, outgoing: Outgoing) -> None:
        while (data := await outgoing.pull()) is not None:
            await self._write(h11.Data(data=data))

    async def _write(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        data = self._h11.send(event)
        if data:
            self._writes = True
            await self._connection.write(data)
            self._writes = False

    # --- the response ---

    async def _receive(self) -> None:
        try:
            async with asyncio.timeout(self._plan.first_byte):
                response = await self._receive_head()
        except TimeoutError:
            raise HttpFailure("connection-write-timeout" if self._writes else "connection-read-timeout") from None
        fields = self._fields(response.headers, "HTTP-response-header-section-size")
        self._head.arrive(response.status_code, fields)
        length = self._length(response)
        if length is not None:
            return await self._receive_bytes(length)
        end = await self._receive_body()
        trailers = self._fields(end.headers, "HTTP-response-trailer-section-size")
        self._body.end(trailers or None)

    def _length(self, response: h11.Response) -> int | None:
        """Returns how many bytes follow, if that is all there is to know about the body (RFC 9112, 6.3)."""
        fields = dict(response.headers)
        if self._plan.method == "HEAD" or response.status_code in (204, 304) or b"transfer-encoding" in fields:
            return None
        return int(fields[b"content-length"]) if b"content-length" in fields else None

    async def _receive_bytes(self, length: int) -> None:
        """Has a body passed on as it comes, without h11, which would copy each byte twice."""
        data, _ = self._h11.trailing_data
        left = length - len(data)
        await self._body.push(data[:length])
        if self._connection.bare is not None and left > 0:
            try:
                left = await self._body.lend(self._connection.bare, left, self._plan.between_bytes)
            except TimeoutError:
                raise HttpFailure("connection-read-timeout") from None
        while left > 0:
            data = await self._read_piece()
            if not data:
                raise HttpFailure("HTTP-response-incomplete")
            await self._body.push(data[:left])
            left -= len(data)
        self._body.end()

    async def _receive_head(self) -> h11.Response:
        for _ in range(_MOST_INFORMATIONAL):
            while (event := self._next("HTTP-response-header-section-size")) is h11.NEED_DATA:
                self._got(await self._connection.read(_HEAD_READ))
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.InformationalResponse):
                self._fields(event.headers, "HTTP-response-header-section-size")  # nobody sees them; many are refused
        raise HttpFailure("HTTP-protocol-error")

    async def _receive_body(self) -> h11.EndOfMessage:
        while True:
            pieces, event = self._gathered()
            if pieces:
                await self._body.push(b"".join(pieces))
            if isinstance(event, h11.EndOfMessage):
                return event
            if isinstance(event, HttpFailure):
                raise event
            if event is h11.NEED_DATA:
                self._got(await self._read_piece())
            else:
                await asyncio.sleep(0)

    def _gathered(self) -> tuple[list[bytes], object]:
        """Returns what of the body has come, and what came behind it: an event, or what is wrong with it."""
        pieces: list[bytes] = []
        try:
            for _ in range(_EVENTS_AT_ONCE):
                event = self._next("HTTP-response-trailer-section-size")
                if not isinstance(event, h11.Data):
                    return pieces, event
                pieces.append(event.data)
        except HttpFailure as failure:
            return pieces, failure
        return pieces, None

    async def _read_piece(self) -> bytes:
        try:
            async with asyncio.timeout(self._plan.between_bytes):
                return await self._connection.read(self._plan.piece)
        except TimeoutError:
            raise HttpFailure("connection-read-timeout") from None

    def _got(self, data: bytes) -> None:
        self._at_end = not data
        self._heard = self._heard or bool(data)
        self._h11.receive_data(data)

    def _next(self, too_long: str) -> object:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise self._misread(error.error_status_hint, too_long) from None

    def _misread(self, hint: int, too_long: str) -> HttpFailure:
        if hint == 431:
            return HttpFailure(too_long, self._plan.most_header_bytes + 1)
        if self._at_end:
            return HttpFailure("HTTP-response-incomplete" if self._heard else "connection-terminated")
        return HttpFailure("HTTP-response-transfer-coding", None) if hint == 501 else HttpFailure("HTTP-protocol-error")

    def _fields(self, headers: Iterable[tuple[bytes, bytes]], too_long: str) -> FieldValues:
        """Returns the fields of a message as guests see them."""
        decoded = [(name.decode("ascii"), bytes(value)) for name, value in headers]
        size = size_of(decoded)
        if size > self._plan.most_header_bytes:
            raise HttpFailure(too_long, size)
        if not all(is_value(value) for _, value in decoded):
            raise HttpFailure("HTTP-protocol-error")
        values: dict[str, list[bytes]] = {}
        for name, value in decoded:
            if name not in FORBIDDEN:
                values.setdefault(name, []).append(value)
        return values


def _encoded(fields: FieldValues) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.strip(b" \t")) for name, value in pairs(fields)]
