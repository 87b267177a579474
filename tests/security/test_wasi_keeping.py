"""Guests and servers that would have the host keep more for them than the bounds of the entry say."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from attacks import Attack, attacks
from effort import times
from http_guest import HttpGuest, NoAnswer
from http_servers import Peer, Server, answering, response
from polycall.interop.io_thread import io_thread
from polycall.wasm_runtime.spec import WasiLimitsSpec
from polycall.wasm_runtime.wasi.clocks.monotonic_clock import MonotonicClock
from polycall.wasm_runtime.wasi.http.incoming_pipe import Incoming
from polycall.wasm_runtime.wasi.http.incoming_response import IncomingBody, IncomingResponse
from polycall.wasm_runtime.wasi.http.outgoing_request import OutgoingRequest
from polycall.wasm_runtime.wasi.io.poll import Poll
from polycall.wasm_runtime.wasi.session import TooManyError
from polycall.wasm_runtime.wasi.sockets import outgoing
from socket_guests import here, listening, socket_guest
from wasip1_guests import Host
from wasm_guests import context

MIB = 1024 * 1024
ROW = "`TooManyError`"


def big_fields(guest: HttpGuest, number: int) -> Any:
    """Returns 60 KiB of fields that nobody else has."""
    return guest.fields((f"x{place}", b"%06d" % number + b"y" * 1000) for place in range(60))


@contextmanager
def kept() -> Iterator[Callable[[], int]]:
    """Gives what says how many bytes are kept that were not before."""
    gc.collect()
    tracemalloc.start()
    try:

        def count() -> int:
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        yield count
    finally:
        tracemalloc.stop()


def view_of_a_request(guest: HttpGuest, number: int) -> Any:
    request = OutgoingRequest(guest.store, big_fields(guest, number))
    view = request.headers(guest.store)
    request.drop()
    return view


def view_of_a_response(guest: HttpGuest, authority: str) -> Any:
    head = guest.response(guest.send(guest.request(authority)))
    assert isinstance(head, IncomingResponse)
    view = head.headers(guest.store)
    head.drop()
    return view


@attacks(
    Attack("keeping the headers of many requests after the requests", "component", ROW, "dropped, they take no room"),
    Attack("keeping the headers of many responses after the responses", "component", ROW, "dropped, they take no room"),
)
@pytest.mark.parametrize("of", ["request", "response"])
def test_views_of_headers_count_as_fields_do(of: str) -> None:
    limits = WasiLimitsSpec(max_buffered_bytes=MIB)
    said = response("", f"x: {'y' * 50_000}")
    with Server(answering(said)) as server, HttpGuest(limits=limits) as guest:

        def view(number: int) -> Any:
            return view_of_a_request(guest, number) if of == "request" else view_of_a_response(guest, server.authority)

        for number in range(40):
            view(number).drop()
        views: list[Any] = []
        with pytest.raises(TooManyError):
            views.extend(map(view, range(40)))  # as many as there is room for
        assert 10 < len(views) <= 20


def response_without_body(guest: HttpGuest, authority: str) -> Any:
    head = guest.response(guest.send(guest.request(authority)))
    head.consume(guest.store)["ok"].drop()
    assert head.status(guest.store) == 200
    return head


def asked_future(guest: HttpGuest, authority: str) -> Any:
    future = guest.send(guest.request(authority))
    future.subscribe(guest.store).block(guest.store)
    outcome = future.get(guest.store)
    assert outcome is not None
    outcome["ok"]["ok"].drop()
    assert future.get(guest.store) == {"err": None}
    return future


def pollable_of_a_future(guest: HttpGuest, authority: str) -> Any:
    future = guest.send(guest.request(authority))
    pollable = future.subscribe(guest.store)
    pollable.block(guest.store)
    future.drop()
    return pollable


def pollable_of_trailers(guest: HttpGuest, authority: str) -> Any:
    body = guest.response(guest.send(guest.request(authority))).consume(guest.store)["ok"]
    trailers = IncomingBody.finish(guest.store, body)
    pollable = trailers.subscribe(guest.store)
    pollable.block(guest.store)
    trailers.drop()
    return pollable


KEPT: dict[str, Callable[[HttpGuest, str], Any]] = {
    "a response whose body is dropped": response_without_body,
    "a future that was asked": asked_future,
    "a pollable of a future that is dropped": pollable_of_a_future,
    "a pollable of trailers that are dropped": pollable_of_trailers,
}


@attacks(
    *(
        Attack(f"keeping {what}, many times", "component", "bounded as fields are", "it goes on to work")
        for what in KEPT
    )
)
@pytest.mark.parametrize("what", KEPT)
def test_what_is_kept_of_a_request_that_is_over_is_bounded(what: str) -> None:
    big = "y" * 50_000
    said = f"HTTP/1.1 200 OK\r\nx: {big}\r\ntransfer-encoding: chunked\r\n\r\n0\r\nz: {big}\r\n\r\n"
    with (
        Server(answering(said)) as server,
        kept() as count,
        HttpGuest(limits=WasiLimitsSpec(max_buffered_bytes=MIB)) as guest,
    ):
        held: list[Any] = []
        with suppress(TooManyError):
            held.extend(KEPT[what](guest, server.authority) for _ in range(100))
        assert len(held) > 10
        assert count() < 2 * MIB


@attacks(
    Attack(
        "keeping pollables of many bodies that ended with trailers",
        "component",
        "the trailers are forgotten with the request",
        "with the request they are there",
    )
)
@pytest.mark.parametrize("is_dropped_first", [False, True])
def test_trailers_are_forgotten_with_their_request(is_dropped_first: bool) -> None:
    pollables = []
    with kept() as count, HttpGuest() as guest:
        for number in range(50):
            request = guest.request("127.0.0.1:1", method="POST")
            body = request.body(guest.store)["ok"]
            stream = body.write(guest.store)["ok"]
            pollables.append(stream.subscribe(guest.store))
            stream.drop()
            if is_dropped_first:
                request.drop()
            pipe = body.pipe
            assert body.finish(guest.store, body, big_fields(guest, number)) == {"ok": None}
            assert is_dropped_first or pipe.trailers
            request.drop()
        assert count() < MIB


@attacks(Attack("keeping the bodies of many requests that are dropped", "component", ROW, "dropped, they take no room"))
def test_bodies_count_when_their_requests_are_dropped() -> None:
    with HttpGuest(limits=WasiLimitsSpec(max_buffered_bytes=MIB)) as guest:

        def body() -> Any:
            request = guest.request("127.0.0.1:1")
            found = request.body(guest.store)["ok"]
            request.drop()
            return found

        for _ in range(5000):
            body().drop()
        held: list[Any] = []
        with pytest.raises(TooManyError):
            held.extend(body() for _ in range(5000))
        assert len(held) > 1000


@attacks(
    Attack(
        "keeping closed HTTP fields from one call to the next",
        "component",
        "what is closed holds nothing",
        "in its call all of it is there",
    )
)
def test_what_a_call_has_left_open_holds_nothing_afterwards() -> None:
    held = []
    with kept() as count, HttpGuest() as guest:
        context = guest.session.running()
        for call in range(times(5, 2)):
            held += [big_fields(guest, 100 * call + number) for number in range(50)]
            held.append(OutgoingRequest(guest.store, big_fields(guest, call)))
            assert count() > 3 * MIB
            guest.session.end()
            guest.session.begin(context)
            assert count() < MIB
        assert all("call that opened it ended" in each.gone for each in held)
        for each in held:
            each.drop()  # the guest may still let go of it


@attacks(
    Attack(
        "keeping a datagram in each of many streams of a socket",
        "component",
        "the latest stream alone has one",
        "it is received",
    )
)
def test_a_datagram_that_was_not_received_goes_with_its_stream() -> None:
    held = []
    with kept() as count, socket_guest() as guest:
        for _ in range(times(5, 2)):
            own = guest.udp(bound=False)
            guest.bind(own, here("ipv4"))
            port = guest.ok(own, "local-address")["ipv4"]["port"]
            for _ in range(10):
                streams = guest.ok(own, "stream", None)
                held += streams
                guest.ok(streams[1], "check-send")
                guest.ok(streams[1], "send", [{"data": bytes(60_000), "remote-address": here("ipv4", port)}])
                guest.block(streams[0])
            assert len(guest.ok(held[-2], "receive", 1)[0]["data"]) == 60_000
            assert count() < 0.5 * MIB
            held.append(own)
            guest.session.end()
            guest.session.begin(guest.context)
        assert count() < 0.5 * MIB


@attacks(
    Attack(
        "sending a body in pieces of two bytes that nobody reads",
        "HTTP server",
        "a constant for each byte",
        "they are read as they were sent",
    )
)
def test_small_pieces_of_a_body_take_no_more_than_large_ones() -> None:
    async def push(pipe: Incoming, count: int) -> None:
        for number in range(count):
            await pipe.push(b"%02d" % (number % 100))

    pipe = Incoming(256 * 1024)
    with kept() as count:
        asyncio.run(push(pipe, 100_000))
        assert count() < 600_000
    read = b"".join(iter(lambda: pipe.read(777) if pipe.ready() else b"", b""))
    assert read == b"".join(b"%02d" % (number % 100) for number in range(100_000))


@attacks(
    Attack(
        "a content-length behind the body of an HTTP request",
        "component",
        "an error, and the request fails",
        "another trailer arrives",
    )
)
def test_a_trailer_is_no_length() -> None:
    def script(peer: Peer) -> None:
        server.requests.append(peer.request())
        peer.send(response("inside"))

    with Server(script) as server, HttpGuest() as guest:
        request = guest.request(server.authority, method="POST")
        body = request.body(guest.store)["ok"]
        future = guest.send(request)
        with pytest.raises(NoAnswer) as caught:
            guest.finish(body, [("Content-Length", "5")])
        assert caught.value.case == "internal-error"
        with pytest.raises(NoAnswer):
            guest.response(future)
        assert guest.fetch(server.authority, method="POST", body=b"abc", trailers=[("x-hash", "7")]).body == b"inside"
    assert [each.trailers for each in server.requests if each.trailers] == [{"x-hash": "7"}]


@attacks(
    Attack(
        "leaving more connections behind that still send than others may have",
        "component",
        "those beyond its share are cut off",
        "another entry's is sent to its end",
    )
)
def test_what_is_still_to_be_sent_is_bounded_for_each_entry() -> None:
    with listening() as server:
        server.listen(128)
        address = here("ipv4", server.getsockname()[1])
        accepted: list[socket.socket] = []
        with socket_guest() as guest:
            for _ in range(40):
                own = guest.tcp()
                streams = guest.connect(own, address)
                accepted.append(server.accept()[0])
                while size := guest.ok(streams[1], "check-write"):
                    guest.ok(streams[1], "write", bytes(size))
                for each in (*streams, own):
                    each.drop()
            left_behind = outgoing._LINGERING.owners()
            assert 0 < left_behind.count("app:guest") <= 16
        for each in accepted:
            each.close()


@attacks(
    Attack(
        "keeping pollables of many connections that were closed with something to send",
        "component",
        "what was to be sent is forgotten",
        "what fits among those that still send is there",
    )
)
def test_what_a_closed_connection_had_to_send_is_forgotten() -> None:
    with listening() as server, kept() as count, socket_guest() as guest:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.listen(8)
        address = here("ipv4", server.getsockname()[1])
        pollables, accepted = [], []
        for _ in range(80):
            own = guest.tcp()
            guest.ok(own, "set-send-buffer-size", 4096)
            streams = guest.connect(own, address)
            accepted.append(server.accept()[0])
            while size := guest.ok(streams[1], "check-write"):
                guest.ok(streams[1], "write", bytes(size))
            pollables.append(guest(streams[1], "subscribe"))
            for each in (*streams, own):
                each.drop()
        assert count() < 2 * MIB  # sixteen may still send
        assert all(guest(each, "ready") for each in pollables[20:])
        for connection in accepted:
            connection.close()


@attacks(
    Attack(
        "watching one socket a thousand times in each of many polls",
        "component",
        "it is watched once",
        "each pollable of it is told",
    )
)
@pytest.mark.parametrize("kind", ["listener", "datagrams"])
def test_a_socket_is_watched_once_in_a_poll(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[int] = []
    watch = io_thread().watch

    def counted(descriptor: int, *more: Any) -> Callable[[], None]:
        watched.append(descriptor)
        return watch(descriptor, *more)

    monkeypatch.setattr(io_thread(), "watch", counted)
    with socket_guest() as guest:
        if kind == "listener":
            subject = guest.listener()
            address = guest.ok(subject, "local-address")
        else:
            own = guest.udp(bound=False)
            guest.bind(own, here("ipv4"))
            address = guest.ok(own, "local-address")
            subject = guest.ok(own, "stream", None)[0]
        pollables = [guest(subject, "subscribe") for _ in range(500)]
        timer = MonotonicClock().subscribe_duration(guest.store, 1_000_000)
        assert Poll().poll(guest.store, [*pollables, timer]) == [500]
        assert len(watched) <= 1
        target = ("127.0.0.1", address["ipv4"]["port"])
        with socket.socket(type=socket.SOCK_STREAM if kind == "listener" else socket.SOCK_DGRAM) as client:
            client.connect(target)
            if kind == "datagrams":
                client.send(b"x")
            assert Poll().poll(guest.store, pollables) == list(range(500))


@attacks(
    Attack(
        "writing several times under one permit of a connection",
        "component",
        "every byte arrives, in order",
        "so it does in one piece",
    )
)
@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_no_byte_is_lost_where_one_permit_serves_several_writes(pieces: int) -> None:
    with listening() as server, socket_guest() as guest:
        own = guest.tcp()
        guest.ok(own, "set-send-buffer-size", 4096)
        streams = guest.connect(own, here("ipv4", server.getsockname()[1]))
        accepted, _ = server.accept()
        sent = bytearray()
        with accepted:
            accepted.settimeout(10)
            while size := guest.ok(streams[1], "check-write"):
                for place in range(pieces):
                    data = bytes([len(sent) % 251 + place % 5]) * (size // pieces)
                    guest.ok(streams[1], "write", data)
                    sent += data
            guest.ok(own, "shutdown", "send")
            received = bytearray()
            while data := accepted.recv(65536):
                received += data
        assert received == sent


LONG_TEXTS: dict[str, tuple[Callable[[int], Any], Callable[[HttpGuest, Any, Any], Any]]] = {
    "the name of a field": (lambda size: "\u0130" * size, lambda guest, fields, name: fields.get(guest.store, name)),
    "a name to set": (lambda size: "x" * size + " ", lambda guest, fields, name: fields.delete(guest.store, name)),
    "the value of a field": (
        lambda size: b"a" * size + b"\0",
        lambda guest, fields, value: fields.append(guest.store, "y", value),
    ),
    "values of a field": (
        lambda size: [b"a"] * (size // 64) + [b"\0"],
        lambda guest, fields, values: fields.set(guest.store, "y", values),
    ),
    "a path": (
        lambda size: "/" + "\u2028" * size + " ",
        lambda guest, _fields, path: OutgoingRequest(guest.store, guest.fields()).set_path_with_query(
            guest.store, path
        ),
    ),
}


@attacks(
    *(
        Attack(f"64 MiB as {what}", "component", "its length is looked at first", "a short one is looked at whole")
        for what in LONG_TEXTS
    )
)
@pytest.mark.parametrize("what", LONG_TEXTS)
def test_what_is_too_long_is_not_looked_at(what: str) -> None:
    make, give = LONG_TEXTS[what]
    with HttpGuest() as guest:
        fields = guest.fields()
        assert give(guest, fields, make(64)) in ([], {"err": {"invalid-syntax": True}}, {"err": None})
        huge = make(64 * MIB)
        began = time.thread_time()
        with suppress(TooManyError):
            give(guest, fields, huge)
        assert time.thread_time() - began < 0.1


NAMES_ALL_RIGHTS = """
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "file")
  (func (export "run") (param $times i64) (result i32) (local $failed i32)
    (loop $again
      (local.set $times (i64.sub (local.get $times) (i64.const 1)))
      (local.set $failed (i32.add (local.get $failed) (i32.ne (i32.const 0) (call $open (i32.const 3) (i32.const 0)
        (i32.const 0) (select (i32.const 4) (i32.const 3) (i64.eqz (local.get $times))) (i32.const 0)
        (i64.mul (local.get $times) (i64.const 2)) (i64.const 0) (i32.const 0) (i32.const 8)))))
      (br_if $again (i64.ne (local.get $times) (i64.const 0))))
    (local.get $failed)))
"""


@attacks(
    Attack(
        "naming ever new sets of rights, to have them kept",
        "core module (preview 1)",
        "nothing is kept",
        "a file opens with any of them",
    )
)
def test_a_set_of_rights_leaves_nothing_behind(tmp_path: Path) -> None:
    times = 3000
    (tmp_path / "file").touch()
    with Host({"/": tmp_path}).instance(NAMES_ALL_RIGHTS, wit="run: func(times: u64) -> u32") as instance:
        assert instance.call((1,), context()) == 0
        with kept() as count:
            assert instance.call((times,), context()) == times - 1  # all but the last open what is not there
            assert count() < 50 * times
