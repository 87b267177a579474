"""Connections to servers: the address that was judged is the address that is connected to, plain or by TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from polycall.interop.addresses import Address
from polycall.interop.name_lookup import LookUp, name_lookups
from polycall.wasm_runtime.wasi.http.error_codes import HttpFailure, failed_connection, failed_look_up
from polycall.wasm_runtime.wasi.network_gate import NetworkGate

__all__ = ["Connection", "Destination", "client_context", "connect"]

_BETWEEN_ATTEMPTS = 0.25
"""Seconds until the next address is tried beside one that does not answer (RFC 8305)."""

_MOST_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes.

    Attributes:
        scheme: ``http`` or ``https``.
        host: A name or an address, as of `parse_host`.
        port: The port.
        gate: Judges the addresses of a name; an address has been judged.
        owner: The entry that asks, for the look-ups.
        context: What trust in the server rests on; None for no TLS.
    """

    scheme: str
    host: Address | str
    port: int
    gate: NetworkGate
    owner: str
    context: ssl.SSLContext | None


class Connection(Protocol):
    """An open connection; one coroutine reads while another one writes.

    Attributes:
        bare: The socket, if what it receives is what was sent; None with TLS.
    """

    bare: socket.socket | None

    async def read(self, most: int) -> bytes:
        """Returns what comes next, and nothing at the end.

        Raises:
            OSError: It broke.
            HttpFailure: TLS did.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Writes all of it; errors as of `read`."""
        ...

    def close(self) -> None:
        """Closes it at once; harmless when repeated."""
        ...


@lru_cache(1)
def client_context() -> ssl.SSLContext:
    """Returns what trust in a server rests on: the system's authorities. One for the process: they are many."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def connect(to: Destination, seconds: float) -> Connection:
    """Opens a connection.

    Args:
        to: Where to.
        seconds: How long the look-up, the connection and TLS may take in all.

    Raises:
        HttpFailure: There is none.
    """
    late = "DNS-timeout"
    try:
        async with asyncio.timeout(seconds):
            addresses = await _addresses(to)
            late = "connection-timeout"
            connection = await _first_of(addresses, to.port)
            if to.context is None:
                return connection
            return await _secured(connection, to.context, str(to.host))
    except TimeoutError:
        raise HttpFailure(late) from None


async def _addresses(to: Destination) -> Sequence[Address]:
    """Returns the addresses that may be called; of an address, whoever made the destination has asked."""
    if not isinstance(to.host, str):
        return (to.host,)
    allowed, refusal = to.gate.connectable(to.scheme, await _looked_up(to.host, to.owner), to.port, to.host)
    if not allowed:
        raise HttpFailure("destination-IP-prohibited", refusal=refusal)
    return allowed[:_MOST_ATTEMPTS]


async def _looked_up(name: str, owner: str) -> Sequence[Address]:
    look_up = name_lookups().begin(name, owner)
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(over.set)

    stop = look_up.watch(wake)
    try:
        if not look_up.done:
            await over.wait()
    finally:
        stop()
        name_lookups().give_up(look_up)
    return _found(look_up)


def _found(look_up: LookUp) -> Sequence[Address]:
    if look_up.error is not None:
        raise failed_look_up(look_up.error)
    if not look_up.addresses:
        raise failed_look_up(socket.EAI_NONAME)
    return look_up.addresses


async def _first_of(addresses: Sequence[Address], port: int) -> _Plain:
    """Returns a connection to the first address that answers; each has a while before the next one is tried as well."""
    attempts: set[asyncio.Task[_Plain]] = set()
    failure: OSError | None = None
    left = list(addresses)
    try:
        while left or attempts:
            if left:
                attempts.add(asyncio.create_task(_plain(left.pop(0), port)))
            wait = _BETWEEN_ATTEMPTS if left else None
            done, attempts = await asyncio.wait(attempts, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                error = attempt.exception()
                if error is None:
                    attempts |= done - {attempt}
                    return attempt.result()
                if not isinstance(error, OSError):
                    raise error
                failure = failure or error
    finally:
        for attempt in attempts:
            attempt.add_done_callback(_close_late)
            attempt.cancel()
    raise failed_connection(failure or OSError())


def _close_late(attempt: asyncio.Task[_Plain]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _plain(address: Address, port: int) -> _Plain:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM | getattr(socket, "SOCK_CLOEXEC", 0))
    try:
        # Others watch sockets by their numbers on this loop, and call that off before they close them: by the next turn
        # whoever had this number before is forgotten.
        await asyncio.sleep(0)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
    except BaseException:
        sock.close()
        raise
    return _Plain(sock)


class _Plain:
    """A connection without TLS."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.bare: socket.socket | None = sock
        self._loop = asyncio.get_running_loop()

    async def read(self, most: int) -> bytes:
        return await self._loop.sock_recv(self._socket, most)

    async def write(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._socket, data)

    def close(self) -> None:
        self._socket.close()


async def _secured(connection: _Plain, context: ssl.SSLContext, name: str) -> _Secured:
    secured = _Secured(connection, context, name)
    try:
        await secured.shake_hands()
    except BaseException:
        connection.close()
        raise
    return secured


class _Secured:
    """A connection with TLS: what is said by it goes through memory, and the socket stays ours."""

    bare: socket.socket | None = None

    def __init__(self, connection: _Plain, context: ssl.SSLContext, name: str) -> None:
        self._connection = connection
        self._arrived = ssl.MemoryBIO()
        self._leaving = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._leaving, server_hostname=name)
        self._writing = asyncio.Lock()  # reading writes too, at times: what leaves must do so in order

    async def shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._pass_on()
                await self._receive()
            except ssl.SSLError as error:
                with suppress(OSError):
                    await self._pass_on()  # the alert that tells the server why
                raise _failed_tls(error) from None
            except OSError as error:
                raise failed_connection(error) from None
            else:
                return await self._pass_on()

    async def read(self, most: int) -> bytes:
        while True:
            try:
                data = self._tls.read(most)
            except ssl.SSLWantReadError:
                await self._pass_on()
                await self._receive()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError:  # cut off, whoever did it: what came so far need not be all
                raise HttpFailure("connection-terminated") from None
            except ssl.SSLError as error:
                raise _failed_tls(error) from None
            else:
                return data

    async def write(self, data: bytes) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise _failed_tls(error) from None
        await self._pass_on()

    async def _receive(self) -> None:
        data = await self._connection.read(_TLS_READ)
        if data:
            self._arrived.write(data)
        else:
            self._arrived.write_eof()

    async def _pass_on(self) -> None:
        if self._leaving.pending:
            async with self._writing:
                await self._connection.write(self._leaving.read())

    def close(self) -> None:
        self._connection.close()


_TLS_READ = 128 * 1024


_NEWER_ALERTS = {"CERTIFICATE_REQUIRED": 116, "NO_APPLICATION_PROTOCOL": 120}


def _failed_tls(error: ssl.SSLError) -> HttpFailure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return HttpFailure("TLS-certificate-error")
    if isinstance(error, ssl.SSLEOFError):
        return HttpFailure("connection-terminated")
    _, alert, name = (error.reason or "").partition("ALERT_")
    if not alert:
        return HttpFailure("TLS-protocol-error")
    known = getattr(ssl.AlertDescription, f"ALERT_DESCRIPTION_{name}", _NEWER_ALERTS.get(name))
    return HttpFailure("TLS-alert-received", {"alert-id": known, "alert-message": name.lower().replace("_", " ")})
