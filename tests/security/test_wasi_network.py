"""Attempts to reach what the rules of an entry do not allow, each with its twin under a rule that does."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

import polycall
from attacks import Attack, attacks
from projects import GUESTS, hash_of
from socket_guests import FAMILIES, listening

JS = GUESTS / "bin" / "js-script.wasm"
NEEDS_IPV6 = pytest.mark.skipif("ipv6" not in FAMILIES, reason="this machine has no IPv6")
GROUPS = ["wasi:sockets", "wasi:io", "wasi:cli", "wasi:clocks"]
RULES: Mapping[str, Mapping[str, Any] | None] = {
    "default": None,
    "public": {"allow": ["public"]},
    "loopback": {"allow": ["loopback"]},
    "private": {"allow": ["private"]},
    "link-local": {"allow": ["link-local"]},
    "multicast": {"allow": ["multicast"]},
    "all": {"allow": ["all"]},
    "named": {"allow": ["*.allowed.example"]},
    "but-private": {"allow": ["all"], "deny": ["private", "loopback", "link-local"]},
    "listening": {"allow": ["loopback"], "listen": ["loopback"]},
    "isolated": None,
    "isolated-loopback": {"allow": ["loopback"]},
}
# What the guest tries, in each of the ways in which something leaves it.
PRELUDE = """
var { instanceNetwork, ipNameLookup, tcpCreateSocket, udpCreateSocket } = wasi.sockets;
var network = instanceNetwork.instanceNetwork();
var unspecified = { ipv4: { tag: "ipv4", val: { port: 0, address: [0, 0, 0, 0] } },
  ipv6: { tag: "ipv6", val: { port: 0, flowInfo: 0, address: [0, 0, 0, 0, 0, 0, 0, 0], scopeId: 0 } } };
function endpoint(address, port) {
  return address.tag === "ipv4" ? { tag: "ipv4", val: { port, address: address.val } }
    : { tag: "ipv6", val: { port, flowInfo: 0, address: address.val, scopeId: 0 } };
}
function resolve(name) {
  var stream = attempt(() => ipNameLookup.resolveAddresses(network, name));
  if (stream.err) return stream.err;
  wait(stream.ok);
  var found = [];
  for (var next; (next = attempt(() => stream.ok.resolveNextAddress())).ok; ) found.push(next.ok);
  return next.err ?? found;
}
function connect(address, port) {
  var own = tcpCreateSocket.createTcpSocket(address.tag);
  var outcome = attempt(() => own.startConnect(network, endpoint(address, port)));
  if (!outcome.err) {
    wait(own);
    outcome = attempt(() => own.finishConnect());
  }
  drop(own);
  return outcome.err ?? "connected";
}
function stream(address, port) {
  var own = udpCreateSocket.createUdpSocket(address.tag);
  own.startBind(network, unspecified[address.tag]);
  own.finishBind();
  var outcome = attempt(() => own.stream(endpoint(address, port)));
  drop(...(outcome.ok ?? []), own);
  return outcome.err ?? "ready";
}
function send(address, port) {
  var own = udpCreateSocket.createUdpSocket(address.tag);
  own.startBind(network, unspecified[address.tag]);
  own.finishBind();
  var [incoming, outgoing] = own.stream(undefined);
  wait(outgoing);
  outgoing.checkSend();
  var outcome = attempt(() => outgoing.send([{ data: bytes("x"), remoteAddress: endpoint(address, port) }]));
  drop(incoming, outgoing, own);
  return outcome.err ?? "sent";
}
function reach(how, name, port) {
  var found = resolve(name);
  return typeof found === "string" ? found : found.map((address) => how(address, port));
}
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[polycall.Registry]:
    folder = tmp_path_factory.mktemp("network")
    entries: list[dict[str, Any]] = [{"name": "guests", "kind": "fs.directory", "directory": str(JS.parent)}]
    for name, network in RULES.items():
        entry: dict[str, Any] = {"name": name, "kind": "function.wasm", "fs": "guests", "path": JS.name}
        entry["hash"] = hash_of(JS)
        entry |= {"method": "evaluate", "imports": GROUPS}
        entry |= {"limits": {"max_execution_ms": 20_000}} | ({"wasi": {"network": network}} if network else {})
        entry |= {"isolation": "process"} if name.startswith("isolated") else {}
        entries.append(entry)
    (folder / "_index.yaml").write_text(yaml.safe_dump({"namespace": "app", "entries": entries}), encoding="utf-8")
    with polycall.load(folder) as loaded:
        yield loaded


