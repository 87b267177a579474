"""An open connection: without TLS, or with it through memory."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from functools import lru_cache
from typing import Protocol

from polycall.wasm_runtime.wasi.http.error_codes import HttpFailure, failed_connection

__all__ = ["Connection", "Plain", "client_context", "secured"]


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


class Plain:
    """A connection without TLS."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.bare: socket.socket | None = sock
        self._loop = asyncio.get_running_loop()

    async def read(self, most: int) -> bytes:
        """Returns what comes next; see `Connection.read`."""
        await asyncio.sleep(0)  # others get their turn, even if the peer is always faster than this
        return await self._loop.sock_recv(self._socket, most)

    async def write(self, data: bytes) -> None:
        """Writes all of it."""
        await asyncio.sleep(0)
        await self._loop.sock_sendall(self._socket, data)

    def close(self) -> None:
        """Closes it at once."""
        self._socket.close()


@lru_cache(1)
def client_context() -> ssl.SSLContext:
    """Returns what trust in a server rests on: the system's authorities. One for the process: they are many."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def secured(connection: Connection, context: ssl.SSLContext, name: str) -> _Secured:
    """Returns a connection with TLS over one without, whose server has proved its name.

    Args:
        connection: Is closed if it fails.
        context: What trust in the server rests on.
        name: Of the server, or its address.

    Raises:
        HttpFailure: It has not, or the connection broke.
    """
    found = _Secured(connection, context, name)
    try:
        await found.shake_hands()
    except BaseException:
        connection.close()
        raise
    return found


class _Secured:
    """A connection with TLS: what is said by it goes through memory, and the socket stays ours."""

    bare: socket.socket | None = None

    def __init__(self, connection: Connection, context: ssl.SSLContext, name: str) -> None:
        self._connection = connection
        self._arrived = ssl.MemoryBIO()
        self._ahead = memoryview(b"")  # of what was received, what TLS has not seen
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
                raise _failed(error) from None
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
                raise _failed(error) from None
            else:
                return data

    async def write(self, data: bytes) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise _failed(error) from None
        await self._pass_on()

    async def _receive(self) -> None:
        if self._ahead:
            await asyncio.sleep(0)
        else:
            self._ahead = memoryview(await self._connection.read(_TLS_READ))
            if not self._ahead:
                return self._arrived.write_eof()
        self._arrived.write(self._ahead[:_TLS_AT_ONCE])
        self._ahead = self._ahead[_TLS_AT_ONCE:]

    async def _pass_on(self) -> None:
        if self._leaving.pending:
            async with self._writing:
                await self._connection.write(self._leaving.read())

    def close(self) -> None:
        self._connection.close()


_TLS_READ = 128 * 1024

_TLS_AT_ONCE = 20 * 1024
"""What TLS is given before others get their turn: a whole record of data, or 750 new keys, which take 10 ms."""


_NEWER_ALERTS = {"CERTIFICATE_REQUIRED": 116, "NO_APPLICATION_PROTOCOL": 120}


def _failed(error: ssl.SSLError) -> HttpFailure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return HttpFailure("TLS-certificate-error")
    if isinstance(error, ssl.SSLEOFError):
        return HttpFailure("connection-terminated")
    _, alert, name = (error.reason or "").partition("ALERT_")
    if not alert:
        return HttpFailure("TLS-protocol-error")
    known = getattr(ssl.AlertDescription, f"ALERT_DESCRIPTION_{name}", _NEWER_ALERTS.get(name))
    return HttpFailure("TLS-alert-received", {"alert-id": known, "alert-message": name.lower().replace("_", " ")})
