from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from polycall.interop import name_lookup
from polycall.interop.errors import LimitError
from polycall.interop.name_lookup import NameLookups
from polycall.wasm_runtime.spec import WasiLimitsSpec, WasiNetworkSpec
from polycall.wasm_runtime.wasi.sockets.error_codes import look_up_code
from polycall.wasm_runtime.wasi.sockets.ip_name_lookup import IpNameLookup
from socket_guests import here, listening, socket_guest

PUBLIC = WasiNetworkSpec()


class Resolver:
    """What stands in for the system's: tells addresses, fails, or does not answer until it is let go."""

    def __init__(self) -> None:
        self.names: dict[str, list[str] | Exception] = {}
        self.asked: list[str] = []
        self.silent: set[str] = set()
        self.let_go = threading.Event()

    def __call__(self, name: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        self.asked.append(name)
        if name in self.silent:
            self.let_go.wait(60)
        found = self.names.get(name, socket.gaierror(socket.EAI_NONAME, "unknown"))
        if isinstance(found, Exception):
            raise found
        return [(0, 0, 0, "", (each, 0)) for each in found]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    found = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr(name_lookup, "_LOOKUPS", NameLookups())
    yield found
    found.let_go.set()
    for thread in threading.enumerate():
        if thread.name == "polycall name look-up":
            thread.join(10)


def test_a_name_gives_its_addresses(resolver: Resolver) -> None:
    resolver.names["a.example"] = ["8.8.8.8", "2606:4700::1111", "8.8.8.8", "::ffff:8.8.4.4"]
    with socket_guest(PUBLIC) as guest:
        assert guest.resolve("A.Example.") == ["8.8.8.8", "2606:4700::1111", "8.8.4.4"]
    assert resolver.asked == ["a.example"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8.8.8.8", ["8.8.8.8"]), ("0x08080808", ["8.8.8.8"]), ("[2606:4700::1111]", ["2606:4700::1111"]),
        ("2606:4700::1111", ["2606:4700::1111"]), ("::ffff:8.8.8.8", ["8.8.8.8"]), ("127.0.0.1", ["127.0.0.1"]),
        ("0.0.0.0", ["0.0.0.0"]), ("localhost", "access-denied"),
        ("", "invalid-argument"), (" ", "invalid-argument"),
        ("a.b<&>", "invalid-argument"), ("127.0.0.1:80", "invalid-argument"), ("[::]:80", "invalid-argument"),
        ("http://example.com/", "invalid-argument"), ("a" * 300, "invalid-argument"), ("a\0b", "invalid-argument"),
    ],
)  # fmt: skip
def test_what_is_no_name_is_asked_of_nobody(resolver: Resolver, text: str, found: list[str] | str) -> None:
    with socket_guest(PUBLIC) as guest:
        assert guest.resolve(text) == found
    assert resolver.asked == []


def test_localhost_is_asked_of_nobody(resolver: Resolver) -> None:
    with socket_guest(WasiNetworkSpec(allow=("loopback",))) as guest:
        assert guest.resolve("localhost") == ["127.0.0.1", "::1"]
        assert guest.resolve("db.localhost") == ["127.0.0.1", "::1"]
    with socket_guest(WasiNetworkSpec(allow=("127.0.0.1:80",))) as guest:
        assert guest.resolve("localhost") == ["127.0.0.1"]
    with socket_guest(WasiNetworkSpec(listen=("loopback",))) as guest:
        assert guest.resolve("localhost") == ["127.0.0.1", "::1"]
    assert resolver.asked == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (socket.gaierror(socket.EAI_NONAME, ""), "name-unresolvable"),
        (socket.gaierror(socket.EAI_AGAIN, ""), "temporary-resolver-failure"),
        (socket.gaierror(socket.EAI_FAIL, ""), "permanent-resolver-failure"),
        (UnicodeError("label too long"), "permanent-resolver-failure"),
        (OSError("no"), "permanent-resolver-failure"),
    ],
)
def test_failures(resolver: Resolver, error: Exception, code: str) -> None:
    resolver.names["a.example"] = error
    with socket_guest(PUBLIC) as guest:
        assert guest.resolve("a.example") == code
    assert look_up_code(socket.EAI_MEMORY) == "permanent-resolver-failure"


