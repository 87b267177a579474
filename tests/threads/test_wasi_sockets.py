"""Many guests at sockets at once: what each sends comes back to it, through the one thread that watches all of them."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from polycall.wasm_runtime.spec import WasiNetworkSpec
from socket_guests import SocketGuest, here

GUESTS = 8
SIZE = 4 * 1024 * 1024
RULES = WasiNetworkSpec(allow=("loopback",))


@contextmanager
def echo_server() -> Iterator[int]:
    """Sends back what comes, and ends a connection when its other side does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            with connection:
                while data := connection.recv(30_000):
                    connection.sendall(data)

        def accept() -> None:
            for _ in range(GUESTS):
                connection, _ = server.accept()
                threading.Thread(target=serve, args=(connection,)).start()

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        thread.join(30)


def converse(number: int, port: int) -> bool:
    """Writes and reads at the same time, as far as each can be done; returns whether all came back."""
    guest = SocketGuest(RULES, seconds=120)
    client = guest.tcp()
    incoming, outgoing = guest.connect(client, here("ipv4", port))
    sent, received = hashlib.sha256(), hashlib.sha256()
    left, came = SIZE, 0
    while came < SIZE:
        if left and (room := min(left, guest.ok(outgoing, "check-write"))):
            piece = number.to_bytes(1, "big") * room
            guest.ok(outgoing, "write", piece)
            sent.update(piece)
            left -= room
            if not left:
                guest.ok(client, "shutdown", "send")
        data = guest.ok(incoming, "read", 100_000)
        received.update(data)
        came += len(data)
        if not data and not (left and guest.ok(outgoing, "check-write")) and came < SIZE:
            pollables = [guest(each, "subscribe") for each in ((incoming, outgoing) if left else (incoming,))]
            guest.session.wait([each.subject for each in pollables], "its echo")
            for each in pollables:
                each.drop()
    ended = guest(incoming, "blocking-read", 1) == {"err": {"closed": True}}
    guest.session.close()
    return ended and sent.digest() == received.digest()


def test_what_each_guest_sends_comes_back_to_it() -> None:
    with echo_server() as port, ThreadPoolExecutor(GUESTS) as pool:
        assert all(pool.map(converse, range(GUESTS), [port] * GUESTS))
