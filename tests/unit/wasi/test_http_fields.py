"""``fields`` of ``wasi:http/types``, and what may stand in the lines of a request."""

from __future__ import annotations

from typing import Any

import pytest

from http_guest import HttpGuest, NoAnswer
from http_servers import Server, answering, response
from polycall.interop.errors import LimitError, TrapError
from polycall.wasm_runtime.spec import WasiLimitsSpec
from polycall.wasm_runtime.wasi.http.fields import FORBIDDEN, Fields
from polycall.wasm_runtime.wasi.http.incoming_response import IncomingResponse
from polycall.wasm_runtime.wasi.http.outgoing_request import OutgoingRequest
from polycall.wasm_runtime.wasi.http.outgoing_response import IncomingRequest, OutgoingResponse, ResponseOutparam

INVALID = {"err": {"invalid-syntax": True}}
REFUSED = {"err": {"forbidden": True}}
IMMUTABLE = {"err": {"immutable": True}}
DONE = {"ok": None}
REFUSED_TEXT = {"err": None}


def test_a_name_has_values_whatever_its_case() -> None:
    with HttpGuest() as guest:
        fields = guest.fields([("Accept", "a"), ("x", "1"), ("ACCEPT", "b")])
        assert fields.get(guest.store, "aCCept") == [b"a", b"b"]
        assert fields.has(guest.store, "ACCEPT")
        assert fields.entries(guest.store) == [["accept", b"a"], ["accept", b"b"], ["x", b"1"]]
        assert fields.set(guest.store, "Accept", [b"c"]) == DONE
        assert fields.append(guest.store, "accept", b"d") == DONE
        assert fields.get(guest.store, "accept") == [b"c", b"d"]
        assert fields.delete(guest.store, "ACCEPT") == DONE
        assert not fields.has(guest.store, "accept")
        assert fields.delete(guest.store, "accept") == DONE
        assert fields.get(guest.store, "accept") == []
        assert fields.get(guest.store, "no name") == []
        assert not fields.has(guest.store, "no name")


def test_bytes_that_are_no_text_are_values() -> None:
    with HttpGuest() as guest:
        fields = guest.fields([("x", b"\xff\xfe\ta"), ("y", b"")])
        assert fields.entries(guest.store) == [["x", b"\xff\xfe\ta"], ["y", b""]]


def test_setting_nothing_is_deleting() -> None:
    with HttpGuest() as guest:
        fields = guest.fields([("x", "1")])
        assert fields.set(guest.store, "x", []) == DONE
        assert fields.entries(guest.store) == []


def test_a_clone_is_its_own() -> None:
    with HttpGuest() as guest:
        fields = guest.fields([("x", "1")])
        clone = fields.clone(guest.store)
        assert clone.append(guest.store, "x", b"2") == DONE
        assert fields.entries(guest.store) == [["x", b"1"]]
        assert clone.entries(guest.store) == [["x", b"1"], ["x", b"2"]]


