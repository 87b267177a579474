"""No request reaches an address that the rules of its entry do not allow, whatever it is called, by whatever way."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from attacks import Attack, attacks
from http_guest import HttpGuest, NoAnswer
from http_servers import Peer, Server, response
from polycall.wasm_runtime.wasi.http.outgoing_request import OutgoingRequest

REFUSED = ("destination-IP-prohibited", "HTTP-request-denied")


def greet(peer: Peer) -> None:
    peer.request()
    peer.send(response("inside"))


@pytest.fixture
def inside() -> Iterator[Server]:
    """A server that only this machine can reach."""
    with Server(greet) as server:
        yield server


class Resolver:
    """What stands in for the system's: names, and what each look-up of one answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, list[Sequence[str]]] = {}

    def getaddrinfo(self, name: str, _port: object, **_more: object) -> list[tuple[Any, ...]]:
        self.asked.append(name)
        answers = self.answers.get(name)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in found
        ]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    found = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    return found


def why(fetch: Callable[[], object]) -> str:
    """Returns the code of the error that a request ends with."""
    with pytest.raises(NoAnswer) as caught:
        fetch()
    return caught.value.case


NOTATIONS = (
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "0X7F.0.0.01",
    "127.0.0.1.",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "\uff11\uff12\uff17.0.0.1",
    "127\u30020.0.1",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
)


@attacks(
    *(
        Attack(
            f"an HTTP request to this machine as `{host.encode('ascii', 'backslashreplace').decode()}`",
            "component",
            "refused, nothing is sent",
            'with `allow: [loopback]`: "inside"',
        )
        for host in NOTATIONS
    )
)
@pytest.mark.parametrize("host", NOTATIONS)
def test_this_machine_in_every_notation(host: str, inside: Server) -> None:
    with HttpGuest(allow=None) as guest:
        assert why(lambda: guest.fetch(f"{host}:{inside.port}")) in REFUSED
    assert not inside.connections
    with HttpGuest(allow=["loopback"]) as guest:
        assert guest.fetch(f"{host}:{inside.port}").body == b"inside"


NEVER = ("0.0.0.0", "0", "[::]", "[::ffff:0.0.0.0]")


@attacks(
    *(
        Attack(
            f"an HTTP request to `{host}`, which some systems take for themselves",
            "component",
            "refused, nothing is sent",
            'the address itself, allowed: "inside"',
        )
        for host in NEVER
    )
)
@pytest.mark.parametrize("host", NEVER)
def test_no_address_at_all_is_nobody(host: str, inside: Server) -> None:
    with HttpGuest(allow=["all"]) as guest:
        assert why(lambda: guest.fetch(f"{host}:{inside.port}")) == "destination-IP-prohibited"
        assert not inside.connections
        assert guest.fetch(inside.authority).body == b"inside"


