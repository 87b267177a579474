from __future__ import annotations

import socket
from typing import Any

import pytest

from polycall.interop.errors import TrapError
from polycall.interop.host_traffic import HostTraffic
from polycall.wasm_runtime.spec import WasiLimitsSpec, WasiNetworkSpec
from polycall.wasm_runtime.wasi.sockets.udp_create_socket import UdpCreateSocket
from socket_guests import FAMILIES, LOOPBACK, SocketGuest, at, here, listening, socket_guest

ALL = WasiNetworkSpec(allow=("all",), listen=("all",))


def datagram(data: bytes, to: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"data": data, "remote-address": to}


def send(guest: SocketGuest, stream: Any, *datagrams: dict[str, Any]) -> int:
    guest.block(stream)
    assert guest.ok(stream, "check-send") >= len(datagrams)
    sent: int = guest.ok(stream, "send", list(datagrams))
    return sent


def received(guest: SocketGuest, stream: Any, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < count:
        guest.block(stream)
        found += guest.ok(stream, "receive", count - len(found))
    return found


def server(guest: SocketGuest, family: str = "ipv4") -> Any:
    found = guest.udp(family, bound=False)
    guest.bind(found, here(family))
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_datagrams_to_one_peer_and_to_all(family: str) -> None:
    with socket_guest() as guest:
        receiver = server(guest, family)
        incoming, answers = guest.ok(receiver, "stream", None)
        address = guest.ok(receiver, "local-address")
        client = guest.udp(family)
        own_incoming, outgoing = guest.ok(client, "stream", address)
        assert guest.ok(client, "remote-address") == address
        assert send(guest, outgoing, datagram(b""), datagram(b"Hello", address)) == 2
        first, second = received(guest, incoming, 2)
        assert (first["data"], second["data"]) == (b"", b"Hello")
        assert first["remote-address"] == second["remote-address"] == guest.ok(client, "local-address")
        assert send(guest, answers, datagram(b"Good day", first["remote-address"])) == 1
        assert received(guest, own_incoming, 1) == [{"data": b"Good day", "remote-address": address}]
        assert guest(client, "address-family") == family
        assert guest.session.take_traffic() == HostTraffic(bytes_in=13, bytes_out=13)


# --- states ---


@pytest.mark.parametrize("family", FAMILIES)
def test_what_an_unbound_socket_does(family: str) -> None:
    with socket_guest() as guest:
        own = guest.udp(family, bound=False)
        assert guest.err(own, "finish-bind") == "not-in-progress"
        assert guest.err(own, "stream", None) == "invalid-state"
        assert guest.err(own, "stream", here(family, 9)) == "invalid-state"
        for method in ("local-address", "remote-address"):
            assert guest.err(own, method) == "invalid-state"
        assert guest.ready(own)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_bound_socket_does(family: str) -> None:
    with socket_guest() as guest:
        own = guest.udp(family, bound=False)
        guest.ok(own, "start-bind", guest.network, here(family))
        assert guest.err(own, "start-bind", guest.network, here(family)) == "invalid-state"
        assert guest.err(own, "stream", None) == "invalid-state"
        assert guest.err(own, "local-address") == "invalid-state"
        guest.ok(own, "finish-bind")
        assert guest.err(own, "finish-bind") == "not-in-progress"
        assert guest.err(own, "start-bind", guest.network, here(family)) == "invalid-state"
        assert guest.err(own, "remote-address") == "invalid-state"
        ((_, address),) = guest.ok(own, "local-address").items()
        assert address["port"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_peer_can_be_changed_and_taken_away(family: str) -> None:
    with socket_guest() as guest:
        own = guest.udp(family)
        guest.ok(own, "stream", None)
        for port in (4321, 4321, 4320, None, None, 4321, None):
            guest.ok(own, "stream", None if port is None else here(family, port))
            if port is None:
                assert guest.err(own, "remote-address") == "invalid-state"
            else:
                assert guest.ok(own, "remote-address") == here(family, port)
            ((_, address),) = guest.ok(own, "local-address").items()
            assert address["port"]


def test_it_is_bound_where_it_was_when_its_peer_is_taken_away() -> None:
    with socket_guest() as guest:
        own = guest.udp()
        port = guest.ok(own, "local-address")["ipv4"]["port"]
        guest.ok(own, "stream", here("ipv4", 4321))
        incoming, _ = guest.ok(own, "stream", None)
        assert guest.ok(own, "local-address")["ipv4"]["port"] == port
        _, outgoing = guest.ok(guest.udp(), "stream", None)
        send(guest, outgoing, datagram(b"found", here("ipv4", port)))
        assert received(guest, incoming, 1)[0]["data"] == b"found"


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_bound_to_every_interface_again_when_its_peer_is_taken_away(family: str) -> None:
    with socket_guest() as guest:
        own = guest.udp(family)
        address = guest.ok(own, "local-address")
        for _ in range(2):
            guest.ok(own, "stream", here(family, 4321))
            guest.ok(own, "stream", None)
            assert guest.ok(own, "local-address") == address


def test_streams_of_before_do_not_work_any_more() -> None:
    with socket_guest() as guest:
        own = guest.udp()
        incoming, outgoing = guest.ok(own, "stream", None)
        guest.ok(own, "stream", here("ipv4", 4321))
        assert guest.err(incoming, "receive", 1) == "invalid-state"
        assert guest.err(outgoing, "check-send") == "invalid-state"
        assert guest.ready(incoming)


# --- addresses ---


@pytest.mark.parametrize(
    ("family", "address"),
    [
        ("ipv4", at("0.0.0.0", 80)), ("ipv6", at("::", 80)), ("ipv4", here("ipv4", 0)), ("ipv4", here("ipv6", 80)),
        ("ipv6", here("ipv4", 80)), ("ipv6", at("::ffff:127.0.0.1", 80)), ("ipv6", at("::127.0.0.1", 80)),
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_sent_to(family: str, address: dict[str, Any]) -> None:
    with socket_guest(ALL) as guest:
        own = guest.udp(family)
        assert guest.err(own, "stream", address) == "invalid-argument"
        _, outgoing = guest.ok(own, "stream", None)
        guest.ok(outgoing, "check-send")
        assert guest.err(outgoing, "send", [datagram(b"x", address)]) == "invalid-argument"


@pytest.mark.parametrize(
    ("family", "address", "code"),
    [
        ("ipv4", here("ipv6"), "invalid-argument"), ("ipv6", here("ipv4"), "invalid-argument"),
        ("ipv6", at("::ffff:127.0.0.1", 0), "invalid-argument"), ("ipv4", at("192.0.2.0", 0), "address-not-bindable"),
        ("ipv6", at("2001:db8::", 0), "address-not-bindable"),
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_bound(family: str, address: dict[str, Any], code: str) -> None:
    with socket_guest(ALL) as guest:
        own = guest.udp(family, bound=False)
        assert guest.err(own, "start-bind", guest.network, address) == code
        guest.bind(own, here(family))


def test_a_port_that_is_taken() -> None:
    with socket_guest() as guest:
        taken = guest.ok(server(guest), "local-address")
        assert guest.err(guest.udp(bound=False), "start-bind", guest.network, taken) == "address-in-use"


def test_the_peer_of_a_datagram_must_be_said_once() -> None:
    with socket_guest() as guest:
        own = guest.udp()
        _, outgoing = guest.ok(own, "stream", None)
        guest.ok(outgoing, "check-send")
        assert guest.err(outgoing, "send", [datagram(b"x")]) == "invalid-argument"
        _, outgoing = guest.ok(own, "stream", here("ipv4", 4321))
        guest.ok(outgoing, "check-send")
        assert guest.err(outgoing, "send", [datagram(b"x", here("ipv4", 4320))]) == "invalid-argument"


# --- sending and receiving ---


def test_sending_needs_a_permit() -> None:
    with socket_guest() as guest:
        _, outgoing = guest.ok(guest.udp(), "stream", here("ipv4", 4321))
        assert guest.ok(outgoing, "send", []) == 0
        with pytest.raises(TrapError, match="permitted 0"):
            guest(outgoing, "send", [datagram(b"x")])
        permits = guest.ok(outgoing, "check-send")
        with pytest.raises(TrapError, match=f"permitted {permits}"):
            guest(outgoing, "send", [datagram(b"x")] * (permits + 1))
        guest.ok(outgoing, "check-send")
        guest.ok(outgoing, "send", [datagram(b"x")])
        with pytest.raises(TrapError, match="permitted 0"):
            guest(outgoing, "send", [datagram(b"x")])


def test_an_error_comes_when_its_datagram_is_the_first() -> None:
    with socket_guest() as guest:
        receiver = server(guest)
        address = guest.ok(receiver, "local-address")
        _, outgoing = guest.ok(guest.udp(), "stream", address)
        assert send(guest, outgoing, datagram(b"ok"), datagram(bytes(65_508)), datagram(b"never")) == 1
        guest.ok(outgoing, "check-send")
        assert guest.err(outgoing, "send", [datagram(bytes(65_508))]) == "datagram-too-large"
        guest.ok(outgoing, "check-send")
        assert guest.err(outgoing, "send", [datagram(bytes(100_000))]) == "datagram-too-large"


def test_nothing_has_come() -> None:
    with socket_guest() as guest:
        incoming, _ = guest.ok(guest.udp(), "stream", None)
        assert guest.ok(incoming, "receive", 5) == []
        assert not guest.ready(incoming)
        assert guest.ok(incoming, "receive", 0) == []


def test_what_is_received_at_once_is_bounded() -> None:
    with socket_guest() as guest:
        receiver = server(guest)
        incoming, _ = guest.ok(receiver, "stream", None)
        _, outgoing = guest.ok(guest.udp(), "stream", guest.ok(receiver, "local-address"))
        for _ in range(5):
            send(guest, outgoing, *[datagram(b"x")] * 16)
        guest.block(incoming)
        assert guest.ok(incoming, "receive", 0) == []
        assert len(guest.ok(incoming, "receive", 3)) == 3
        assert len(guest.ok(incoming, "receive", 2**64 - 1)) == 16


def test_with_a_peer_what_others_have_sent_before_is_not_received() -> None:
    with socket_guest() as guest:
        receiver = server(guest)
        address = guest.ok(receiver, "local-address")
        others = [server(guest) for _ in range(2)]
        streams = [guest.ok(each, "stream", address)[1] for each in others]
        for stream, data in zip([streams[0], streams[1], streams[0]], [b"A", b"B", b"A"], strict=True):
            send(guest, stream, datagram(data))
        peer = guest.ok(others[1], "local-address")
        incoming, _ = guest.ok(receiver, "stream", peer)
        assert received(guest, incoming, 1) == [{"data": b"B", "remote-address": peer}]
        assert not guest.ready(incoming)


def test_that_nobody_is_there_shows_when_something_is_received() -> None:
    with socket_guest() as guest:
        gone = server(guest)
        address = guest.ok(gone, "local-address")
        gone.drop()
        incoming, outgoing = guest.ok(guest.udp(), "stream", address)
        send(guest, outgoing, datagram(b"hello"))
        guest.block(incoming)
        assert guest.err(incoming, "receive", 1) == "connection-refused"
        assert guest.ok(incoming, "receive", 1) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_options(family: str) -> None:
    with socket_guest() as guest:
        own = guest.udp(family)
        assert guest.err(own, "set-unicast-hop-limit", 0) == "invalid-argument"
        for hops in (1, 42, 255):
            guest.ok(own, "set-unicast-hop-limit", hops)
            assert guest.ok(own, "unicast-hop-limit") == hops
        for option in ("receive-buffer-size", "send-buffer-size"):
            assert guest.err(own, f"set-{option}", 0) == "invalid-argument"
            guest.ok(own, f"set-{option}", 0x10000)
            assert guest.ok(own, option) == 0x10000
            guest.ok(own, f"set-{option}", 1)
            guest.ok(own, f"set-{option}", 2**64 - 1)


# --- bounds and rules ---


def test_sockets_are_bounded_as_long_as_something_of_them_is_there() -> None:
    with socket_guest(limits=WasiLimitsSpec(max_open_sockets=1)) as guest:
        own = guest.udp()
        streams = guest.ok(own, "stream", None)
        own.drop()
        assert UdpCreateSocket().create_udp_socket(guest.store, "ipv4") == {"err": "new-socket-limit"}
        for each in streams:
            each.drop()
        guest.udp()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_client_needs_no_leave_to_listen(family: str) -> None:
    wildcard = "0.0.0.0" if family == "ipv4" else "::"
    with socket_guest(WasiNetworkSpec(allow=("loopback",))) as guest:
        guest.bind(guest.udp(family, bound=False), at(wildcard, 0))
        for address in (here(family), here(family, 4321), at(wildcard, 4321)):
            own = guest.udp(family, bound=False)
            assert guest.err(own, "start-bind", guest.network, address) == "access-denied"
    with socket_guest(LOOPBACK) as guest:
        guest.bind(guest.udp(family, bound=False), here(family))


def test_what_comes_from_where_nothing_may_be_sent_to_is_dropped() -> None:
    with socket_guest(WasiNetworkSpec(allow=("loopback:9",), listen=("loopback",))) as guest:
        receiver = server(guest)
        incoming, _ = guest.ok(receiver, "stream", None)
        port = guest.ok(receiver, "local-address")["ipv4"]["port"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(300):
                stranger.sendto(b"x", ("127.0.0.1", port))
        assert guest.ok(incoming, "receive", 10) == []
        while guest.ready(incoming):
            assert guest.ok(incoming, "receive", 10) == []


def test_what_comes_from_where_something_may_be_sent_to_is_heard() -> None:
    with listening(kind=socket.SOCK_DGRAM) as peer:
        port = peer.getsockname()[1]
        with socket_guest(WasiNetworkSpec(allow=(f"udp://loopback:{port}",))) as guest:
            incoming, outgoing = guest.ok(guest.udp(), "stream", None)
            send(guest, outgoing, datagram(b"hello", here("ipv4", port)))
            data, address = peer.recvfrom(100)
            peer.sendto(data * 2, address)
            assert received(guest, incoming, 1)[0]["data"] == b"hellohello"
            assert guest.err(guest.tcp(), "start-connect", guest.network, here("ipv4", port)) == "access-denied"


def test_every_datagram_is_judged() -> None:
    with listening(kind=socket.SOCK_DGRAM) as peer, listening(kind=socket.SOCK_DGRAM) as other:
        port, refused = peer.getsockname()[1], other.getsockname()[1]
        with socket_guest(WasiNetworkSpec(allow=(f"loopback:{port}",))) as guest:
            own = guest.udp()
            assert guest.err(own, "stream", here("ipv4", refused)) == "access-denied"
            _, outgoing = guest.ok(own, "stream", None)
            both = [datagram(b"1", here("ipv4", port)), datagram(b"2", here("ipv4", refused))]
            assert send(guest, outgoing, *both) == 1
            guest.ok(outgoing, "check-send")
            assert guest.err(outgoing, "send", both[::-1]) == "access-denied"
            other.settimeout(0)
            with pytest.raises(BlockingIOError):
                other.recvfrom(10)
            assert peer.recvfrom(10)[0] == b"1"