@pytest.mark.parametrize("name", ["", "a b", "a:", "ä", "a\n", "a\0", "(a)", "a" * 2000, "\u212aey"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with HttpGuest() as guest:
        fields = guest.fields()
        assert fields.append(guest.store, name, b"1") == INVALID
        assert fields.set(guest.store, name, [b"1"]) == INVALID
        assert fields.delete(guest.store, name) == INVALID
        assert Fields.from_list(guest.store, [[name, b"1"]]) == INVALID


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\nb", b"a\rb", b"a\0b", b"\x7f", b"\x1b[31m"])
def test_a_value_with_control_characters_is_refused(value: bytes) -> None:
    with HttpGuest() as guest:
        fields = guest.fields()
        assert fields.append(guest.store, "x", value) == INVALID
        assert fields.set(guest.store, "x", [b"fine", value]) == INVALID
        assert Fields.from_list(guest.store, [["x", value]]) == INVALID
        assert fields.entries(guest.store) == []


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_what_belongs_to_the_connection_is_forbidden(name: str) -> None:
    with HttpGuest() as guest:
        fields = guest.fields()
        for spelt in (name, name.title()):
            assert fields.append(guest.store, spelt, b"1") == REFUSED
            assert fields.set(guest.store, spelt, [b"1"]) == REFUSED
            assert fields.delete(guest.store, spelt) == REFUSED
            assert Fields.from_list(guest.store, [[spelt, b"1"]]) == REFUSED


@pytest.mark.parametrize("value", [b"", b"+5", b"-5", b" 5", b"5 ", b"5, 5", b"0x5", b"1" * 30])
def test_a_length_is_a_number(value: bytes) -> None:
    with HttpGuest() as guest:
        assert guest.fields().append(guest.store, "content-length", value) == INVALID


def test_a_message_has_one_length() -> None:
    with HttpGuest() as guest:
        fields = guest.fields([("content-length", "5")])
        assert fields.append(guest.store, "Content-Length", b"5") == INVALID
        assert fields.set(guest.store, "content-length", [b"5", b"6"]) == INVALID
        assert fields.set(guest.store, "content-length", [b"6"]) == DONE


def test_fields_of_a_request_cannot_be_changed() -> None:
    with HttpGuest() as guest:
        own = guest.fields([("x", "1")])
        request = OutgoingRequest(guest.store, own)
        fields = request.headers(guest.store)
        assert fields.set(guest.store, "x", [b"2"]) == IMMUTABLE
        assert fields.append(guest.store, "x", b"2") == IMMUTABLE
        assert fields.delete(guest.store, "x") == IMMUTABLE
        assert fields.append(guest.store, "x", b"a\n") == INVALID
        assert fields.set(guest.store, "x", [b"a\n"]) == INVALID
        assert fields.entries(guest.store) == [["x", b"1"]]
        assert fields.clone(guest.store).set(guest.store, "x", [b"2"]) == DONE
        with pytest.raises(TrapError, match="gone"):
            OutgoingRequest(guest.store, own)


def test_fields_of_a_response_cannot_be_changed_and_have_nothing_of_the_connection() -> None:
    said = response("", "x: 1", "connection: close", "keep-alive: 5", "upgrade: h2c", "proxy-authenticate: Basic")
    with Server(answering(said)) as server, HttpGuest() as guest:
        head = guest.response(guest.send(guest.request(server.authority)))
        assert isinstance(head, IncomingResponse)
        fields = head.headers(guest.store)
        assert fields.set(guest.store, "x", [b"2"]) == IMMUTABLE
        assert fields.entries(guest.store) == [["content-length", b"0"], ["x", b"1"]]


def test_fields_are_bounded() -> None:
    limits = WasiLimitsSpec(max_header_bytes=1000)
    with HttpGuest(limits=limits) as guest:
        fields = guest.fields([("x", "a" * 900)])
        with pytest.raises(LimitError, match="more than 1000 bytes") as caught:
            fields.append(guest.store, "y", b"a" * 40)
        assert "max_header_bytes" in (caught.value.hint or "")
        assert fields.set(guest.store, "x", [b"a"]) == DONE
        assert fields.append(guest.store, "y", b"a" * 40) == DONE
        with pytest.raises(LimitError, match="more than 1000 bytes"):
            Fields.from_list(guest.store, [["x", b""]] * 50)


def test_fields_give_their_room_back() -> None:
    limits = WasiLimitsSpec(max_buffered_bytes=8192, max_header_bytes=8000)
    with HttpGuest(limits=limits) as guest:
        for _ in range(100):
            guest.fields([("x", "a" * 3000)]).drop()
            request = OutgoingRequest(guest.store, guest.fields([("x", "a" * 3000)]))
            request.headers(guest.store).drop()
            request.drop()
            bad = Fields.from_list(guest.store, [["x", b"a" * 3000], ["bad name", b""]])
            assert bad == INVALID


# --- the first line ---


@pytest.mark.parametrize(
    "authority",
    [
        "",
        "user@example.com",
        "user:secret@example.com:80",
        "example.com@127.0.0.1",
        "bad-\nhost",
        "example.com\r\nx: y",
        "example.com/path",
        "example.com?x",
        "example.com#x",
        "a b",
        "example.com:",
        "example.com:abc",
        "example.com:0",
        "example.com:65536",
        "example.com:99999",
        "example.com:+80",
        "example.com:8 0",
        "example.com:80:80",
        "::1",
        "[::1]x",
        "[::1]:",
        "[::1",
        "[::1]:abc",
        "[example.com]",
        "1.2.3.4.5",
        "256.1.1.1",
        "%31.0.0.1",
        "a" * 600,
    ],
)
def test_an_authority_that_is_none_is_refused(authority: str) -> None:
    with HttpGuest() as guest:
        request = OutgoingRequest(guest.store, guest.fields())
        assert request.set_authority(guest.store, authority) == REFUSED_TEXT
        assert request.authority(guest.store) is None


@pytest.mark.parametrize(
    "authority", ["example.com", "Example.COM:443", "127.0.0.1", "[::]", "[::1]:443", "a_b.c", "x."]
)
def test_an_authority_is_a_host_and_a_port(authority: str) -> None:
    with HttpGuest() as guest:
        request = OutgoingRequest(guest.store, guest.fields())
        assert request.set_authority(guest.store, authority) == DONE
        assert request.authority(guest.store) == authority


@pytest.mark.parametrize(
    "path",
    ["/a b", "/a\r\nx: y", "/a\n", "/a\0", "/\x7f", "/a#b", "http://127.0.0.1/", "a/b", "*", "/" + "a" * 99_999],
)
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with HttpGuest() as guest:
        request = OutgoingRequest(guest.store, guest.fields())
        assert request.set_path_with_query(guest.store, path) == REFUSED_TEXT
        assert request.path_with_query(guest.store) is None


@pytest.mark.parametrize("method", ["", "a b", "GET /", "GET\r\n", "GE\0T", "ä", "M" * 300])
def test_a_method_that_is_none_is_refused(method: str) -> None:
    with HttpGuest() as guest:
        request = OutgoingRequest(guest.store, guest.fields())
        assert request.set_method(guest.store, {"other": method}) == REFUSED_TEXT
        assert request.method(guest.store) == {"get": True}


@pytest.mark.parametrize("scheme", ["", "1a", "bad\nscheme", "ht tp", "s" * 99])
def test_a_scheme_that_is_none_is_refused(scheme: str) -> None:
    with HttpGuest() as guest:
        request = OutgoingRequest(guest.store, guest.fields())
        assert request.set_scheme(guest.store, {"other": scheme}) == REFUSED_TEXT
        assert request.scheme(guest.store) is None


def test_what_was_set_is_given_back() -> None:
    with HttpGuest() as guest:
        request = guest.request("example.com", "/x", method="PURGE", scheme="ws")
        found: tuple[Any, ...] = (
            request.method(guest.store),
            request.scheme(guest.store),
            request.authority(guest.store),
            request.path_with_query(guest.store),
        )
        assert found == ({"other": "PURGE"}, {"other": "ws"}, "example.com", "/x")
        for unset in (request.set_scheme, request.set_authority, request.set_path_with_query):
            assert unset(guest.store, None) == DONE


@pytest.mark.parametrize(
    ("authority", "path", "method", "scheme", "code"),
    [
        ("127.0.0.1:1", "/", "GET", "ws", "HTTP-protocol-error"),
        ("127.0.0.1:1", "/", "CONNECT", "HTTP", "HTTP-protocol-error"),
        (None, "/", "GET", "HTTP", "HTTP-request-URI-invalid"),
        ("127.0.0.1:1", None, "GET", "HTTP", "HTTP-request-URI-invalid"),
    ],
)
def test_a_request_that_is_not_whole_is_not_sent(
    authority: str | None, path: str | None, method: str, scheme: str, code: str
) -> None:
    with HttpGuest() as guest:
        with pytest.raises(NoAnswer) as caught:
            guest.send(guest.request(authority, path, method=method, scheme=scheme))
        assert caught.value.case == code


def test_without_a_scheme_it_is_https() -> None:
    with HttpGuest(allow=["http://127.0.0.1:1"]) as guest:
        with pytest.raises(NoAnswer) as caught:
            guest.send(guest.request("127.0.0.1:1", scheme=None))
        assert caught.value.case == "destination-IP-prohibited"
        with pytest.raises(NoAnswer) as other:
            guest.response(guest.send(guest.request("127.0.0.1:1", scheme="http")))
        assert other.value.case == "connection-refused"


# --- the other side ---


def test_a_response_can_be_composed_and_given_to_nobody() -> None:
    with HttpGuest() as guest:
        answer = OutgoingResponse(guest.store, guest.fields([("content-length", "3")]))
        assert answer.status_code(guest.store) == 200
        assert answer.set_status_code(guest.store, 404) == DONE
        assert answer.set_status_code(guest.store, 99) == REFUSED_TEXT
        assert answer.status_code(guest.store) == 404
        assert answer.headers(guest.store).has(guest.store, "content-length")
        body = answer.body(guest.store)["ok"]
        assert answer.body(guest.store) == REFUSED_TEXT
        guest.write(body, b"ab")
        with pytest.raises(NoAnswer) as caught:
            guest.finish(body)
        assert caught.value.code == {"HTTP-response-body-size": 2}
        answer.drop()


def test_nobody_calls_a_guest() -> None:
    with pytest.raises(TrapError, match="no guest is handed"):
        IncomingRequest().method()
    with pytest.raises(TrapError, match="no guest is handed"):
        ResponseOutparam.set()