def run(registry: polycall.Registry, rules: str, expression: str) -> Any:
    """Returns what an expression gives in the guest with certain rules."""
    outcome = registry.call(f"app:{rules}", f"{PRELUDE};({expression})")
    assert isinstance(outcome, dict)
    assert "ok" in outcome, outcome
    return json.loads(str(outcome["ok"]))


@contextmanager
def names(**found: list[str]) -> Iterator[list[str]]:
    """Has names resolve to addresses; gives what was asked for."""
    asked: list[str] = []

    def resolver(name: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        asked.append(name)
        addresses = found.get(name.replace(".", "_"))
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(0, 0, 0, "", (each, 0)) for each in addresses]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolver)
        yield asked


LOOPBACK = [
    "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "017700000001",
    "[::ffff:127.0.0.1]", "::ffff:7f00:1", "0:0:0:0:0:ffff:127.0.0.1", "127\u30020\u30020\u30021",
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460", "localhost", "LOCALHOST", "localhost.", "a.localhost",
]  # fmt: skip


@pytest.mark.parametrize("notation", LOOPBACK, ids=ascii)
@attacks(
    *(
        Attack(
            f"connect to this machine, written as `{notation.encode('ascii', 'backslashreplace').decode()}`",
            "component (JavaScript)",
            "access-denied",
            "with the word `loopback` in `allow` it is connected",
        )
        for notation in LOOPBACK
    )
)
def test_this_machine_in_every_notation(registry: polycall.Registry, notation: str) -> None:
    with listening() as server:
        expression = f"reach(connect, {json.dumps(notation)}, {server.getsockname()[1]})"
        refused = run(registry, "default", expression)
        assert refused in ("access-denied", ["access-denied"])
        assert "connected" in run(registry, "loopback", expression)


@NEEDS_IPV6
@pytest.mark.parametrize("notation", ["[::1]", "::1", "0:0:0:0:0:0:0:1", "::1%lo", "::0001"])
def test_this_machine_in_every_notation_of_ipv6(registry: polycall.Registry, notation: str) -> None:
    with listening(socket.AF_INET6) as server:
        expression = f"reach(connect, {json.dumps(notation)}, {server.getsockname()[1]})"
        assert run(registry, "default", expression) == ["access-denied"]
        assert run(registry, "loopback", expression) == ["connected"]


PLACES = {
    "private": ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0xa000001", "fd00::1", "64:ff9b::a00:1",
                "2002:a00:1::"],
    "link-local": ["169.254.169.254", "2852039166", "0251.0376.0251.0376", "::ffff:a9fe:a9fe", "fe80::1",
                   "64:ff9b::a9fe:a9fe", "168.63.129.16", "fd00:ec2::254", "100.100.100.200"],
    "multicast": ["224.0.0.251", "ff02::fb"],
}  # fmt: skip


@pytest.mark.parametrize("word", PLACES)
@attacks(
    *(
        Attack(
            f"send a datagram to a {word} address, in {len(addresses)} notations",
            "component (JavaScript)",
            "access-denied",
            f"with the word `{word}` in `allow` the socket takes it as its peer",
        )
        for word, addresses in PLACES.items()
    )
)
def test_places_that_are_not_public(registry: polycall.Registry, word: str) -> None:
    for rules, allowed in (("default", False), ("public", False), ("loopback", False), (word, True), ("all", True)):
        expression = f"{json.dumps(PLACES[word])}.map((each) => reach(stream, each, 53))"
        for notation, outcome in zip(PLACES[word], run(registry, rules, expression), strict=True):
            # Nothing is sent: what the system thinks of the address depends on the network here.
            assert (outcome == ["access-denied"]) is not allowed, (rules, notation, outcome)
        if not allowed:
            sent = run(registry, rules, expression.replace("stream", "send"))
            assert sent == [["access-denied"]] * len(PLACES[word])


