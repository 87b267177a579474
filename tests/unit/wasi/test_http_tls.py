"""``wasi:http`` over TLS: whom it trusts, and what a guest is told where it does not."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from certificates import Authority
from http_guest import HttpGuest, NoAnswer, StreamFailed
from http_servers import Peer, Server, answering, response
from polycall.wasm_runtime.wasi.http.connection import client_context, secured
from polycall.wasm_runtime.wasi.http.request_options import RequestOptions
from socket_guests import FAMILIES


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """An authority that this system trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    client_context.cache_clear()
    yield authority
    client_context.cache_clear()


def refused(guest: HttpGuest, server: Server, scheme: str = "HTTPS", options: RequestOptions | None = None) -> NoAnswer:
    """Returns why there was no answer."""
    with pytest.raises(NoAnswer) as caught:
        guest.fetch(server.authority, scheme=scheme, options=options)
    return caught.value


def echo(peer: Peer) -> None:
    peer.send(response(peer.request().body))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_that_the_system_trusts_is_trusted(host: str, trusted: Authority) -> None:
    body = bytes(range(256)) * 8192
    with Server(echo, context=trusted.server(host)) as server, HttpGuest() as guest:
        answer = guest.fetch(f"{host}:{server.port}", scheme="HTTPS", method="POST", body=body)
    assert answer.body == body


@pytest.mark.skipif("ipv6" not in FAMILIES, reason="there is no IPv6 here")
@pytest.mark.parametrize("zone", ["", "%1"])
def test_a_certificate_is_for_an_address_in_whatever_zone(zone: str, trusted: Authority) -> None:
    with Server(echo, context=trusted.server("::1"), host="::1") as server, HttpGuest() as guest:
        assert guest.fetch(f"[::1{zone}]:{server.port}", scheme="HTTPS").status == 200


def test_one_that_it_does_not_trust_is_not(authority: Authority) -> None:
    client_context.cache_clear()
    with Server(echo, context=authority.server("127.0.0.1")) as server, HttpGuest() as guest:
        failure = refused(guest, server)
    assert failure.case == "TLS-certificate-error"


def test_one_with_another_name_is_not(trusted: Authority) -> None:
    with Server(echo, context=trusted.server("example.com", "127.0.0.2")) as server, HttpGuest() as guest:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(NoAnswer) as caught:
                guest.fetch(f"{host}:{server.port}", scheme="HTTPS")
            assert caught.value.case == "TLS-certificate-error"


def test_one_whose_time_is_over_is_not(trusted: Authority) -> None:
    with Server(echo, context=trusted.server("127.0.0.1", days=-1)) as server, HttpGuest() as guest:
        failure = refused(guest, server)
    assert failure.case == "TLS-certificate-error"


def test_a_server_without_tls_is_told_apart(trusted: Authority) -> None:
    with Server(lambda peer: peer.send("SSH-2.0-OpenSSH_9.6\r\n")) as server, HttpGuest() as guest:
        failure = refused(guest, server)
    assert failure.case == "TLS-protocol-error"