def test_a_name_without_addresses(resolver: Resolver) -> None:
    resolver.names["a.example"] = []
    with socket_guest(PUBLIC) as guest:
        assert guest.resolve("a.example") == "name-unresolvable"


def test_what_may_not_be_called_is_not_told(resolver: Resolver) -> None:
    resolver.names = {"mixed.example": ["10.0.0.1", "8.8.8.8"], "inner.example": ["10.0.0.1", "169.254.169.254"]}
    with socket_guest(PUBLIC) as guest:
        assert guest.resolve("mixed.example") == ["8.8.8.8"]
        assert guest.resolve("inner.example") == "access-denied"


def test_a_name_that_no_rule_could_match_is_not_asked_for(resolver: Resolver) -> None:
    resolver.names = {"a.example": ["8.8.8.8"], "b.example": ["8.8.8.8"]}
    with socket_guest(WasiNetworkSpec(allow=("a.example:80",))) as guest:
        assert guest.resolve("b.example") == "access-denied"
        assert guest.resolve("a.example") == ["8.8.8.8"]
    assert resolver.asked == ["a.example"]


def test_a_name_rule_holds_for_the_addresses_that_the_name_resolved_to(resolver: Resolver) -> None:
    with listening() as server:
        port = server.getsockname()[1]
        resolver.names["db.example"] = ["127.0.0.1"]
        with socket_guest(WasiNetworkSpec(allow=(f"db.example:{port}",))) as guest:
            assert guest.connect(guest.tcp(), here("ipv4", port)) == "access-denied"  # not looked up
            assert guest.resolve("db.example") == ["127.0.0.1"]
            assert isinstance(guest.connect(guest.tcp(), here("ipv4", port)), list)
            assert guest.connect(guest.tcp(), here("ipv4", port - 1)) == "access-denied"
            guest.end()
            guest.session.begin(guest.context)  # the next call has looked nothing up
            assert guest.connect(guest.tcp(), here("ipv4", port)) == "access-denied"
            assert guest.resolve("db.example") == ["127.0.0.1"]
            assert isinstance(guest.connect(guest.tcp(), here("ipv4", port)), list)


def test_a_name_that_turns_to_another_address_is_judged_by_it(resolver: Resolver) -> None:
    resolver.names["turning.example"] = ["8.8.8.8"]
    with socket_guest(PUBLIC) as guest, listening() as server:
        assert guest.resolve("turning.example") == ["8.8.8.8"]
        resolver.names["turning.example"] = ["127.0.0.1"]
        assert guest.resolve("turning.example") == "access-denied"
        assert guest.connect(guest.tcp(), here("ipv4", server.getsockname()[1])) == "access-denied"


def test_deny_by_name_holds_for_an_address_that_has_another_name_too(resolver: Resolver) -> None:
    resolver.names = {"good.example": ["127.0.0.1"], "bad.example": ["127.0.0.1"]}
    with listening() as server:
        port = server.getsockname()[1]
        with socket_guest(WasiNetworkSpec(allow=("*.example",), deny=(f"bad.example:{port}",))) as guest:
            assert guest.resolve("good.example") == ["127.0.0.1"]
            assert isinstance(guest.connect(guest.tcp(), here("ipv4", port)), list)
            assert guest.resolve("bad.example") == ["127.0.0.1"]
            assert guest.connect(guest.tcp(), here("ipv4", port)) == "access-denied"