@attacks(
    Attack(
        "connect to this machine where all is allowed but private, loopback and link-local",
        "component (JavaScript)",
        "access-denied",
        "with `all` alone it is connected",
    )
)
def test_deny_wins(registry: polycall.Registry) -> None:
    with listening() as server:
        expression = f"reach(connect, '127.0.0.1', {server.getsockname()[1]})"
        assert run(registry, "but-private", expression) == ["access-denied"]
        assert run(registry, "all", expression) == ["connected"]


@attacks(
    Attack(
        "look up a name that resolves to this machine, and connect",
        "component (JavaScript)",
        "access-denied, at the look-up and at the connection",
        "with the word `loopback` in `allow` it is connected",
    )
)
def test_a_public_name_of_a_private_address(registry: polycall.Registry) -> None:
    with listening() as server, names(evil_example=["127.0.0.1"], evil2_example=["::ffff:127.0.0.1", "10.0.0.1"]):
        port = server.getsockname()[1]
        for name in ("evil.example", "evil2.example"):
            assert run(registry, "default", f"reach(connect, '{name}', {port})") == "access-denied"
            assert run(registry, "default", f"(resolve('{name}'), reach(connect, '127.0.0.1', {port}))") == (
                ["access-denied"]
            )
        assert run(registry, "all", f"reach(connect, 'evil.example', {port})") == ["connected"]
        assert run(registry, "loopback", f"reach(connect, 'a.localhost', {port})")[0] == "connected"


@attacks(
    Attack(
        "look up a name that turns from a public to a private address between look-up and connection",
        "component (JavaScript)",
        "access-denied: the address is judged",
        "with `all` it is connected",
    )
)
def test_a_name_that_turns(registry: polycall.Registry) -> None:
    script = "(resolve('turn.example'), reach(connect, '127.0.0.1', {port}))"
    with listening() as server, names(turn_example=["8.8.8.8"]):
        expression = script.format(port=server.getsockname()[1])
        assert run(registry, "default", expression) == ["access-denied"]
        assert run(registry, "all", expression) == ["connected"]


@attacks(
    Attack(
        "look up a name that no rule could match, to tell its owner something",
        "component (JavaScript)",
        "access-denied, and nobody is asked",
        "a name that a rule matches is looked up, and the address it resolves to is connected",
    )
)
def test_a_name_that_no_rule_matches(registry: polycall.Registry) -> None:
    with listening() as server, names(a_allowed_example=["127.0.0.1"], secret_evil_example=["8.8.8.8"]) as asked:
        port = server.getsockname()[1]
        for name in ("secret.evil.example", "allowed.example", "allowed.example.evil.example"):
            assert run(registry, "named", f"resolve('{name}')") == "access-denied"
        assert asked == []
        assert run(registry, "named", f"reach(connect, 'A.Allowed.Example.', {port})") == ["connected"]
        assert asked == ["a.allowed.example"]
        assert run(registry, "named", f"reach(connect, '127.0.0.1', {port})") == ["access-denied"]


@attacks(
    Attack(
        "look up an allowed name that resolves to the address of a cloud's credentials",
        "component (JavaScript)",
        "access-denied: a name never stands for link-local addresses",
        "with the word `link-local` the address is allowed",
    )
)
def test_an_allowed_name_of_a_link_local_address(registry: polycall.Registry) -> None:
    with names(a_allowed_example=["169.254.169.254"]):
        assert run(registry, "named", "reach(stream, 'a.allowed.example', 80)") == "access-denied"
        assert run(registry, "link-local", "reach(stream, '169.254.169.254', 80)") != ["access-denied"]


@attacks(
    Attack(
        "listen at this machine, for connections and for datagrams",
        "component (JavaScript)",
        "access-denied",
        "with the word `loopback` in `listen` it listens",
    )
)
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_listening(registry: polycall.Registry, kind: str) -> None:
    create = "tcpCreateSocket.createTcpSocket" if kind == "tcp" else "udpCreateSocket.createUdpSocket"
    bind = f"((own) => attempt(() => own.startBind(network, ADDRESS)).err ?? 'bound')({create}('ipv4'))"
    at = "{ tag: 'ipv4', val: { port: %d, address: %s } }"
    for address, port in (("[127, 0, 0, 1]", 0), ("[127, 0, 0, 1]", 48_123), ("[0, 0, 0, 0]", 48_123)):
        expression = bind.replace("ADDRESS", at % (port, address))
        assert run(registry, "loopback", expression) == "access-denied"
        assert run(registry, "listening", expression) == ("access-denied" if address[1] == "0" else "bound")