PRIVATE = ("10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "[fd00::1]", "[fe80::1]")


@attacks(
    Attack(
        f"HTTP requests to addresses of inner networks: {', '.join(PRIVATE)}",
        "component",
        "destination-IP-prohibited",
        "what is public is not refused",
    )
)
def test_inner_networks_are_not_public() -> None:
    with HttpGuest(allow=None) as guest:
        for host in PRIVATE:
            assert why(partial(guest.fetch, f"{host}:80")) == "destination-IP-prohibited"
        guest.send(guest.request("192.88.98.1:1")).drop()


RESOLVED = (
    "127.0.0.1",
    "127.0.0.2",
    "::1",
    "::ffff:127.0.0.1",
    "10.0.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "fd00:ec2::254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "::ffff:169.254.169.254",
    "::7f00:1",
    "0.0.0.0",
)


@attacks(
    *(
        Attack(
            f"an HTTP request to a name that resolves to {address}",
            "component",
            "destination-IP-prohibited, nothing is sent",
            'with the name in `allow`, resolving to a server: "inside"',
        )
        for address in RESOLVED
    )
)
@pytest.mark.parametrize("address", RESOLVED)
def test_a_name_is_where_it_resolves_to(address: str, inside: Server, resolver: Resolver) -> None:
    resolver.answers["evil.example"] = [[address]]
    with HttpGuest(allow=None) as guest:
        assert why(lambda: guest.fetch(f"evil.example:{inside.port}")) == "destination-IP-prohibited"
    assert not inside.connections
    resolver.answers["evil.example"] = [["127.0.0.1"]]
    with HttpGuest(allow=["evil.example"]) as guest:
        assert guest.fetch(f"evil.example:{inside.port}").body == b"inside"


@attacks(
    Attack(
        "an HTTP request to an allowed name that resolves to the service of credentials of a cloud",
        "component",
        "destination-IP-prohibited",
        'the name, resolving to a server: "inside"',
    )
)
def test_an_allowed_name_opens_no_way_around_every_network(inside: Server, resolver: Resolver) -> None:
    resolver.answers["good.example"] = [["169.254.169.254"], ["127.0.0.1"]]
    with HttpGuest(allow=["good.example"]) as guest:
        assert why(lambda: guest.fetch(f"good.example:{inside.port}")) == "destination-IP-prohibited"
        assert guest.fetch(f"good.example:{inside.port}").body == b"inside"


@attacks(
    Attack(
        "a name that resolves to an allowed address when it is judged, and to another one when it is connected to",
        "component",
        "there is one look-up: what was judged is what is connected to",
        "the next request judges what is found then: refused",
    )
)
def test_a_name_that_changes_between_look_up_and_connect(inside: Server, resolver: Resolver) -> None:
    resolver.answers["rebinding.example"] = [["127.0.0.1"], ["127.0.0.2"]]
    with Server(greet, host="127.0.0.2") as other, HttpGuest(allow=["rebinding.example"], deny=["127.0.0.2"]) as guest:
        assert guest.fetch(f"rebinding.example:{inside.port}").body == b"inside"
        assert resolver.asked == ["rebinding.example"]
        assert why(lambda: guest.fetch(f"rebinding.example:{other.port}")) == "destination-IP-prohibited"
        assert not other.connections


@attacks(
    Attack(
        "a name that resolves to an allowed address and to one that is not",
        "component",
        "the one that is not is never tried",
        'the allowed one answers: "inside"',
    )
)
def test_of_several_addresses_the_allowed_ones_are_tried(inside: Server, resolver: Resolver) -> None:
    resolver.answers["both.example"] = [["127.0.0.2", "127.0.0.1"]]
    with HttpGuest(allow=["both.example"], deny=["127.0.0.2"]) as guest:
        assert guest.fetch(f"both.example:{inside.port}").body == b"inside"
    with HttpGuest(allow=["both.example"], deny=["127.0.0.1"]) as guest:
        assert why(lambda: guest.fetch(f"both.example:{inside.port}")) == "connection-refused"
    assert inside.connections == 1


@attacks(
    Attack(
        "a look-up of a name that no rule could allow, to carry something out by the name",
        "component",
        "HTTP-request-denied, no resolver is asked",
        "an allowed name is asked for",
    )
)
def test_names_that_no_rule_allows_are_not_asked_for(inside: Server, resolver: Resolver) -> None:
    resolver.answers["api.example.com"] = [["127.0.0.1"]]
    with HttpGuest(allow=["https://api.example.com", "*.example.org"]) as guest:
        for name in ("secret.evil.example", "example.org", "api.example.com.evil.example", "localhost"):
            assert why(partial(guest.fetch, name)) == "HTTP-request-denied"
        assert resolver.asked == []
        assert why(lambda: guest.fetch(f"api.example.com:{inside.port}")) == "destination-IP-prohibited"
        assert resolver.asked == ["api.example.com"]


@attacks(
    Attack(
        "a redirect of an allowed server to one that is not",
        "component",
        "not followed: the guest gets the 302, and is refused when it follows",
        'the other server, allowed: "inside"',
    )
)
def test_redirects_lead_nowhere_by_themselves(inside: Server) -> None:
    def redirect(peer: Peer) -> None:
        peer.request()
        peer.send(response("", f"location: http://{inside.authority}/", status="302 Found"))

    with Server(redirect) as outside:
        with HttpGuest(allow=[f"http://127.0.0.1:{outside.port}"]) as guest:
            answer = guest.fetch(outside.authority)
            assert answer.status == 302
            location = dict(answer.headers)["location"].decode()
            assert not inside.connections
            assert why(lambda: guest.fetch(location.split("/")[2])) == "destination-IP-prohibited"
        assert not inside.connections
    with HttpGuest(allow=[f"http://127.0.0.1:{inside.port}"]) as guest:
        assert guest.fetch(inside.authority).body == b"inside"


RULES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "another port": (["127.0.0.1:{other}"], []),
    "another scheme": (["https://127.0.0.1:{port}"], []),
    "another address": (["127.0.0.2"], []),
    "UDP alone": (["udp://127.0.0.1:{port}"], []),
    "a denied address": (["all"], ["127.0.0.1"]),
    "a denied port": (["all"], ["127.0.0.1:{port}"]),
    "a denied word": (["127.0.0.1"], ["loopback"]),
    "nothing": ([], []),
}