def test_an_alert_is_told(trusted: Authority) -> None:
    context = trusted.server("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED  # of the client, which has no certificate
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Server(echo, context=context) as server, HttpGuest() as guest:
        failure = refused(guest, server)
    assert failure.code == {"TLS-alert-received": {"alert-id": 40, "alert-message": "handshake failure"}}


def test_an_alert_behind_the_handshake_is_told(trusted: Authority) -> None:
    context = trusted.server("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with Server(echo, context=context) as server, HttpGuest() as guest:
        failure = refused(guest, server)
    # The server may close while the request is still on its way to it: then the alert is lost with the connection.
    assert failure.code in (
        {"TLS-alert-received": {"alert-id": 116, "alert-message": "certificate required"}},
        {"connection-terminated": True},
    )


def test_a_server_that_closes_in_the_handshake_is_told(trusted: Authority) -> None:
    with Server(lambda peer: peer.until(b"\x01")) as server, HttpGuest() as guest:
        failure = refused(guest, server)
    assert failure.case == "connection-terminated"


def test_a_server_that_is_silent_in_the_handshake_is_a_connection_timeout(trusted: Authority) -> None:
    with Server(lambda peer: peer.wait_for_end()) as server, HttpGuest() as guest:
        assert refused(guest, server, options=guest.options(connect=0.05)).case == "connection-timeout"
        assert server.ended.wait(5)


def test_a_body_that_is_cut_off_is_not_whole(trusted: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send("HTTP/1.0 200 OK\r\n\r\nhalf of it")  # and no close-notify: anybody could have closed it here

    with Server(script, context=trusted.server("127.0.0.1")) as server, HttpGuest() as guest:
        with pytest.raises(StreamFailed) as caught:
            guest.fetch(server.authority, scheme="HTTPS")
        assert caught.value.case == "connection-terminated"


def test_a_body_that_is_closed_is_whole(trusted: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send("HTTP/1.0 200 OK\r\n\r\nall of it")
        assert isinstance(peer.socket, ssl.SSLSocket)
        peer.socket.unwrap()

    with Server(script, context=trusted.server("127.0.0.1")) as server, HttpGuest() as guest:
        assert guest.fetch(server.authority, scheme="HTTPS").body == b"all of it"


def test_plain_http_to_a_server_with_tls_is_an_error(trusted: Authority) -> None:
    with Server(answering(response("x")), context=trusted.server("127.0.0.1")) as server, HttpGuest() as guest:
        refused(guest, server, "HTTP")


class InMemory:
    """A connection whose server, with TLS 1.3, is in this process; after the handshake it has nothing to say."""

    bare: socket.socket | None = None

    def __init__(self, context: ssl.SSLContext, keys: Path) -> None:
        context.keylog_filename = str(keys)
        context.num_tickets = 0  # which would be sent before anything else
        self._keys = keys
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._server = context.wrap_bio(self._arrived, self._leaving, server_side=True)
        self.flood = b""

    async def read(self, _most: int) -> bytes:
        flood, self.flood = self.flood, b""
        return flood or self._leaving.read()

    async def write(self, data: bytes) -> None:
        self._arrived.write(data)
        with suppress(ssl.SSLWantReadError):
            self._server.do_handshake()

    def close(self) -> None:
        """There is nothing to close."""

    def new_keys_and(self, data: bytes, count: int) -> bytes:
        """Returns records that announce new keys, so many times, and one with data (RFC 8446, 4.6.3)."""
        names = (line.split() for line in self._keys.read_text().splitlines())
        secret = next(bytes.fromhex(words[2]) for words in names if words[0] == "SERVER_TRAFFIC_SECRET_0")
        records = []
        for number in range(count + 1):
            inner = b"\x18\0\0\x01\0\x16" if number < count else data + b"\x17"
            head = struct.pack(">BHH", 0x17, 0x303, len(inner) + 16)
            cipher = AESGCM(expanded(secret, b"key", 32))
            records.append(head + cipher.encrypt(expanded(secret, b"iv", 12), inner, head))
            secret = expanded(secret, b"traffic upd", 48)
        return b"".join(records)


def expanded(secret: bytes, label: bytes, size: int) -> bytes:
    info = struct.pack(">HB", size, len(label) + 6) + b"tls13 " + label + b"\0"
    return HKDFExpand(hashes.SHA384(), size, info).derive(secret)


def test_a_flood_of_new_keys_does_not_keep_others_waiting(trusted: Authority, tmp_path: Path) -> None:
    flooding = InMemory(trusted.server("127.0.0.1"), tmp_path / "keys")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def read() -> bytes:
        connection = await secured(flooding, client_context(), "127.0.0.1")
        flooding.flood = flooding.new_keys_and(b"at last", 3_000)
        beside = asyncio.create_task(others())
        data = await connection.read(64)
        beside.cancel()
        return data

    assert asyncio.run(read()) == b"at last"
    assert turns >= 3
