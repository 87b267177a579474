"""``wasi:http``: what goes over the wire and what comes back, against servers that behave and servers that do not."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from http_guest import HttpGuest, NoAnswer, StreamFailed
from http_servers import Peer, Server, answering, response
from polycall.interop.errors import LimitError, TrapError
from polycall.wasm_runtime.spec import WasiLimitsSpec
from polycall.wasm_runtime.wasi.clocks.monotonic_clock import MonotonicClock
from polycall.wasm_runtime.wasi.http.incoming_response import IncomingBody
from polycall.wasm_runtime.wasi.http.outgoing_body import OutgoingBody
from polycall.wasm_runtime.wasi.http.outgoing_pipe import Outgoing
from polycall.wasm_runtime.wasi.http.types import Types
from polycall.wasm_runtime.wasi.io.ends import Closed
from polycall.wasm_runtime.wasi.io.poll import Poll
from socket_guests import FAMILIES


def echoing(server: Server) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        request = peer.request()
        server.requests.append(request)
        peer.send(response(request.body, f"x-method: {request.method}", f"x-target: {request.target}"))

    return script


class Echo(Server):
    def __init__(self, **options: str) -> None:
        super().__init__(echoing(self), **options)  # type: ignore[arg-type]  # host alone


def test_a_get_is_one_request_and_its_answer() -> None:
    with Echo() as server, HttpGuest() as guest:
        answer = guest.fetch(server.authority, "/a/b?c=d", headers=[("X-One", "1"), ("x-one", "2")])
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("GET", "/a/b?c=d", b"")
    assert request.headers == {"host": server.authority, "x-one": "1, 2", "connection": "close"}
    assert (answer.status, answer.body, answer.trailers) == (200, b"", None)
    assert ["x-target", b"/a/b?c=d"] in answer.headers


def test_it_goes_over_ipv6_as_well() -> None:
    with Echo(host="::1") as server, HttpGuest() as guest:
        assert guest.fetch(server.authority).status == 200
    assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


@pytest.mark.parametrize(
    ("given", "sent"),
    [("", "/"), ("?a=b", "/?a=b"), ("/ä?ö", "/%C3%A4?%C3%B6"), ("/%41%20", "/%41%20"), ("//x", "//x")],
)
def test_a_path_is_sent_as_it_was_given(given: str, sent: str) -> None:
    with Echo() as server, HttpGuest() as guest:
        guest.fetch(server.authority, given)
    assert server.requests[0].target == sent


@pytest.mark.skipif("ipv6" not in FAMILIES, reason="there is no IPv6 here")
def test_the_zone_of_an_address_is_this_machines_own_affair() -> None:
    with Echo(host="::1") as server, HttpGuest() as guest:
        assert guest.fetch(f"[::1%1]:{server.port}").status == 200
    assert server.requests[0].headers["host"] == f"[::1]:{server.port}"  # RFC 6874, 3


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PURGE"])
def test_every_method_is_sent(method: str) -> None:
    with Echo() as server, HttpGuest() as guest:
        assert guest.fetch(server.authority, method=method).body == b""
    assert server.requests[0].method == method
    assert ("content-length" in server.requests[0].headers) == (method in ("POST", "PUT", "PATCH"))


@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_000])
@pytest.mark.parametrize("is_known", [False, True])
def test_a_body_goes_both_ways(size: int, is_known: bool) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    headers = [("content-length", str(size))] if is_known else []
    with Echo() as server, HttpGuest() as guest:
        assert guest.fetch(server.authority, method="POST", headers=headers, body=body).body == body
    assert ("transfer-encoding" in server.requests[0].headers) != is_known


def test_trailers_go_both_ways() -> None:
    def script(peer: Peer) -> None:
        server.requests.append(peer.request())
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        peer.send("3\r\nabc\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n")

    with Server(script) as server, HttpGuest() as guest:
        answer = guest.fetch(server.authority, method="POST", body=b"abc", trailers=[("x-hash", "7")])
    assert server.requests[0].trailers == {"x-hash": "7"}
    assert answer.body == b"abc"
    assert answer.trailers == [["x-sum", b"1"], ["x-sum", b"2"]]
    assert ["transfer-encoding", b"chunked"] not in answer.headers


def test_a_body_with_a_length_is_sent_without_trailers() -> None:
    with Echo() as server, HttpGuest() as guest:
        request = guest.request(server.authority, method="POST", headers=[("content-length", "3")])
        body = request.body(guest.store)["ok"]
        future = guest.send(request)
        guest.write(body, b"abc")
        with pytest.raises(NoAnswer) as caught:
            guest.finish(body, [("x-hash", "7")])
        assert caught.value.case == "internal-error"
        future.drop()


def test_a_response_may_come_while_the_request_is_sent() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        size = int(peer.until(b"\r\n"), 16)
        first = peer.exactly(size)
        peer.send(f"{size:x}\r\n".encode() + first + b"\r\n0\r\n\r\n")
        peer.wait_for_end()

    with Server(script) as server, HttpGuest() as guest:
        request = guest.request(server.authority, method="POST")
        body = request.body(guest.store)["ok"]
        future = guest.send(request)
        head = guest.response(future)  # not a byte of the body was written
        assert head.status(guest.store) == 200
        incoming = head.consume(guest.store)["ok"]
        guest.write(body, b"ping")
        assert guest.read_body(incoming) == b"ping"
        guest.finish(body)


def test_a_server_that_refuses_a_body_is_heard() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(response("too much", status="413 Content Too Large"))

    with Server(script) as server, HttpGuest() as guest:
        request = guest.request(server.authority, method="POST")
        body = request.body(guest.store)["ok"]
        future = guest.send(request)
        with pytest.raises(StreamFailed):
            guest.write(body, bytes(64 * 1024 * 1024))
        answer = guest.response(future)
        assert answer.status(guest.store) == 413
        assert guest.read_body(answer.consume(guest.store)["ok"]) == b"too much"


def test_early_hints_are_skipped() -> None:
    early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    with Server(answering(early.encode() + response("here"))) as server, HttpGuest() as guest:
        answer = guest.fetch(server.authority)
    assert (answer.status, answer.body) == (200, b"here")


def test_a_body_may_come_in_chunks_of_a_byte() -> None:
    said = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + "1;x=y\r\na\r\n" * 5000 + "0\r\n\r\n"
    with Server(answering(said)) as server, HttpGuest() as guest:
        assert guest.fetch(server.authority).body == b"a" * 5000


def test_a_body_may_end_with_the_connection() -> None:
    with Server(answering("HTTP/1.0 200 OK\r\n\r\nall of it")) as server, HttpGuest() as guest:
        assert guest.fetch(server.authority).body == b"all of it"


@pytest.mark.parametrize(
    ("method", "status", "more"),
    [("HEAD", "200 OK", "content-length: 99"), ("GET", "204 No Content", ""), ("GET", "304 Not Modified", "etag: x")],
)
def test_some_responses_have_no_body(method: str, status: str, more: str) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(f"HTTP/1.1 {status}\r\n{more}\r\n\r\n" if more else f"HTTP/1.1 {status}\r\n\r\n")
        peer.wait_for_end()  # the end is not what ends the body

    with Server(script) as server, HttpGuest() as guest:
        answer = guest.fetch(server.authority, method=method)
    assert (answer.status, answer.body) == (int(status[:3]), b"")


def test_redirects_are_the_guests_to_follow() -> None:
    moved = response("", "location: http://127.0.0.1:1/", status="302 Found")
    with Server(answering(moved)) as server, HttpGuest() as guest:
        answer = guest.fetch(server.authority)
    assert (answer.status, server.connections) == (302, 1)
    assert ["location", b"http://127.0.0.1:1/"] in answer.headers


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Echo() as proxy, Echo() as server, HttpGuest() as guest:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.authority}")
        guest.fetch(server.authority)
    assert (proxy.connections, server.connections) == (0, 1)


BROKEN = {
    "no HTTP": ("SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP-protocol-error"),
    "nothing": ("", "connection-terminated"),
    "half a head": ("HTTP/1.1 200 OK\r\ncontent-le", "HTTP-response-incomplete"),
    "two lengths": ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", "HTTP-protocol-error"),
    "a length that is none": ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "HTTP-protocol-error"),
    "an unknown coding": (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "HTTP-response-transfer-coding",
    ),
    "an unasked upgrade": ("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n", "HTTP-protocol-error"),
    "a header with a NUL": ("HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n", "HTTP-protocol-error"),
    "a header with an escape": ("HTTP/1.1 200 OK\r\nx: a\x1bb\r\ncontent-length: 0\r\n\r\n", "HTTP-protocol-error"),
    "1xx without an end": ("HTTP/1.1 100 Continue\r\n\r\n" * 100, "HTTP-protocol-error"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_response_that_is_none_is_an_error(case: str) -> None:
    said, expected = BROKEN[case]
    with Server(answering(said)) as server, HttpGuest() as guest:
        with pytest.raises(NoAnswer) as caught:
            guest.fetch(server.authority)
        assert caught.value.case == expected


BROKEN_BODIES = {
    "shorter than said": ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "HTTP-response-incomplete"),
    "chunks without an end": (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP-response-incomplete",
    ),
    "half a chunk": ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc", "HTTP-response-incomplete"),
    "a chunk that is none": (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n",
        "HTTP-protocol-error",
    ),
    "a chunk longer than it says": (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
        "HTTP-protocol-error",
    ),
}


@pytest.mark.parametrize("case", BROKEN_BODIES)
def test_a_body_that_is_none_is_an_error_behind_what_came(case: str) -> None:
    said, expected = BROKEN_BODIES[case]
    with Server(answering(said)) as server, HttpGuest() as guest:
        head = guest.response(guest.send(guest.request(server.authority)))
        body = head.consume(guest.store)["ok"]
        stream = body.stream(guest.store)["ok"]
        assert stream.blocking_read(guest.store, 3) == {"ok": b"abc"}
        stream.drop()
        with pytest.raises(NoAnswer) as caught:
            guest.trailers(body)
        assert caught.value.case == expected


def test_a_stream_tells_why_it_failed() -> None:
    with Server(answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")) as server, HttpGuest() as guest:
        with pytest.raises(StreamFailed) as caught:
            guest.fetch(server.authority)
        assert caught.value.case == "HTTP-response-incomplete"


def test_a_reset_is_told() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.reset()

    with Server(script) as server, HttpGuest() as guest:
        with pytest.raises(NoAnswer) as caught:
            guest.fetch(server.authority)
        assert caught.value.case == "connection-terminated"


def test_nobody_listens() -> None:
    with Echo() as server:
        pass
    with HttpGuest() as guest:
        with pytest.raises(NoAnswer) as caught:
            guest.fetch(server.authority)
        assert caught.value.case == "connection-refused"


def test_more_than_the_length_is_of_no_interest() -> None:
    with Server(answering(response("abc") + b"HTTP/1.1 200 OK\r\n\r\nevil")) as server, HttpGuest() as guest:
        assert guest.fetch(server.authority).body == b"abc"


# --- lengths of what a guest sends ---


def test_too_little_is_refused_at_the_end() -> None:
    def script(peer: Peer) -> None:
        peer.request()

    with Server(script) as server, HttpGuest() as guest:
        request = guest.request(server.authority, method="POST", headers=[("content-length", "11")])
        body = request.body(guest.store)["ok"]
        future = guest.send(request)
        guest.write(body, b"msg")
        with pytest.raises(NoAnswer) as caught:
            guest.finish(body)
        assert caught.value.code == {"HTTP-request-body-size": 3}
        with pytest.raises(NoAnswer) as caught:
            guest.response(future)
        assert caught.value.code == {"HTTP-request-body-size": 3}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_length_without_a_body_is_refused_before_anybody_is_called(method: str) -> None:
    with Echo() as server, HttpGuest() as guest:
        with pytest.raises(NoAnswer) as caught:
            guest.send(guest.request(server.authority, method=method, headers=[("content-length", "5")]))
        assert caught.value.code == {"HTTP-request-body-size": 0}
        assert guest.fetch(server.authority, method=method, headers=[("content-length", "0")]).status == 200
    assert [each.method for each in server.requests] == [method]


def test_what_is_written_while_the_request_ends_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = Outgoing(10, None, "HTTP-request-body-size")
    with monkeypatch.context() as patch:
        patch.setattr(pipe, "_check", pipe.cut)  # the loop's turn comes between the look and the write
        pipe.write(b"abc")
    assert not pipe._data
    with pytest.raises(Closed):
        pipe.permit()


def test_too_much_is_refused_when_it_is_written() -> None:
    with HttpGuest() as guest:
        request = guest.request("127.0.0.1:1", method="POST", headers=[("content-length", "11")])
        body = request.body(guest.store)["ok"]
        with pytest.raises(StreamFailed) as caught:
            guest.write(body, b"more than 11 bytes")
        assert caught.value.code == {"HTTP-request-body-size": 18}
        with pytest.raises(NoAnswer) as again:
            guest.finish(body)
        assert again.value.code == {"HTTP-request-body-size": 18}


def test_a_body_that_is_dropped_takes_its_request_along() -> None:
    with Server(lambda peer: peer.wait_for_end()) as server, HttpGuest() as guest:
        request = guest.request(server.authority, method="POST")
        body = request.body(guest.store)["ok"]
        future = guest.send(request)
        guest.write(body, b"half of")
        body.drop()
        with pytest.raises(NoAnswer) as caught:
            guest.response(future)
        assert caught.value.case == "HTTP-protocol-error"
        assert server.ended.wait(5)


def test_a_get_has_a_body_only_with_a_length() -> None:
    with Echo() as server, HttpGuest() as guest:
        assert guest.fetch(server.authority, body=b"").body == b""
        assert guest.fetch(server.authority, body=b"abc", headers=[("content-length", "3")]).body == b"abc"
        with pytest.raises(StreamFailed) as caught:
            guest.fetch(server.authority, body=b"abc")
        assert caught.value.case == "HTTP-request-length-required"
        request = guest.request(server.authority)
        guest.write(request.body(guest.store)["ok"], b"abc")
        with pytest.raises(NoAnswer) as early:
            guest.send(request)
        assert early.value.case == "HTTP-request-length-required"
    assert "transfer-encoding" not in server.requests[0].headers


def test_a_body_may_be_written_before_its_request_is_sent() -> None:
    with Echo() as server, HttpGuest() as guest:
        request = guest.request(server.authority, method="PUT")
        body = request.body(guest.store)["ok"]
        guest.write(body, b"early")
        guest.finish(body)
        assert guest.read(guest.response(guest.send(request))).body == b"early"


def test_nobody_writes_to_a_request_that_was_dropped() -> None:
    with HttpGuest() as guest:
        request = guest.request("127.0.0.1:1", method="PUT")
        body = request.body(guest.store)["ok"]
        request.drop()
        with pytest.raises(StreamFailed) as caught:
            guest.write(body, b"late")
        assert caught.value.case == "closed"


# --- timeouts ---


def test_a_silent_server_ends_at_the_first_byte_timeout() -> None:
    with Server(lambda peer: peer.wait_for_end()) as server, HttpGuest() as guest:
        with pytest.raises(NoAnswer) as caught:
            guest.fetch(server.authority, options=guest.options(first_byte=0.05))
        assert caught.value.case == "connection-read-timeout"
        assert server.ended.wait(5)


@pytest.mark.parametrize("framing", ["content-length: 9\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"])
def test_a_server_that_falls_silent_ends_between_bytes(framing: str) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(f"HTTP/1.1 200 OK\r\n{framing}")
        peer.wait_for_end()

    with Server(script) as server, HttpGuest() as guest:
        with pytest.raises(StreamFailed) as caught:
            guest.fetch(server.authority, options=guest.options(between_bytes=0.05))
        assert caught.value.case == "connection-read-timeout"


def test_a_server_that_does_not_read_ends_at_the_first_byte_timeout() -> None:
    over = threading.Event()
    with Server(lambda peer: over.wait(20)) as server, HttpGuest() as guest:
        request = guest.request(server.authority, method="POST")
        body = request.body(guest.store)["ok"]
        future = guest.send(request, guest.options(first_byte=0.2))
        with pytest.raises(StreamFailed) as caught:
            guest.write(body, bytes(64 * 1024 * 1024))
        assert caught.value.case == "connection-write-timeout"
        with pytest.raises(NoAnswer) as told:
            guest.response(future)
        assert told.value.case == "connection-write-timeout"
        over.set()


def test_a_guest_that_begins_to_wait_late_is_given_its_time() -> None:
    go_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")
        go_on.wait(10)
        peer.send("def")

    with Server(script) as server, HttpGuest() as guest:
        options = guest.options(between_bytes=0.3)
        body = guest.response(guest.send(guest.request(server.authority), options)).consume(guest.store)["ok"]
        stream = body.stream(guest.store)["ok"]
        assert stream.blocking_read(guest.store, 100) == {"ok": b"abc"}
        threading.Event().wait(0.4)  # longer than the timeout, but not for the body
        threading.Timer(0.05, go_on.set).start()
        assert stream.blocking_read(guest.store, 100) == {"ok": b"def"}


def test_a_guest_that_reads_slowly_is_no_silent_server() -> None:
    size = 4 * 1024 * 1024
    with Server(answering(response(bytes(size)))) as server, HttpGuest() as guest:
        options = guest.options(between_bytes=0.1)
        head = guest.response(guest.send(guest.request(server.authority), options))
        body = head.consume(guest.store)["ok"]
        threading.Event().wait(0.3)  # the connection is not read meanwhile
        assert len(guest.read_body(body)) == size


def test_timeouts_are_kept_as_they_were_set() -> None:
    with HttpGuest() as guest:
        options = guest.options(connect=1, first_byte=2)
        assert options.connect_timeout(guest.store) == 1_000_000_000
        assert options.first_byte_timeout(guest.store) == 2_000_000_000
        assert options.between_bytes_timeout(guest.store) is None


# --- a body that the guest's own thread receives ---


def test_a_guest_waits_for_several_things_while_a_body_comes() -> None:
    go_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")
        go_on.wait(10)
        peer.send("def")
        peer.wait_for_end()

    with Server(script) as server, HttpGuest() as guest:
        options = guest.options(between_bytes=10)
        body = guest.response(guest.send(guest.request(server.authority), options)).consume(guest.store)["ok"]
        stream = body.stream(guest.store)["ok"]
        assert stream.blocking_read(guest.store, 100) == {"ok": b"abc"}
        coming, clock = stream.subscribe(guest.store), MonotonicClock().subscribe_duration(guest.store, 10_000_000)
        for _ in range(3):  # each time the wait for the body is called off
            assert Poll().poll(guest.store, [coming, clock]) == [1]
        assert not coming.ready(guest.store)
        go_on.set()
        assert Poll().poll(guest.store, [coming]) == [0]
        assert stream.read(guest.store, 2) == {"ok": b"de"}
        assert stream.read(guest.store, 2) == {"ok": b"f"}
        assert stream.read(guest.store, 2) == {"err": {"closed": True}}
        assert server.ended.wait(5)  # all is there: the connection is closed, whatever the guest still holds


def test_a_reset_in_the_middle_of_a_body_is_told() -> None:
    go_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
        go_on.wait(10)
        peer.reset()

    with Server(script) as server, HttpGuest() as guest:
        body = guest.response(guest.send(guest.request(server.authority))).consume(guest.store)["ok"]
        stream = body.stream(guest.store)["ok"]
        assert stream.blocking_read(guest.store, 100) == {"ok": b"abc"}
        go_on.set()
        outcome = stream.blocking_read(guest.store, 100)
        assert Types().http_error_code(guest.store, outcome["err"]["last-operation-failed"]) == {
            "connection-terminated": True
        }


def test_what_is_left_of_a_body_is_skipped() -> None:
    with Server(answering(response(bytes(3_000_000)))) as server, HttpGuest() as guest:
        body = guest.response(guest.send(guest.request(server.authority))).consume(guest.store)["ok"]
        stream = body.stream(guest.store)["ok"]
        assert len(stream.blocking_read(guest.store, 1000)["ok"]) > 0
        stream.drop()
        assert guest.trailers(body) is None


def test_a_body_ends_when_its_request_is_given_up() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
        peer.wait_for_end()

    with Server(script) as server, HttpGuest() as guest:
        request = guest.request(server.authority, method="POST")
        outgoing = request.body(guest.store)["ok"]
        body = guest.response(guest.send(request)).consume(guest.store)["ok"]
        stream = body.stream(guest.store)["ok"]
        assert stream.blocking_read(guest.store, 100) == {"ok": b"abc"}
        outgoing.drop()
        outcome = stream.blocking_read(guest.store, 100)
        assert Types().http_error_code(guest.store, outcome["err"]["last-operation-failed"]) == {
            "HTTP-protocol-error": True
        }
        assert server.ended.wait(5)


# --- dropping ---


def test_dropping_the_future_closes_the_connection() -> None:
    with Server(lambda peer: peer.wait_for_end()) as server, HttpGuest() as guest:
        future = guest.send(guest.request(server.authority))
        future.drop()
        # Either it was never opened, or it is closed.
        assert server.connections == 0 or server.ended.wait(5)


@pytest.mark.parametrize("stage", ["response", "body", "trailers"])
def test_dropping_what_came_of_it_closes_the_connection(stage: str) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\nabc")
        peer.wait_for_end()

    with Server(script) as server, HttpGuest() as guest:
        head = guest.response(guest.send(guest.request(server.authority)))
        if stage == "response":
            head.drop()
        else:
            body = head.consume(guest.store)["ok"]
            head.drop()
            if stage == "body":
                body.drop()
            else:
                IncomingBody.finish(guest.store, body).drop()
        assert server.ended.wait(5)


def test_a_stream_must_go_before_its_body() -> None:
    with Server(answering(response("abc"))) as server, HttpGuest() as guest:
        body = guest.response(guest.send(guest.request(server.authority))).consume(guest.store)["ok"]
        stream = body.stream(guest.store)["ok"]
        with pytest.raises(TrapError, match="whose stream it has not dropped"):
            IncomingBody.finish(guest.store, body)
        with pytest.raises(TrapError, match="whose stream it has not dropped"):
            body.drop()
        stream.drop()
        body.drop()
        request = guest.request(server.authority, method="POST")
        outgoing = request.body(guest.store)["ok"]
        stream = outgoing.write(guest.store)["ok"]
        with pytest.raises(TrapError, match="whose stream it has not dropped"):
            OutgoingBody.finish(guest.store, outgoing, None)
        stream.drop()
        outgoing.drop()


def test_what_is_given_once_is_given_once() -> None:
    with Server(answering(response("abc"))) as server, HttpGuest() as guest:
        request = guest.request(server.authority, method="POST")
        body = request.body(guest.store)["ok"]
        assert request.body(guest.store) == {"err": None}
        stream = body.write(guest.store)["ok"]
        assert body.write(guest.store) == {"err": None}
        stream.drop()
        future = guest.send(request)
        guest.finish(body)
        future.subscribe(guest.store).block(guest.store)
        outcome = future.get(guest.store)
        assert outcome is not None
        assert future.get(guest.store) == {"err": None}
        head = outcome["ok"]["ok"]
        incoming = head.consume(guest.store)["ok"]
        assert head.consume(guest.store) == {"err": None}
        stream = incoming.stream(guest.store)["ok"]
        assert incoming.stream(guest.store) == {"err": None}
        stream.drop()
        trailers = IncomingBody.finish(guest.store, incoming)
        trailers.subscribe(guest.store).block(guest.store)
        assert trailers.get(guest.store) == {"ok": {"ok": None}}
        assert trailers.get(guest.store) == {"err": None}


# --- bounds ---


def test_requests_on_their_way_are_counted() -> None:
    limits = WasiLimitsSpec(max_http_requests=2)
    with Echo() as server, HttpGuest(limits=limits) as guest:
        first = guest.send(guest.request(server.authority))
        guest.send(guest.request(server.authority))
        with pytest.raises(LimitError, match="2 HTTP requests"):
            guest.send(guest.request(server.authority))
        first.drop()
        for _ in range(5):
            assert guest.fetch(server.authority).status == 200


def test_headers_of_a_response_are_bounded() -> None:
    limits = WasiLimitsSpec(max_header_bytes=1000)
    for said in ("x: " + "a" * 1000, "\r\n".join(f"x{number}: a" for number in range(30)), "x: " + "a" * 20_000):
        with Server(answering(response("", said))) as server, HttpGuest(limits=limits) as guest:
            with pytest.raises(NoAnswer) as caught:
                guest.fetch(server.authority)
            assert caught.value.case == "HTTP-response-header-section-size"
    with Server(answering(response("", "x: " + "a" * 800))) as server, HttpGuest(limits=limits) as guest:
        assert guest.fetch(server.authority).status == 200


def test_headers_without_an_end_are_bounded() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send("HTTP/1.1 200 OK\r\n")
        while True:
            peer.send("x: " + "a" * 1000 + "\r\n")

    with Server(script) as server, HttpGuest() as guest:
        with pytest.raises(NoAnswer) as caught:
            guest.fetch(server.authority)
        assert caught.value.case == "HTTP-response-header-section-size"


def test_trailers_of_a_response_are_bounded() -> None:
    limits = WasiLimitsSpec(max_header_bytes=1000)
    said = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: " + "a" * 1000 + "\r\n\r\n"
    with Server(answering(said)) as server, HttpGuest(limits=limits) as guest:
        with pytest.raises(StreamFailed) as caught:
            guest.fetch(server.authority)
        assert caught.value.case == "HTTP-response-trailer-section-size"


def test_a_body_that_nobody_reads_is_kept_in_part() -> None:
    sent = []

    def script(peer: Peer) -> None:
        peer.request()
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        peer.socket.settimeout(0.5)  # how long the guest is seen not to read
        piece = bytes(65536)
        try:
            while True:
                sent.append(peer.socket.send(piece))
        except TimeoutError:
            pass

    with Server(script) as server, HttpGuest() as guest:
        head = guest.response(guest.send(guest.request(server.authority)))
        assert server.ended.wait(20)
        assert head.status(guest.store) == 200
    assert sum(sent) < 32 * 1024 * 1024  # most of it in the buffers of the system


def test_a_body_that_no_server_reads_is_kept_in_part() -> None:
    ended = threading.Event()

    def script(peer: Peer) -> None:
        ended.wait(20)

    with Server(script) as server, HttpGuest(seconds=1) as guest:
        request = guest.request(server.authority, method="POST")
        body = request.body(guest.store)["ok"]
        guest.send(request)
        stream = body.write(guest.store)["ok"]
        written = 0
        idle = threading.Event()
        while not idle.wait(0.02) or written < 1:
            room = stream.check_write(guest.store)["ok"]
            if not room and written > 1_000_000:
                break
            assert stream.write(guest.store, bytes(room)) == {"ok": None}
            written += room
            assert written < 64 * 1024 * 1024
        ended.set()


def test_what_is_buffered_is_bounded_in_all() -> None:
    limits = WasiLimitsSpec(max_buffered_bytes=1024 * 1024, max_http_requests=1000)
    with HttpGuest(limits=limits) as guest:
        requests = [guest.request("127.0.0.1:1", method="POST") for _ in range(100)]
        bodies = (request.body(guest.store) for request in requests)
        with pytest.raises(LimitError, match="HTTP requests need more than 1048576 bytes"):
            list(bodies)
    with HttpGuest(limits=limits) as guest:
        several = (guest.fields([("a", "b" * 1000)]) for _ in range(10_000))
        with pytest.raises(LimitError, match="need more than"):
            list(several)
    with HttpGuest(limits=limits) as guest:
        empty = (guest.fields() for _ in range(10_000))
        with pytest.raises(LimitError, match="need more than"):
            list(empty)


def test_least_buffers_suffice() -> None:
    limits = WasiLimitsSpec(max_buffered_bytes=4096)
    with Echo() as server, HttpGuest(limits=limits) as guest:
        body = bytes(range(256)) * 4000
        assert guest.fetch(server.authority, method="POST", body=body).body == body