def test_a_look_up_goes_on_while_the_guest_does_something_else(resolver: Resolver) -> None:
    resolver.names = {"slow.example": ["8.8.8.8"], "a.example": ["8.8.4.4"]}
    resolver.silent.add("slow.example")
    with socket_guest(PUBLIC) as guest:
        slow = IpNameLookup().resolve_addresses(guest.store, guest.network, "slow.example")["ok"]
        assert guest.err(slow, "resolve-next-address") == "would-block"
        assert not guest.ready(slow)
        assert guest.resolve("a.example") == ["8.8.4.4"]
        resolver.let_go.set()
        guest.block(slow)
        assert guest.ok(slow, "resolve-next-address") == {"ipv4": [8, 8, 8, 8]}
        assert guest.ok(slow, "resolve-next-address") is None
        assert guest.ok(slow, "resolve-next-address") is None


def test_look_ups_that_never_end_take_few_threads(resolver: Resolver) -> None:
    resolver.silent |= {f"{number}.example" for number in range(100)}
    lookups = name_lookup.name_lookups()
    hanging = [lookups.begin(f"{number}.example", "app:hostile") for number in range(100)]
    threads = [each for each in threading.enumerate() if each.name == "polycall name look-up"]
    assert len(threads) == 8
    resolver.names["a.example"] = ["8.8.8.8"]
    other = lookups.begin("a.example", "app:other")  # another's is not held up
    done = threading.Event()
    other.watch(done.set)
    assert other.done or done.wait(10)
    for each in hanging:
        lookups.give_up(each)
    resolver.let_go.set()
    for thread in threads:
        thread.join(10)
    assert len([name for name in resolver.asked if name != "a.example"]) == 8  # the others were never begun


def test_many_askers_take_a_bounded_number_of_threads(resolver: Resolver) -> None:
    lookups = name_lookup.name_lookups()
    for number in range(100):
        resolver.silent.add(f"{number}.example")
        resolver.names[f"{number}.example"] = ["8.8.8.8"]
    all_of_them = [lookups.begin(f"{number}.example", f"app:{number}") for number in range(100)]
    threads = [each for each in threading.enumerate() if each.name == "polycall name look-up"]
    assert len(threads) == 64
    resolver.let_go.set()
    for each in all_of_them:
        done = threading.Event()
        each.watch(done.set)
        assert each.done or done.wait(10)
    assert all(each.addresses for each in all_of_them)


def test_each_asker_has_its_turn(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lookup, "_MOST_THREADS", 1)
    resolver.silent.add("0.example")
    lookups = name_lookup.name_lookups()
    for number in range(4):
        lookups.begin(f"{number}.example", "app:busy")
    last = [lookups.begin("a.example", "app:other"), lookups.begin("4.example", "app:busy")][0]
    resolver.let_go.set()
    done = threading.Event()
    last.watch(done.set)
    assert last.done or done.wait(10)
    assert resolver.asked.index("a.example") == 2  # behind one of the four, not behind all of them


def test_thousands_of_look_ups_that_wait_are_given_up_in_no_time(resolver: Resolver) -> None:
    names = [f"{number}.example" for number in range(16_000)]
    resolver.silent.update(names)
    before = time.process_time()
    with socket_guest(PUBLIC) as guest:
        for name in names:
            assert "ok" in IpNameLookup().resolve_addresses(guest.store, guest.network, name)
    assert time.process_time() - before < 2  # to look at all the others for each takes far longer


def test_a_resolver_that_breaks_ends_the_look_up(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    resolver.names["a.example"] = KeyError("broken")
    with socket_guest(PUBLIC) as guest:
        assert guest.resolve("a.example") == "permanent-resolver-failure"


def test_look_ups_are_bounded(resolver: Resolver) -> None:
    resolver.names["a.example"] = ["8.8.8.8"]
    with socket_guest(PUBLIC, limits=WasiLimitsSpec(max_pollables=2)) as guest:
        first, _ = (IpNameLookup().resolve_addresses(guest.store, guest.network, "a.example")["ok"] for _ in range(2))
        with pytest.raises(LimitError, match="the guest has 2 pollables"):
            IpNameLookup().resolve_addresses(guest.store, guest.network, "a.example")
        first.drop()
        IpNameLookup().resolve_addresses(guest.store, guest.network, "a.example")
