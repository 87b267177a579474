"""Whatever a guest waits for at a socket ends with its call, and leaves no descriptor."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from polycall.interop import name_lookup
from polycall.interop.context import Cancellation
from polycall.interop.errors import CancelledError, DeadlineError
from polycall.interop.io_thread import io_thread
from polycall.interop.name_lookup import NameLookups
from polycall.wasm_runtime.spec import WasiNetworkSpec
from socket_guests import SocketGuest, full_server, here, listening

SECONDS = 0.2
MOST = 1.0
"""Far more than the 50 ms that are promised: the machine may be busy. A wait that does not end takes minutes."""

RULES = WasiNetworkSpec(allow=("loopback", "silent.example"), listen=("loopback",))


Wait = Callable[[SocketGuest, int, int], None]


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The resolver does not answer."""
    let_go = threading.Event()

    def resolver(*_: object, **__: object) -> list[Any]:
        let_go.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    monkeypatch.setattr(name_lookup, "_LOOKUPS", NameLookups())
    yield
    let_go.set()
    for thread in threading.enumerate():
        if thread.name == "polycall name look-up":
            thread.join(10)


def connect(guest: SocketGuest, full: int, _server: int) -> None:
    guest.connect(guest.tcp(), here("ipv4", full))


def accept(guest: SocketGuest, _full: int, _server: int) -> None:
    guest.accept(guest.listener())


def read(guest: SocketGuest, _full: int, server: int) -> None:
    guest.read(guest.connect(guest.tcp(), here("ipv4", server))[0], 1)


def write(guest: SocketGuest, _full: int, server: int) -> None:
    guest.write(guest.connect(guest.tcp(), here("ipv4", server))[1], bytes(64 * 1024 * 1024))


def receive(guest: SocketGuest, _full: int, _server: int) -> None:
    guest.block(guest.ok(guest.udp(), "stream", None)[0])


def resolve(guest: SocketGuest, _full: int, _server: int) -> None:
    guest.resolve("silent.example")


WAITS: dict[Wait, str] = {
    connect: "a connection to 127.0.0.1",
    accept: "a connection at 127.0.0.1",
    read: "data from 127.0.0.1",
    write: "room for data to 127.0.0.1",
    receive: "a datagram from somebody",
    resolve: "the addresses of silent.example",
}


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208  # a count, of no path


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__name__)
@pytest.mark.usefixtures("silent")
def test_a_wait_ends_with_the_deadline(wait: Wait) -> None:
    assert io_thread().loop is not None  # has descriptors of its own
    with full_server() as full, listening() as server:
        before = descriptors()
        guest = SocketGuest(RULES, seconds=SECONDS)
        with pytest.raises(DeadlineError, match=f"it waited for {WAITS[wait]}"):
            wait(guest, full, server.getsockname()[1])
        assert guest.context.deadline is not None
        guest.end()
        assert time.monotonic() < guest.context.deadline + MOST
        assert descriptors() == before


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__name__)
@pytest.mark.usefixtures("silent")
def test_a_wait_ends_when_the_call_is_cancelled(wait: Wait) -> None:
    with full_server() as full, listening() as server:
        cancellation = Cancellation()
        guest = SocketGuest(RULES, cancellation=cancellation)
        timer = threading.Timer(0.05, cancellation.cancel)
        timer.start()
        with pytest.raises(CancelledError, match=f"it waited for {WAITS[wait]}"):
            wait(guest, full, server.getsockname()[1])
        timer.join()
        guest.end()


@pytest.mark.usefixtures("silent")
def test_many_waits_leave_no_descriptors() -> None:
    assert io_thread().loop is not None
    with full_server() as full, listening() as server:
        before = descriptors()
        for _ in range(10):
            for wait in (connect, accept, read, receive):
                guest = SocketGuest(RULES, seconds=0.01)
                with pytest.raises(DeadlineError):
                    wait(guest, full, server.getsockname()[1])
                guest.end()
        assert descriptors() == before


def test_a_call_that_ends_in_time_closes_what_it_opened() -> None:
    assert io_thread().loop is not None
    with listening() as server:
        before = descriptors()
        guest = SocketGuest(RULES)
        client = guest.tcp()
        guest.connect(client, here("ipv4", server.getsockname()[1]))
        guest.listener()
        guest.ok(guest.udp(), "stream", None)
        assert descriptors() == before + 3
        guest.end()
        assert descriptors() == before


def test_a_socket_wakes_who_waits_for_many_things() -> None:
    with listening(kind=socket.SOCK_DGRAM) as peer:
        guest = SocketGuest(WasiNetworkSpec(allow=("loopback",)))
        own = guest.udp()
        incoming, _ = guest.ok(own, "stream", None)
        port = guest.ok(own, "local-address")["ipv4"]["port"]
        subjects = [guest(each, "subscribe") for each in (incoming, guest.ok(guest.udp(), "stream", None)[0])]
        timer = threading.Timer(0.05, peer.sendto, args=(b"x", ("127.0.0.1", port)))
        timer.start()
        guest.session.wait([each.subject for each in subjects], "one of two")
        timer.join()
        assert [guest(each, "ready") for each in subjects] == [True, False]
        guest.end()
