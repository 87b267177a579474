from __future__ import annotations

import socket
import struct
import threading
from typing import Any

import pytest

from polycall.interop.errors import TrapError
from polycall.wasm_runtime.spec import WasiLimitsSpec, WasiNetworkSpec
from polycall.wasm_runtime.wasi.sockets.network import NetworkInterface
from polycall.wasm_runtime.wasi.sockets.tcp_create_socket import TcpCreateSocket
from socket_guests import FAMILIES, SocketGuest, at, full_server, here, listening, socket_guest

SECOND = 1_000_000_000
OPTIONS = (
    "keep-alive-enabled", "keep-alive-idle-time", "keep-alive-interval", "keep-alive-count", "hop-limit",
    "receive-buffer-size", "send-buffer-size",
)  # fmt: skip


def pair(guest: SocketGuest, family: str = "ipv4") -> tuple[Any, Any]:
    """Returns client and server: each a socket with its streams."""
    listener = guest.listener(family)
    client = guest.tcp(family)
    streams = guest.connect(client, guest.ok(listener, "local-address"))
    return [client, *streams], guest.accept(listener)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_conversation(family: str) -> None:
    with socket_guest() as guest:
        (client, from_server, to_server), (server, from_client, to_client) = pair(guest, family)
        guest.write(to_server, b"hello")
        assert guest.read(from_client, 5) == b"hello"
        guest.write(to_client, b"good day" * 1000)
        assert guest.read(from_server, 8000) == b"good day" * 1000
        assert guest.ok(client, "remote-address") == guest.ok(server, "local-address")
        assert guest.ok(server, "remote-address") == guest.ok(client, "local-address")
        assert guest(client, "address-family") == guest(server, "address-family") == family


# --- states ---


@pytest.mark.parametrize("family", FAMILIES)
def test_what_an_unbound_socket_does(family: str) -> None:
    with socket_guest() as guest:
        own = guest.tcp(family)
        for method in ("finish-bind", "finish-connect", "finish-listen"):
            assert guest.err(own, method) == "not-in-progress"
        for method in ("start-listen", "accept", "local-address", "remote-address"):
            assert guest.err(own, method) == "invalid-state"
        assert guest.err(own, "shutdown", "both") == "invalid-state"
        assert not guest(own, "is-listening")
        assert guest.ready(own)
        guest.ok(own, "set-listen-backlog-size", 32)
        assert all(guest.ok(own, option) is not None for option in OPTIONS)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_bound_socket_does(family: str) -> None:
    with socket_guest() as guest:
        own = guest.tcp(family)
        guest.ok(own, "start-bind", guest.network, here(family))
        for start in (("start-bind", guest.network, here(family)), ("start-connect", guest.network, here(family, 9))):
            assert guest.err(own, *start) == "invalid-state"
        for method in ("start-listen", "accept", "local-address", "remote-address"):
            assert guest.err(own, method) == "invalid-state"
        assert guest.err(own, "finish-listen") == "not-in-progress"
        assert guest.ready(own)
        guest.ok(own, "finish-bind")
        assert guest.err(own, "finish-bind") == "not-in-progress"
        assert guest.err(own, "start-bind", guest.network, here(family)) == "invalid-state"
        for method in ("accept", "remote-address"):
            assert guest.err(own, method) == "invalid-state"
        assert guest.err(own, "shutdown", "send") == "invalid-state"
        ((_, address),) = guest.ok(own, "local-address").items()
        assert address["port"]
        assert all(guest.ok(own, option) is not None for option in OPTIONS)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_listening_socket_does(family: str) -> None:
    with socket_guest() as guest:
        own = guest.listener(family)
        assert guest(own, "is-listening")
        assert not guest.ready(own)
        assert guest.err(own, "accept") == "would-block"
        assert guest.err(own, "start-bind", guest.network, here(family)) == "invalid-state"
        assert guest.err(own, "start-connect", guest.network, here(family, 9)) == "invalid-state"
        for method, code in (("finish-listen", "not-in-progress"), ("start-listen", "invalid-state")):
            assert guest.err(own, method) == code
        assert guest.err(own, "shutdown", "both") == "invalid-state"
        assert guest.err(own, "remote-address") == "invalid-state"
        guest.ok(own, "set-listen-backlog-size", 4)
        assert all(guest.ok(own, option) is not None for option in OPTIONS)


