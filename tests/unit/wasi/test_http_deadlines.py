"""A call's deadline, or its cancellation, ends whatever ``wasi:http`` waits for, and closes what it has opened."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from http_guest import HttpGuest
from http_servers import Peer, Server
from polycall.interop.context import Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, TrapError
from polycall.interop.io_thread import io_thread

SECONDS = 0.2
LATE = 0.15
"""Seconds: a third of it on a machine that has nothing else to do; other tests run at the same time."""


@contextmanager
def ends_in_time() -> Iterator[None]:
    start = time.monotonic()
    with pytest.raises(DeadlineError):
        yield
    assert SECONDS - 0.01 <= time.monotonic() - start < SECONDS + LATE


def tasks_at_work() -> int:
    """How many coroutines the thread for input and output has, this one not counted."""

    async def count() -> int:
        return len(asyncio.all_tasks()) - 1

    return io_thread().run(count()).result(5)


def descriptors() -> int:
    """How many are open; 0 where the system does not say."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def until(condition: Callable[[], bool]) -> bool:
    """Whether something comes true within a second."""
    end = time.monotonic() + 1
    while not condition():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.002)
    return True


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    io_thread().run(asyncio.sleep(0)).result(5)  # it has descriptors of its own
    before = descriptors()
    yield
    assert until(lambda: tasks_at_work() == 0)
    assert until(lambda: descriptors() <= before)


def test_a_silent_server() -> None:
    with Server(lambda peer: peer.wait_for_end()) as server:
        guest = HttpGuest(seconds=SECONDS)
        with ends_in_time():
            guest.fetch(server.authority)
        ended = time.monotonic()
        guest.session.end()
        assert server.ended.wait(1)
        assert time.monotonic() - ended < LATE
        guest.session.close()


def test_a_silent_host() -> None:
    """A queue of connections that is full: what is sent there is not answered, not even with a refusal."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        filling = []
        for _ in range(4):
            filling.append(socket.socket())
            filling[-1].setblocking(False)
            filling[-1].connect_ex(listening.getsockname())
        with HttpGuest(seconds=SECONDS) as guest, ends_in_time():
            guest.fetch(f"127.0.0.1:{listening.getsockname()[1]}")
        for each in filling:
            each.close()


def test_names_that_are_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def never(*_arguments: object, **_more: object) -> NoReturn:
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    with HttpGuest(allow=["all"], seconds=SECONDS) as guest, ends_in_time():
        guest.fetch("silent.example")
    over.set()


def test_a_handshake_without_an_answer() -> None:
    with Server(lambda peer: peer.wait_for_end()) as server:
        with HttpGuest(seconds=SECONDS) as guest, ends_in_time():
            guest.fetch(server.authority, scheme="HTTPS")
        assert server.ended.wait(1)


def test_a_body_that_nobody_takes() -> None:
    over = threading.Event()
    with Server(lambda peer: over.wait(20)) as server:
        with HttpGuest(seconds=SECONDS) as guest, ends_in_time():
            guest.fetch(server.authority, method="POST", body=bytes(64 * 1024 * 1024))
        over.set()


def test_a_body_that_does_not_go_on() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
        peer.wait_for_end()

    with Server(script) as server:
        with HttpGuest(seconds=SECONDS) as guest, ends_in_time():
            guest.fetch(server.authority)
        assert server.ended.wait(1)


def test_a_half_written_body_ends_with_the_call() -> None:
    with Server(lambda peer: peer.wait_for_end()) as server:
        with HttpGuest() as guest:
            request = guest.request(server.authority, method="POST")
            body = request.body(guest.store)["ok"]
            guest.send(request)
            guest.write(body, b"half of")
            assert until(lambda: server.connections == 1)
        assert server.ended.wait(1)


def test_cancelling_ends_it() -> None:
    cancellation = Cancellation()
    with Server(lambda peer: peer.wait_for_end()) as server:
        with HttpGuest(seconds=None, cancellation=cancellation) as guest:
            threading.Timer(0.05, cancellation.cancel).start()
            with pytest.raises(CancelledError):
                guest.fetch(server.authority)
        assert server.ended.wait(1)


def test_nothing_lives_on_into_the_next_call() -> None:
    with Server(lambda peer: peer.wait_for_end()) as server:
        guest = HttpGuest()
        future = guest.send(guest.request(server.authority))
        fields = guest.fields([("a", "b")])
        guest.session.end()
        with pytest.raises(TrapError, match="closed when the call that opened it ended"):
            future.check()
        with pytest.raises(TrapError, match="closed when the call that opened it ended"):
            fields.check()
        future.drop()
        fields.drop()
        guest.session.close()


def test_a_thousand_requests_that_are_given_up_leave_nothing() -> None:
    with Server(lambda peer: peer.wait_for_end()) as server:
        for _ in range(20):
            with HttpGuest() as guest:
                for _ in range(16):
                    guest.send(guest.request(server.authority))