def test_a_refusal_is_told_once_for_each_address(registry: polycall.Registry, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "polycall.entry.app:default"):
        run(registry, "default", "[1, 2, 3].map(() => reach(connect, '10.0.0.5', 80))")
        messages = [record.getMessage() for record in caplog.records]
        assert messages == [
            "refused to call tcp://10.0.0.5:80: without wasi.network.allow, only what is public may be called"
        ]
        caplog.clear()
        run(registry, "default", "[...Array(100).keys()].map((n) => reach(connect, '10.0.0.' + n, 80))")
        assert len(caplog.records) == 17
        assert "the rest is left out" in caplog.records[-1].getMessage()


def test_refusals_are_counted(registry: polycall.Registry) -> None:
    run(registry, "default", "reach(connect, '10.0.0.5', 80)")
    before = registry.stats().entries["app:default"].host
    run(registry, "default", "[1, 2].map(() => reach(connect, '10.0.0.5', 80))")
    after = registry.stats().entries["app:default"].host
    assert before is not None
    assert after is not None
    assert after.refusals == before.refusals + 2


def test_nothing_is_sent_before_the_rule_is_asked(registry: polycall.Registry) -> None:
    with listening() as server, listening(kind=socket.SOCK_DGRAM) as datagrams:
        came: list[str] = []
        server.settimeout(0.05)
        datagrams.settimeout(0.05)

        def watch(kind: str, wait: Any) -> None:
            try:
                wait()
            except TimeoutError:
                return
            came.append(kind)

        run(registry, "default", f"reach(connect, '127.0.0.1', {server.getsockname()[1]})")
        run(registry, "default", f"reach(send, '127.0.0.1', {datagrams.getsockname()[1]})")
        for kind, wait in (("tcp", server.accept), ("udp", lambda: datagrams.recvfrom(10))):
            thread = threading.Thread(target=watch, args=(kind, wait))
            thread.start()
            thread.join()
        assert came == []


def test_the_rules_hold_in_a_worker(registry: polycall.Registry, caplog: pytest.LogCaptureFixture) -> None:
    with listening() as server, caplog.at_level(logging.WARNING, "polycall.entry.app:isolated"):
        expression = f"reach(connect, '127.0.0.1', {server.getsockname()[1]})"
        assert run(registry, "isolated", expression) == ["access-denied"]
        assert "refused to call tcp://127.0.0.1" in caplog.text
        assert run(registry, "isolated-loopback", expression) == ["connected"]


CEILING = """
network: {allow: [loopback, public], deny: ["[::1]"]}
"""


@NEEDS_IPV6
@attacks(
    Attack(
        "reach what the entry allows and the project's ceiling does not",
        "component (JavaScript)",
        "access-denied",
        "what both allow is connected",
    )
)
def test_the_ceiling_of_the_project(tmp_path: Path, registry: polycall.Registry) -> None:
    index = (registry.root / "_index.yaml").read_text(encoding="utf-8")
    (tmp_path / "_index.yaml").write_text(index, encoding="utf-8")
    (tmp_path / "polycall.yaml").write_text(CEILING, encoding="utf-8")
    with listening() as server, listening(socket.AF_INET6) as server6, polycall.load(tmp_path) as capped:
        here = f"reach(connect, '127.0.0.1', {server.getsockname()[1]})"
        there = f"reach(connect, '::1', {server6.getsockname()[1]})"
        assert run(capped, "all", here) == ["connected"]
        assert run(capped, "all", there) == ["access-denied"]
        assert run(registry, "all", there) == ["connected"]
        assert run(capped, "default", here) == ["access-denied"]
        assert run(capped, "isolated-loopback", here) == ["connected"]
        assert run(capped, "isolated-loopback", there) == ["access-denied"]
        assert run(capped, "private", "reach(stream, '10.0.0.1', 53)") == ["access-denied"]
        (tmp_path / "polycall.yaml").write_text("network: {allow: [public]}\n", encoding="utf-8")
        assert "app:all" in capped.reload().changed
        assert run(capped, "all", here) == ["access-denied"]
        assert run(capped, "isolated-loopback", here) == ["access-denied"]
        (tmp_path / "polycall.yaml").unlink()
        capped.reload()
        assert run(capped, "all", there) == ["connected"]