def test_to_begin_to_listen_is_nothing_to_wait_for() -> None:
    with socket_guest() as guest:
        own = guest.tcp()
        guest.bind(own, here("ipv4"))
        guest.ok(own, "start-listen")
        for method in ("start-listen", "accept"):
            assert guest.err(own, method) == "invalid-state"
        assert not guest(own, "is-listening")
        guest.ok(own, "local-address")
        guest.ok(own, "set-listen-backlog-size", 4)
        guest.block(own)
        guest.ok(own, "finish-listen")
        assert not guest.ready(own)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_connected_socket_does(family: str) -> None:
    with socket_guest() as guest:
        (own, *_), _ = pair(guest, family)
        assert guest.err(own, "start-bind", guest.network, here(family)) == "invalid-state"
        assert guest.err(own, "start-connect", guest.network, here(family, 9)) == "invalid-state"
        assert guest.err(own, "finish-connect") == "not-in-progress"
        for method in ("start-listen", "accept"):
            assert guest.err(own, method) == "invalid-state"
        assert guest.err(own, "set-listen-backlog-size", 4) == "invalid-state"
        assert guest.ready(own)
        assert all(guest.ok(own, option) is not None for option in OPTIONS)


def test_what_a_connecting_socket_does() -> None:
    with full_server() as port, socket_guest() as guest:
        own = guest.tcp()
        guest.ok(own, "start-connect", guest.network, here("ipv4", port))
        assert guest.err(own, "finish-connect") == "would-block"
        assert not guest.ready(own)
        assert guest.err(own, "start-connect", guest.network, here("ipv4", port)) == "concurrency-conflict"
        assert guest.err(own, "start-bind", guest.network, here("ipv4")) == "invalid-state"
        for method in ("start-listen", "local-address", "remote-address"):
            assert guest.err(own, method) == "invalid-state"
        assert guest.err(own, "set-listen-backlog-size", 4) == "invalid-state"


def test_a_connection_that_is_refused_closes_the_socket() -> None:
    with socket_guest() as guest:
        with listening() as server:
            port = server.getsockname()[1]
        own = guest.tcp()
        assert guest.connect(own, here("ipv4", port)) == "connection-refused"
        assert guest.err(own, "finish-connect") == "not-in-progress"
        assert guest.err(own, "start-connect", guest.network, here("ipv4", port)) == "invalid-state"
        assert guest.err(own, "local-address") == "invalid-state"


# --- addresses ---