@attacks(
    *(
        Attack(
            f"an HTTP request where the rules say {case}",
            "component",
            "destination-IP-prohibited, nothing is sent",
            'the same with `allow: ["http://127.0.0.1:<port>"]`: "inside"',
        )
        for case in RULES
    )
)
@pytest.mark.parametrize("case", RULES)
def test_a_rule_is_about_what_it_says(case: str, inside: Server) -> None:
    fill = {"port": inside.port, "other": inside.port + 1 if inside.port < 65535 else 1}
    allow, deny = ([each.format(**fill) for each in rules] for rules in RULES[case])
    with HttpGuest(allow=allow, deny=deny) as guest:
        assert why(lambda: guest.fetch(inside.authority)) == "destination-IP-prohibited"
    assert not inside.connections
    with HttpGuest(allow=[f"http://127.0.0.1:{inside.port}"]) as guest:
        assert guest.fetch(inside.authority).body == b"inside"


LINES: dict[str, Callable[[HttpGuest, OutgoingRequest, str], dict[str, Any]]] = {
    "a path that is a URL": lambda guest, request, trap: request.set_path_with_query(guest.store, f"http://{trap}/"),
    "a path with a line end": lambda guest, request, _: request.set_path_with_query(guest.store, "/ HTTP/1.1\r\nx: y"),
    "a path with a space": lambda guest, request, _: request.set_path_with_query(guest.store, "/ HTTP/1.1"),
    "a user that looks like a host": lambda guest, request, trap: request.set_authority(
        guest.store, f"{trap}@x.example"
    ),
    "a host behind a user": lambda guest, request, trap: request.set_authority(guest.store, f"x.example@{trap}"),
    "an authority with a path": lambda guest, request, trap: request.set_authority(guest.store, f"{trap}/x"),
    "an authority with a line end": lambda guest, request, trap: request.set_authority(guest.store, f"{trap}\r\nx: y"),
    "a method with a line": lambda guest, request, _: request.set_method(guest.store, {"other": "GET / HTTP/1.1\r\n"}),
}

FIELDS: dict[str, tuple[str, bytes]] = {
    "a Host header": ("Host", b"other.example"),
    "a second request in a header": ("x", b"1\r\n\r\nGET /evil HTTP/1.1\r\nhost: x"),
    "a header behind a header": ("x", b"1\r\ntransfer-encoding: chunked"),
    "a header in the name of one": ("x: 1\r\ny", b"1"),
    "a coding of its own": ("Transfer-Encoding", b"chunked"),
    "an upgrade of the connection": ("upgrade", b"h2c"),
    "a length that is none": ("content-length", b"0, 5"),
}


@attacks(
    *(
        Attack(f"an HTTP request with {case}", "component", "the setter refuses it", "an honest request arrives, alone")
        for case in (*LINES, *FIELDS)
    )
)
@pytest.mark.parametrize("case", [*LINES, *FIELDS])
def test_nothing_is_smuggled_into_a_request(case: str) -> None:
    def script(peer: Peer) -> None:
        server.requests.append(peer.request())
        peer.send(response("inside"))

    with Server(script) as server, HttpGuest() as guest:
        if case in LINES:
            refused = LINES[case](guest, guest.request(server.authority), server.authority)
        else:
            name, value = FIELDS[case]
            refused = guest.fields().append(guest.store, name, value)
        assert "err" in refused
        assert not server.connections
        assert guest.fetch(server.authority, "//127.0.0.2/x").body == b"inside"
    (request,) = server.requests
    assert (request.target, request.headers["host"]) == ("//127.0.0.2/x", server.authority)


def test_a_refusal_is_told_once_in_the_log_of_its_entry(
    inside: Server, resolver: Resolver, caplog: pytest.LogCaptureFixture
) -> None:
    resolver.answers["evil.example"] = [["127.0.0.1", "10.0.0.1"]]
    with caplog.at_level(logging.WARNING, "polycall.entry.app:guest"), HttpGuest(allow=None) as guest:
        for _ in range(3):
            why(lambda: guest.fetch(f"evil.example:{inside.port}"))
    (record,) = caplog.records
    assert record.getMessage() == (
        f"refused to call http://127.0.0.1:{inside.port} (evil.example): "
        "without wasi.network.allow, only what is public may be called"
    )
    assert vars(record)["entry_id"] == "app:guest"
