from __future__ import annotations

from ipaddress import IPv4Address, ip_address

from polycall.interop.network_rules import NetworkRules
from polycall.wasm_runtime.wasi.network_gate import NetworkGate

NAMED = NetworkRules.of(["*.example:80"])


def gate(rules: NetworkRules = NAMED) -> tuple[NetworkGate, list[str]]:
    told: list[str] = []
    return NetworkGate(rules, told.append), told


def test_an_address_counts_with_the_names_that_resolved_to_it() -> None:
    own, told = gate()
    address = ip_address("10.0.0.5")
    assert not own.may_connect("tcp", address, 80)
    assert own.allowed("db.example", [address]) == [address]
    assert own.may_connect("tcp", address, 80)
    assert own.may_connect("tcp", ip_address("::ffff:10.0.0.5"), 80)
    assert not own.may_connect("tcp", address, 81)
    assert not own.may_connect("tcp", ip_address("10.0.0.6"), 80)
    own.forget()
    assert not own.may_connect("tcp", address, 80)
    assert told == [
        "refused to call tcp://10.0.0.5:80: nothing in wasi.network.allow stands for it",
        "refused to call tcp://10.0.0.5:81 (db.example): nothing in wasi.network.allow stands for it",
        "refused to call tcp://10.0.0.6:80: nothing in wasi.network.allow stands for it",
        "refused to call tcp://10.0.0.5:80: nothing in wasi.network.allow stands for it",
    ]


def test_a_host_name_of_the_caller_wins_over_what_was_looked_up() -> None:
    own, _ = gate()
    address = ip_address("10.0.0.5")
    assert own.may_connect("http", address, 80, "db.example")
    assert not own.may_connect("http", address, 80, "db.evil")
    own.allowed("db.example", [address])
    assert not own.may_connect("http", address, 80, "db.evil")


def test_what_is_remembered_is_bounded_and_what_was_found_last_stays() -> None:
    own, _ = gate()
    addresses = [IPv4Address(0x0A000000 + number) for number in range(5000)]
    for address in addresses:
        own.allowed("db.example", [address])
    assert not own.may_connect("tcp", addresses[0], 80)
    assert own.may_connect("tcp", addresses[-1], 80)
    for number in range(1000):
        own.allowed(f"{number}.example", [addresses[-1]])
    assert len(own._names_of(addresses[-1])) == 16


def test_what_may_be_called_may_answer() -> None:
    own, told = gate(NetworkRules.of(["10.0.0.5:53"]))
    assert own.may_hear("udp", ip_address("10.0.0.5"), 53)
    assert not own.may_hear("udp", ip_address("10.0.0.5"), 54)
    assert not own.may_hear("udp", ip_address("fd00::1"), 53)
    assert told == [
        "dropped what came from udp://10.0.0.5: nothing in wasi.network.allow stands for it",
        "dropped what came from udp://[fd00::1]: nothing in wasi.network.allow stands for it",
    ]


def test_where_a_name_is_that_nobody_may_call_is_not_told() -> None:
    own, told = gate(NetworkRules.of(["public"]))
    public, private = ip_address("8.8.8.8"), ip_address("10.0.0.5")
    assert own.allowed("a.example", [private, public]) == [public]
    assert told == []
    assert own.allowed("b.example", [private]) == []
    assert own.allowed("c.example", []) == []
    assert told == ["refused to tell where b.example is: 10.0.0.5 may not be called at any port"]