@pytest.mark.parametrize(
    ("family", "address"),
    [
        ("ipv4", at("0.0.0.0", 80)), ("ipv6", at("::", 80)), ("ipv4", here("ipv4", 0)), ("ipv6", here("ipv6", 0)),
        ("ipv4", here("ipv6", 80)), ("ipv6", here("ipv4", 80)), ("ipv6", at("::ffff:127.0.0.1", 80)),
        ("ipv6", at("::127.0.0.1", 80)), ("ipv4", at("255.255.255.255", 80)), ("ipv4", at("224.254.0.0", 80)),
        ("ipv6", at("ff00::", 80)),
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_connected_to(family: str, address: dict[str, Any]) -> None:
    with socket_guest(WasiNetworkSpec(allow=("all",), listen=("all",))) as guest:
        own = guest.tcp(family)
        assert guest.err(own, "start-connect", guest.network, address) == "invalid-argument"
        assert guest.connect(own, at("127.0.0.1" if family == "ipv4" else "::1", 1)) == "connection-refused"


@pytest.mark.parametrize(
    ("family", "address", "code"),
    [
        ("ipv4", here("ipv6"), "invalid-argument"), ("ipv6", here("ipv4"), "invalid-argument"),
        ("ipv6", at("::ffff:127.0.0.1", 0), "invalid-argument"), ("ipv4", at("224.0.0.1", 0), "invalid-argument"),
        ("ipv4", at("255.255.255.255", 0), "invalid-argument"), ("ipv6", at("ff02::1", 0), "invalid-argument"),
        ("ipv4", at("192.0.2.0", 0), "address-not-bindable"), ("ipv6", at("2001:db8::", 0), "address-not-bindable"),
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_bound(family: str, address: dict[str, Any], code: str) -> None:
    with socket_guest(WasiNetworkSpec(allow=("all",), listen=("all",))) as guest:
        own = guest.tcp(family)
        assert guest.err(own, "start-bind", guest.network, address) == code
        guest.bind(own, here(family))  # a failed attempt is none


def test_a_port_that_is_taken() -> None:
    with socket_guest() as guest:
        taken = guest.ok(guest.listener(), "local-address")
        assert guest.err(guest.tcp(), "start-bind", guest.network, taken) == "address-in-use"


def test_a_port_can_be_bound_again_at_once() -> None:
    with listening() as server:
        port = server.getsockname()[1]
    for _ in range(2):
        with socket_guest() as guest:
            listener = guest.tcp()
            guest.bind(listener, here("ipv4", port))
            guest.ok(listener, "start-listen")
            guest.ok(listener, "finish-listen")
            guest.connect(guest.tcp(), here("ipv4", port))
            accepted = guest.accept(listener)
            for each in accepted:
                each.drop()  # first: it is this side that remembers the connection for a while


def test_a_client_can_be_bound() -> None:
    with socket_guest() as guest, listening() as server:
        own = guest.tcp()
        guest.bind(own, here("ipv4"))
        local = guest.ok(own, "local-address")
        guest.connect(own, here("ipv4", server.getsockname()[1]))
        accepted, address = server.accept()
        accepted.close()
        assert local == at(*address)


# --- options ---


@pytest.mark.parametrize("family", FAMILIES)
def test_options(family: str) -> None:
    with socket_guest() as guest:
        own = guest.tcp(family)
        for option in ("keep-alive-idle-time", "keep-alive-interval"):
            assert guest.err(own, f"set-{option}", 0) == "invalid-argument"
            guest.ok(own, f"set-{option}", 1)
            assert guest.ok(own, option) == SECOND
            guest.ok(own, f"set-{option}", 42 * SECOND)
            assert guest.ok(own, option) == 42 * SECOND
            guest.ok(own, f"set-{option}", 2**64 - 1)
        assert guest.err(own, "set-keep-alive-count", 0) == "invalid-argument"
        guest.ok(own, "set-keep-alive-count", 42)
        assert guest.ok(own, "keep-alive-count") == 42
        guest.ok(own, "set-keep-alive-count", 2**32 - 1)
        assert guest.err(own, "set-hop-limit", 0) == "invalid-argument"
        for hops in (1, 42, 255):
            guest.ok(own, "set-hop-limit", hops)
            assert guest.ok(own, "hop-limit") == hops
        for option in ("receive-buffer-size", "send-buffer-size"):
            assert guest.err(own, f"set-{option}", 0) == "invalid-argument"
            guest.ok(own, f"set-{option}", 0x10000)
            assert guest.ok(own, option) == 0x10000
            guest.ok(own, f"set-{option}", 1)
            guest.ok(own, f"set-{option}", 2**64 - 1)
        for enabled in (True, False):
            guest.ok(own, "set-keep-alive-enabled", enabled)
            assert guest.ok(own, "keep-alive-enabled") is enabled
        assert guest.err(own, "set-listen-backlog-size", 0) == "invalid-argument"
        guest.ok(own, "set-listen-backlog-size", 2**64 - 1)


def test_what_is_accepted_has_the_options_of_what_listens() -> None:
    with socket_guest() as guest:
        listener = guest.tcp()
        guest.bind(listener, here("ipv4"))
        guest.ok(listener, "set-hop-limit", 42)
        guest.ok(listener, "set-keep-alive-idle-time", 42 * SECOND)
        guest.ok(listener, "set-keep-alive-enabled", True)
        guest.ok(listener, "start-listen")
        guest.ok(listener, "finish-listen")
        guest.connect(guest.tcp(), guest.ok(listener, "local-address"))
        accepted, *_ = guest.accept(listener)
        assert guest.ok(accepted, "hop-limit") == 42
        assert guest.ok(accepted, "keep-alive-idle-time") == 42 * SECOND
        assert guest.ok(accepted, "keep-alive-enabled") is True
        assert not guest(accepted, "is-listening")


def test_an_ipv6_socket_takes_no_ipv4() -> None:
    with socket_guest(WasiNetworkSpec(allow=("all",), listen=("all",))) as guest:
        own = guest.tcp("ipv6")
        guest.bind(own, at("::", 0))
        guest.ok(own, "start-listen")
        guest.ok(own, "finish-listen")
        port = guest.ok(own, "local-address")["ipv6"]["port"]
        assert guest.connect(guest.tcp("ipv4"), here("ipv4", port)) == "connection-refused"
        assert isinstance(guest.connect(guest.tcp("ipv6"), here("ipv6", port)), list)


# --- ends ---


def test_the_end_that_the_peer_makes() -> None:
    with socket_guest() as guest:
        (_, from_server, to_server), (server, _, to_client) = pair(guest)
        guest.write(to_client, b"last")
        guest.ok(server, "shutdown", "both")
        assert guest.read(from_server, 4) == b"last"
        guest.block(from_server)
        assert guest.err(from_server, "read", 10) == {"closed": True}
        assert guest.err(from_server, "read", 0) == {"closed": True}
        assert guest.ok(to_server, "check-write")  # the other direction goes on


def test_the_end_of_what_is_read() -> None:
    with socket_guest() as guest:
        (client, from_server, to_server), (_, from_client, to_client) = pair(guest)
        guest.write(to_client, b"unread")
        guest.block(from_server)
        guest.ok(client, "shutdown", "receive")
        assert guest.ready(from_server)
        assert guest.err(from_server, "read", 10) == {"closed": True}
        assert guest.err(from_server, "read", 0) == {"closed": True}
        guest.write(to_server, b"still")
        assert guest.read(from_client, 5) == b"still"
        guest.ok(client, "shutdown", "receive")  # once more


def test_the_end_of_what_is_written() -> None:
    with socket_guest() as guest:
        (client, from_server, to_server), (_, from_client, to_client) = pair(guest)
        assert guest.ok(to_server, "check-write") >= 3
        guest.ok(client, "shutdown", "send")
        for method in (("write", b"Hi!"), ("check-write",), ("flush",)):
            assert guest.err(to_server, *method) == {"closed": True}
        assert guest.ready(to_server)
        assert guest.read(from_client, 10) == b""
        guest.write(to_client, b"still")
        assert guest.read(from_server, 5) == b"still"


def test_what_was_written_before_the_end_arrives() -> None:
    with socket_guest() as guest:
        (client, _, to_server), (_, from_client, _) = pair(guest)
        guest.ok(client, "set-send-buffer-size", 1024)
        size = guest.ok(to_server, "check-write")
        assert size > 10 * guest.ok(client, "send-buffer-size")
        guest.ok(to_server, "write", bytes(size))
        guest.ok(client, "shutdown", "send")
        assert len(guest.read(from_client, 2 * size)) == size


def test_what_was_written_before_everything_was_dropped_arrives() -> None:
    with listening() as server, socket_guest() as guest:
        client = guest.tcp()
        guest.ok(client, "set-send-buffer-size", 1024)
        streams = guest.connect(client, here("ipv4", server.getsockname()[1]))
        accepted, _ = server.accept()
        with accepted:
            accepted.settimeout(10)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            written = 0
            while size := guest.ok(streams[1], "check-write"):
                guest.ok(streams[1], "write", b"x" * size)
                written += size
            for each in (*streams, client):
                each.drop()
            guest.end()  # nothing of it is the guest's any more
            received = 0
            while data := accepted.recv(65536):
                received += len(data)
            assert received == written


def test_a_peer_that_does_not_read_holds_up_who_writes() -> None:
    with socket_guest() as guest:
        (_, _, to_server), (_, from_client, _) = pair(guest)
        written = 0
        while size := guest.ok(to_server, "check-write"):
            guest.ok(to_server, "write", bytes(size))
            written += size
        assert not guest.ready(to_server)
        assert written < 32 * 1024 * 1024
        with pytest.raises(TrapError, match="permitted 0"):
            guest(to_server, "write", b"x")
        guest.ok(to_server, "flush")
        reader = threading.Thread(target=guest.read, args=(from_client, written))
        reader.start()
        guest.block(to_server)
        reader.join()
        assert guest.ok(to_server, "check-write")


def test_a_connection_that_is_reset() -> None:
    with listening() as server, socket_guest() as guest:
        from_server, to_server = guest.connect(guest.tcp(), here("ipv4", server.getsockname()[1]))
        accepted, _ = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        guest.block(from_server)
        failure = guest.err(from_server, "read", 1)["last-operation-failed"]
        assert NetworkInterface().network_error_code(guest.store, failure) == "connection-reset"
        assert failure.to_debug_string(guest.store) == "connection reset"
        assert guest.err(from_server, "read", 1) == {"closed": True}
        guest(to_server, "check-write")
        assert guest.err(to_server, "write", b"x") == {"closed": True}


def test_a_socket_may_be_dropped_before_its_streams() -> None:
    with socket_guest() as guest:
        (client, from_server, to_server), (server, from_client, to_client) = pair(guest)
        client.drop()
        server.drop()
        guest.write(to_server, b"hello")
        assert guest.read(from_client, 5) == b"hello"
        for each in (to_client, from_client):
            each.drop()
        assert guest.read(from_server, 10) == b""


# --- bounds ---


def test_sockets_are_bounded_with_those_that_were_accepted() -> None:
    with socket_guest(limits=WasiLimitsSpec(max_open_sockets=3)) as guest:
        listener = guest.listener()
        client = guest.tcp()
        guest.connect(client, guest.ok(listener, "local-address"))
        third = guest.tcp()
        assert TcpCreateSocket().create_tcp_socket(guest.store, "ipv4") == {"err": "new-socket-limit"}
        guest.block(listener)
        assert guest.err(listener, "accept") == "new-socket-limit"
        third.drop()
        guest.tcp()


def test_a_stream_counts_as_the_socket_that_it_is_of() -> None:
    with socket_guest(limits=WasiLimitsSpec(max_open_sockets=1)) as guest, listening() as server:
        client = guest.tcp()
        from_server, to_server = guest.connect(client, here("ipv4", server.getsockname()[1]))
        client.drop()
        from_server.drop()
        assert TcpCreateSocket().create_tcp_socket(guest.store, "ipv4") == {"err": "new-socket-limit"}
        to_server.drop()
        guest.tcp()


def test_what_is_kept_to_be_sent_is_bounded_for_all_sockets_together() -> None:
    with socket_guest(limits=WasiLimitsSpec(max_open_sockets=4, max_buffered_bytes=4096)) as guest:
        (_, _, to_server), _ = pair(guest)
        assert guest.ok(to_server, "check-write") == 1024


def test_everything_is_closed_when_the_call_ends() -> None:
    guest = SocketGuest()
    (client, from_server, _), _ = pair(guest)
    waiting = guest(client, "subscribe")
    guest.end()
    for each in (client, from_server, waiting):
        with pytest.raises(TrapError, match="closed when the call that opened it ended"):
            guest(each, "subscribe")
    guest.session.close()
