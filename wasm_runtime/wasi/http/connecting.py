"""Connecting to a server: the address that was judged is the address that is connected to."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence

from polycall.interop.addresses import Address
from polycall.interop.name_lookup import LookUp, name_lookups
from polycall.interop.records import record
from polycall.wasm_runtime.wasi.http.connection import Connection, Plain, secured
from polycall.wasm_runtime.wasi.http.error_codes import HttpFailure, failed_connection, failed_look_up
from polycall.wasm_runtime.wasi.network_gate import NetworkGate

__all__ = ["Destination", "connect"]

_BETWEEN_ATTEMPTS = 0.25
"""Seconds until the next address is tried beside one that does not answer (RFC 8305)."""

_MOST_ATTEMPTS = 8


@record
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
            return await secured(connection, to.context, str(to.host).partition("%")[0])
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


async def _first_of(addresses: Sequence[Address], port: int) -> Plain:
    """Returns a connection to the first address that answers; each has a while before the next one is tried as well."""
    attempts: set[asyncio.Task[Plain]] = set()
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


def _close_late(attempt: asyncio.Task[Plain]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _plain(address: Address, port: int) -> Plain:
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
    return Plain(sock)
