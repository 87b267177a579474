"""What becomes of errors on the way to a server: each has a code of its own."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from http_guest import HttpGuest, NoAnswer
from http_servers import Server, answering, response
from polycall.wasm_runtime.wasi.http import connecting
from polycall.wasm_runtime.wasi.http.error_codes import failed_connection, failed_look_up
from polycall.wasm_runtime.wasi.http.types import Types
from polycall.wasm_runtime.wasi.io.error import IoError


def why(fetch: Callable[[], object]) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        fetch()
    return caught.value


@pytest.mark.parametrize(
    ("number", "case"),
    [
        (errno.ECONNREFUSED, "connection-refused"),
        (errno.ECONNRESET, "connection-terminated"),
        (errno.EPIPE, "connection-terminated"),
        (errno.ETIMEDOUT, "connection-timeout"),
        (errno.ENETUNREACH, "destination-IP-unroutable"),
        (errno.EHOSTUNREACH, "destination-IP-unroutable"),
        (errno.EMFILE, "connection-limit-reached"),
        (errno.EACCES, "destination-unavailable"),
        (None, "destination-unavailable"),
    ],
)
def test_errors_of_the_system_have_codes(number: int | None, case: str) -> None:
    error = OSError() if number is None else OSError(number, "a text with /home/somebody in it")
    failure = failed_connection(error)
    assert failure.code == {case: True}
    assert failure.as_io_error().to_debug_string(None) == f"the HTTP request failed: {case}"  # type: ignore[arg-type]  # it does not ask


@pytest.mark.parametrize(
    ("number", "rcode"),
    [(socket.EAI_NONAME, "NXDOMAIN"), (socket.EAI_AGAIN, "SERVFAIL"), (socket.EAI_FAIL, "SERVFAIL"), (4711, None)],
)
def test_errors_of_the_resolver_have_codes(number: int, rcode: str | None) -> None:
    assert failed_look_up(number).code == {"DNS-error": {"rcode": rcode, "info-code": None}}


def test_a_name_that_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: object, **_more: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with HttpGuest(allow=["all"]) as guest:
        failure = why(lambda: guest.fetch("unknown.example"))
    assert failure.code == {"DNS-error": {"rcode": "NXDOMAIN", "info-code": None}}


def test_a_name_without_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_more: [])
    with HttpGuest(allow=["all"]) as guest:
        assert why(lambda: guest.fetch("empty.example")).case == "DNS-error"


def test_a_name_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def never(*_arguments: object, **_more: object) -> NoReturn:
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    with HttpGuest(allow=["all"]) as guest:
        failure = why(lambda: guest.fetch("silent.example", options=guest.options(connect=0.05)))
    over.set()
    assert failure.case == "DNS-timeout"


def test_an_address_that_is_silent_does_not_hold_up_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listening, HttpGuest() as guest:
        listening.bind(("127.0.0.2", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        filling = [socket.socket() for _ in range(4)]
        for each in filling:
            each.setblocking(False)
            each.connect_ex(("127.0.0.2", port))
        found: list[Any] = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("127.0.0.2", "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_more: found)
        with HttpGuest(allow=["two.example"]) as both, Server(answering(response("second")), port=port):
            start = time.monotonic()
            assert both.fetch(f"two.example:{port}").body == b"second"
            assert time.monotonic() - start < 2
        assert why(lambda: guest.fetch(f"127.0.0.2:{port}", options=guest.options(connect=0.05))).case == (
            "connection-timeout"
        )
        for each in filling:
            each.close()


def test_a_fault_of_ours_is_told_and_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_arguments: object) -> NoReturn:
        raise RuntimeError("a fault")

    monkeypatch.setattr(connecting, "_first_of", broken)
    with HttpGuest() as guest, caplog.at_level(logging.ERROR):
        assert why(lambda: guest.fetch("127.0.0.1:1")).code == {"internal-error": None}
    assert "an HTTP request failed" in caplog.text


def test_an_error_of_another_stream_has_no_code_of_http() -> None:
    with HttpGuest() as guest:
        assert Types().http_error_code(guest.store, IoError("a pipe is broken")) is None
