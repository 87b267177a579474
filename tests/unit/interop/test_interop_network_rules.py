from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycall.interop.addresses import Address
from polycall.interop.network_rules import WORDS, NetworkRules, Rule, check_listen_rule, check_rule

PUBLIC, PRIVATE, LOOPBACK, METADATA = map(ip_address, ("8.8.8.8", "10.0.0.5", "127.0.0.1", "169.254.169.254"))
KINDS = {
    "public": "8.8.8.8 2606:4700::1111",
    "private": "10.0.0.5 192.168.0.1 fd00::1 100.64.0.1",
    "loopback": "127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1",
    "link-local": "169.254.169.254 fe80::1",
    "multicast": "224.0.0.1 ff02::1",
}
SPECIAL = "192.0.2.1 240.0.0.1 255.255.255.255 ::2"


def may(rules: NetworkRules, address: str, port: int = 80, scheme: str = "tcp", name: str | None = None) -> bool:
    return rules.may_connect(scheme, name, ip_address(address), port)


@pytest.mark.parametrize("word", KINDS)
def test_a_word_allows_its_kind_and_no_other(word: str) -> None:
    rules = NetworkRules.of([word])
    for kind, addresses in KINDS.items():
        for each in addresses.split():
            assert may(rules, each) == (kind == word), each
    assert not any(may(rules, each) for each in SPECIAL.split())


@pytest.mark.parametrize("word", KINDS)
def test_a_word_denies_its_kind_and_no_other(word: str) -> None:
    rules = NetworkRules.of(["all"], [word])
    for kind, addresses in KINDS.items():
        for each in addresses.split():
            assert may(rules, each) == (kind != word), each


def test_all_is_all_but_no_address() -> None:
    everything = [*SPECIAL.split(), *(each for addresses in KINDS.values() for each in addresses.split())]
    assert all(may(NetworkRules.of(["all"]), each) for each in everything)
    assert not any(may(NetworkRules.of(["public"], ["all"]), each) for each in everything)
    for nothing in ("0.0.0.0", "::", "::ffff:0.0.0.0"):  # the kernel would take it for this machine
        assert not may(NetworkRules.of(["all", "0.0.0.0", "0.0.0.0/0", "::/0"]), nothing)


def test_without_allow_what_is_public_may_be_called() -> None:
    rules = NetworkRules.of()
    assert may(rules, "8.8.8.8")
    for kind in ("private", "loopback", "link-local", "multicast"):
        assert not any(may(rules, each) for each in KINDS[kind].split())
    assert not may(NetworkRules.of(None, ["8.8.8.0/24"]), "8.8.8.8")
    assert may(NetworkRules.of(None, ["8.8.8.0/24"]), "8.8.4.4")


def test_an_empty_list_allows_nothing() -> None:
    assert not may(NetworkRules.of([]), "8.8.8.8")
    assert not NetworkRules.of([]).may_look_up("example.org")


@pytest.mark.parametrize(
    ("rule", "scheme", "port", "fits"),
    [
        ("10.0.0.5", "tcp", 1, True), ("10.0.0.5", "udp", 2, True), ("10.0.0.5", "https", 443, True),
        ("10.0.0.5:5432", "tcp", 5432, True), ("10.0.0.5:5432", "udp", 5432, True),
        ("10.0.0.5:5432", "tcp", 5433, False),
        ("tcp://10.0.0.5", "tcp", 9, True), ("tcp://10.0.0.5", "udp", 9, False), ("tcp://10.0.0.5", "http", 80, True),
        ("tcp://10.0.0.5:5432", "tcp", 5432, True), ("tcp://10.0.0.5:5432", "https", 443, False),
        ("udp://10.0.0.5:53", "udp", 53, True), ("udp://10.0.0.5:53", "tcp", 53, False),
        ("http://10.0.0.5", "http", 80, True), ("http://10.0.0.5", "http", 8080, False),
        ("http://10.0.0.5", "tcp", 80, False),
        ("http://10.0.0.5", "https", 80, False), ("https://10.0.0.5", "https", 443, True),
        ("https://10.0.0.5", "https", 8443, False), ("https://10.0.0.5", "http", 443, False),
        ("https://10.0.0.5:8443", "https", 8443, True), ("private:443", "tcp", 443, True),
        ("private:443", "tcp", 80, False),
        ("http://private", "http", 80, True), ("10.0.0.0/8:22", "tcp", 22, True), ("10.0.0.0/8:22", "tcp", 23, False),
        ("tcp://10.0.0.0/24:22", "tcp", 22, True), ("HTTPS://10.0.0.5", "https", 443, True),
        ("  private ", "tcp", 1, True),
    ],
)  # fmt: skip
def test_schemes_and_ports(rule: str, scheme: str, port: int, fits: bool) -> None:
    assert NetworkRules.of([rule]).may_connect(scheme, None, PRIVATE, port) is fits
    assert NetworkRules.of(["all"], [rule]).may_connect(scheme, None, PRIVATE, port) is not fits


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        ("10.0.0.5", "10.0.0.5 ::ffff:10.0.0.5", "10.0.0.6 ::10.0.0.5"),
        ("10.0.0.0/8", "10.0.0.0 10.255.255.255", "9.255.255.255 11.0.0.0"),
        ("0.0.0.0/0", "1.2.3.4 127.0.0.1", "2606::1"),
        ("::/0", "2606::1 ::1", "1.2.3.4"),
        ("[::1]", "::1", "::2 127.0.0.1"),
        ("[::1]:80", "::1", "::2"),
        ("2001:db8::/32", "2001:db8::1 2001:db8:ffff::", "2001:db9::"),
        ("[2001:db8::/32]:80", "2001:db8::1", "2001:db9::"),
        ("[2001:db8::]/32:80", "2001:db8::1", "2001:db9::"),
        ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
        ("[::ffff:10.0.0.5]:80", "10.0.0.5", "10.0.0.6"),
        ("fe80::1%eth0", "fe80::1 fe80::1%eth1", "fe80::2"),
        ("10.0.0.0/24", "64:ff9b::10.0.0.1 2002:a00:1::", "64:ff9b::10.0.1.1"),
    ],
)
def test_addresses_and_ranges(rule: str, inside: str, outside: str) -> None:
    for each in inside.split():
        assert may(NetworkRules.of([rule]), each), each
        assert not may(NetworkRules.of(["all"], [rule]), each), each
    for each in outside.split():
        assert not may(NetworkRules.of([rule]), each), each


@pytest.mark.parametrize("address", ["2001:0:808:808:0:0:f5ff:fffa", "::10.0.0.5", "2606::5efe:10.0.0.5"])
@pytest.mark.parametrize("rule", ["10.0.0.0/8", "10.0.0.5", "private"])
def test_what_hides_an_address_is_denied_with_it_and_not_allowed_with_it(address: str, rule: str) -> None:
    assert may(NetworkRules.of(["all"]), address)
    assert not may(NetworkRules.of(["all"], [rule]), address)
    assert not may(NetworkRules.of([rule]), address)


@pytest.mark.parametrize(
    ("rule", "names", "others"),
    [
        ("api.example.com", "api.example.com", "example.com b.api.example.com api.example.com.evil.org"),
        ("API.Example.com.", "api.example.com", "example.com"),
        ("*.example.org", "a.example.org a.b.example.org", "example.org aexample.org a.example.org.evil"),
        ("bücher.example", "xn--bcher-kva.example", "bucher.example"),
        ("db", "db", "db.example"),
        ("tcp://publix", "publix", "public"),
    ],
)
def test_a_name_rule_holds_for_what_the_name_resolved_to(rule: str, names: str, others: str) -> None:
    rules = NetworkRules.of([rule])
    for name in names.split():
        assert may(rules, "8.8.8.8", name=name)
        assert may(rules, "10.0.0.5", name=name)
        assert may(rules, "127.0.0.1", name=name)
        assert rules.may_look_up(name)
        assert not may(NetworkRules.of(["all"], [rule]), "8.8.8.8", name=name)
    for name in others.split():
        assert not may(rules, "8.8.8.8", name=name)
        assert not rules.may_look_up(name)
        assert may(NetworkRules.of(["all"], [rule]), "8.8.8.8", name=name)
    assert not may(rules, "8.8.8.8")  # the address alone is nothing that the rule knows


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "224.0.0.1", "168.63.129.16", "64:ff9b::a9fe:a9fe", "100.100.100.200",
     "fd00:ec2::254", "fd20:ce::254"],
)  # fmt: skip
def test_no_name_opens_the_own_cable_or_a_group(address: str) -> None:
    assert not may(NetworkRules.of(["*.example.org", "evil.example.org"]), address, name="evil.example.org")
    assert may(NetworkRules.of(["link-local", "multicast"]), address, name="evil.example.org")


def test_with_public_a_name_that_resolves_to_another_kind_is_refused() -> None:
    rules = NetworkRules.of(["public"])
    assert may(rules, "8.8.8.8", name="a.example.org")
    for kind in ("private", "loopback", "link-local"):
        for each in KINDS[kind].split():
            assert not may(rules, each, name="a.example.org")
            assert may(NetworkRules.of([kind]), each, name="a.example.org")


@pytest.mark.parametrize(
    ("rule", "name", "fits"),
    [
        ("public", "example.org", True), ("private", "db.internal", True), ("all", "x", True),
        ("10.0.0.0/8", "db.internal", True), ("fd00::/8", "db.internal", True), ("http://public", "example.org", True),
        ("10.0.0.5", "db.internal", False), ("10.0.0.5:80", "db.internal", False), ("10.0.0.5/32", "x.org", False),
        ("loopback", "secrets.evil.example", False), ("127.0.0.0/8", "secrets.evil.example", False),
        ("link-local", "x.org", False), ("multicast", "x.org", False), ("224.0.0.0/4", "x.org", False),
        ("loopback", "localhost", True), ("loopback:80", "a.localhost", True), ("127.0.0.1:80", "localhost", True),
        ("[::1]:80", "localhost", True), ("127.0.0.0/8", "localhost", True), ("all", "localhost", True),
        ("public", "localhost", False), ("private", "localhost", False), ("localhost:80", "localhost", True),
        ("https://api.example.com:8443", "api.example.com", True), ("https://api.example.com", "example.com", False),
    ],
)  # fmt: skip
def test_a_name_may_be_looked_up_if_a_rule_could_allow_it(rule: str, name: str, fits: bool) -> None:
    assert NetworkRules.of([rule]).may_look_up(name) is fits


@pytest.mark.parametrize(
    ("deny", "name", "fits"),
    [
        ("evil.example", "evil.example", False), ("*.evil.example", "a.evil.example", False), ("all", "a.org", False),
        ("evil.example:80", "evil.example", True), ("https://evil.example", "evil.example", True),
        ("private", "a.org", True),
    ],
)  # fmt: skip
def test_a_name_that_is_denied_everywhere_is_not_looked_up(deny: str, name: str, fits: bool) -> None:
    assert NetworkRules.of(["public"], [deny]).may_look_up(name) is fits


def test_what_a_look_up_may_tell() -> None:
    rules = NetworkRules.of(["public", "https://api.internal"], ["8.8.4.4", "8.8.8.9:80"])
    assert rules.may_find("x.org", PUBLIC)
    assert not rules.may_find("x.org", PRIVATE)
    assert rules.may_find("api.internal", PRIVATE)
    assert not rules.may_find("x.org", ip_address("8.8.4.4"))
    assert rules.may_find("x.org", ip_address("8.8.8.9"))
    assert not NetworkRules.of(["all"]).may_find(None, ip_address("0.0.0.0"))
    assert not rules.under(["8.0.0.0/16"]).may_find("x.org", PUBLIC)


def test_deny_wins_over_allow_even_if_it_is_wider() -> None:
    rules = NetworkRules.of(["10.0.0.5:80"], ["10.0.0.0/8"])
    assert not may(rules, "10.0.0.5")
    assert not NetworkRules.of(["a.org"], ["*.org"]).may_connect("tcp", "a.org", PUBLIC, 80)
    assert not NetworkRules.of(["a.org"], ["private"]).may_connect("tcp", "a.org", PRIVATE, 80)


@pytest.mark.parametrize(
    ("listen", "address", "port", "fits"),
    [
        (None, "127.0.0.1", 0, False), ([], "127.0.0.1", 80, False), (["loopback"], "127.0.0.1", 80, True),
        (["loopback"], "::1", 0, True), (["loopback"], "0.0.0.0", 80, False), (["loopback"], "10.0.0.5", 80, False),
        (["private"], "10.0.0.5", 80, True), (["public"], "8.8.8.8", 80, True), (["public"], "0.0.0.0", 80, False),
        (["all"], "0.0.0.0", 80, True), (["all"], "::", 80, True), (["0.0.0.0:80"], "0.0.0.0", 80, True),
        (["0.0.0.0:80"], "0.0.0.0", 81, False), (["0.0.0.0:80"], "127.0.0.1", 80, False), (["[::]:80"], "::", 80, True),
        (["127.0.0.1:8080"], "127.0.0.1", 8080, True), (["127.0.0.1:8080"], "127.0.0.1", 0, False),
        (["127.0.0.0/8"], "127.0.0.9", 1, True), (["tcp://loopback:80"], "127.0.0.1", 80, True),
        (["udp://loopback:80"], "127.0.0.1", 80, False),
    ],
)  # fmt: skip
def test_where_it_may_listen(listen: list[str] | None, address: str, port: int, fits: bool) -> None:
    assert NetworkRules.of(["all"], (), listen).may_listen("tcp", ip_address(address), port) is fits


def test_under_a_ceiling_both_must_agree() -> None:
    own = NetworkRules.of(["loopback", "8.8.8.8", "a.example.org"], [], ["loopback"])
    assert may(own, "127.0.0.1")
    assert may(own.under(), "127.0.0.1")  # a ceiling that says nothing
    assert own.under().may_listen("tcp", LOOPBACK, 80)
    assert not may(own.under(["public"]), "127.0.0.1")
    assert may(own.under(["public"]), "8.8.8.8")
    assert not may(own.under(["public"]), "8.8.4.4")  # the ceiling allows it, the entry does not
    assert not may(own.under(None, ["8.8.8.8"]), "8.8.8.8")
    assert may(own.under(["public"]), "1.1.1.1", name="a.example.org")
    assert not may(own.under(["public"]), "10.0.0.5", name="a.example.org")
    assert not own.under(["10.0.0.5"]).may_look_up("a.example.org")
    assert own.under(None, (), ["loopback"]).may_listen("tcp", LOOPBACK, 80)
    assert not own.under(None, (), []).may_listen("tcp", LOOPBACK, 80)
    assert not own.under(None, (), ["loopback:81"]).may_listen("tcp", LOOPBACK, 80)


def test_a_refusal_says_which_key_refused() -> None:
    rules = NetworkRules.of(None, ["10.0.0.0/8"]).under(["8.0.0.0/8"], where="network (polycall.yaml)")
    assert rules.why_not_connect("tcp", (), PRIVATE, 80) == 'wasi.network.deny has "10.0.0.0/8"'
    found = rules.why_not_connect("tcp", (), LOOPBACK, 80)
    assert found == "without wasi.network.allow, only what is public may be called"
    found = NetworkRules.of(["private"]).why_not_connect("tcp", (), LOOPBACK, 80)
    assert found == "nothing in wasi.network.allow stands for it"
    found = rules.why_not_connect("tcp", (), ip_address("1.1.1.1"), 80)
    assert found == "nothing in network (polycall.yaml).allow stands for it"
    assert rules.why_not_connect("tcp", (), PUBLIC, 80) == ""
    assert rules.why_not_listen("tcp", LOOPBACK, 80) == "nothing in wasi.network.listen stands for it"


@pytest.mark.parametrize(
    "text",
    [
        "https://api.example.com", "*.example.org:443", "tcp://10.0.0.5:5432", "127.0.0.1:8080", "10.0.0.0/8", "public",
        "private", "loopback", "link-local", "multicast", "all", "PUBLIC", "[::1]:80", "::1", "fd00::/8",
        "udp://[::1]:53",
        "db:5432", "my_service:80", "https://*.example.org", "tcp://loopback", "all:443", "example.org.",
    ],
)  # fmt: skip
def test_rules_that_are_some(text: str) -> None:
    assert check_rule(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 'a rule, such as "https://api.example.com"'),
        ("   ", "a rule, such as"),
        ("ftp://example.org", 'one of tcp, udp, http, https before "://"'),
        ("://example.org", "one of tcp, udp, http, https"),
        ("https://example.org/", 'a rule without a path: "example.org"'),
        ("example.org/a/b", "a rule without a path"),
        ("https://user@example.org", "a rule, such as"),
        ("example.org:", "a port from 1 to 65535 behind the colon"),
        ("example.org:0", "a port from 1 to 65535"),
        ("example.org:65536", "a port from 1 to 65535"),
        ("example.org:http", "a port from 1 to 65535"),
        ("example.org:8000-8010", "a port from 1 to 65535"),
        ("10.0.0.1/8", 'a range from its first address on: "10.0.0.0/8"'),
        ("10.0.0.0/33", "a range of addresses"),
        ("10.0.0.0/", "a range of addresses"),
        ("fd00::1/8", 'a range from its first address on: "fd00::/8"'),
        ("127.1", 'an address as four numbers: "127.0.0.1"'),
        ("0x7f000001", 'an address as four numbers: "127.0.0.1"'),
        ("300.1.1.1", "a rule, such as"),
        ("*", '* for the first labels of a name alone'),
        ("*.", "a rule, such as"),
        ("*example.org", "* for the first labels"),
        ("api.*.org", "* for the first labels"),
        ("*.*.org", "* for the first labels"),
        ("*.10.0.0.1", "* for the first labels"),
        ("[::1", "an IPv6 address in brackets"),
        ("[example.org]:80", "an IPv6 address in brackets"),
        ("[::1]80", "an IPv6 address in brackets"),
        ("publik", "one of the words"),
        ("loopbak", "loopback"),
        ("link_local", "link-local"),
        ("a b", "a rule, such as"),
        ("x" * 1000, "a rule, such as"),
    ],
)  # fmt: skip
def test_rules_that_are_none_say_what_was_expected(text: str, expected: str) -> None:
    found = check_rule(text)
    assert found is not None
    assert expected in found
    with pytest.raises(ValueError, match=r"^."):
        NetworkRules.of([text])


@pytest.mark.parametrize(
    "text", ["example.org:80", "*.example.org", "http://loopback", "localhost", "https://127.0.0.1"]
)
def test_what_can_be_called_but_not_listened_at(text: str) -> None:
    assert check_rule(text) is None
    assert check_listen_rule(text) is not None


def test_where_to_listen_is_said_by_words_and_addresses() -> None:
    assert [check_listen_rule(each) for each in ("loopback", "127.0.0.1:80", "udp://[::]:53", "10.0.0.0/8", "all")] == (
        [None] * 5
    )


# --- for any rules and addresses ---

addresses = st.one_of(st.ip_addresses(), st.sampled_from([PUBLIC, PRIVATE, LOOPBACK, METADATA, IPv6Address("::1")]))
names = st.sampled_from(["a.example.org", "b.example.org", "example.org", "localhost", "db"])
rules = st.one_of(
    st.sampled_from([*WORDS, "*.example.org", "a.example.org:80", "https://example.org", "10.0.0.0/8:80", "udp://all"]),
    st.ip_addresses().map(lambda each: f"[{each}]:80" if each.version == 6 else f"{each}:80"),
)
rule_lists = st.lists(rules, max_size=4)
calls = st.tuples(
    st.sampled_from(["tcp", "udp", "http", "https"]),
    st.none() | names,
    addresses,
    st.sampled_from([53, 80, 443]),
)


@given(rule_lists, rule_lists, rule_lists, calls)
def test_more_rules_in_deny_never_allow_more(
    allow: list[str], deny: list[str], more: list[str], call: tuple[str, str | None, Address, int]
) -> None:
    assert NetworkRules.of(allow, deny).may_connect(*call) or not NetworkRules.of(allow, deny + more).may_connect(*call)


@given(rule_lists, rule_lists, rule_lists, calls)
def test_more_rules_in_allow_never_refuse_more(
    allow: list[str], deny: list[str], more: list[str], call: tuple[str, str | None, Address, int]
) -> None:
    assert not NetworkRules.of(allow, deny).may_connect(*call) or NetworkRules.of(allow + more, deny).may_connect(*call)


@given(rule_lists, rule_lists, rule_lists, rule_lists, calls)
def test_a_ceiling_is_what_the_entry_and_the_project_both_allow(
    allow: list[str], deny: list[str], most: list[str], never: list[str], call: tuple[str, str | None, Address, int]
) -> None:
    joined = NetworkRules.of(allow, deny).under(most, never)
    apart = NetworkRules.of(allow, deny), NetworkRules.of(most, never)
    assert joined.may_connect(*call) == all(each.may_connect(*call) for each in apart)


@given(rule_lists, rule_lists, calls)
def test_what_may_be_called_by_name_may_be_looked_up_and_found_or_has_no_name_rule(
    allow: list[str], deny: list[str], call: tuple[str, str | None, Address, int]
) -> None:
    own = NetworkRules.of(allow, deny)
    if own.may_connect(*call):
        assert own.may_find(call[1], call[2])


@given(rule_lists, rule_lists, st.ip_addresses(v=4), st.sampled_from([53, 80, 443]))
def test_a_mapped_address_is_judged_as_the_one_it_stands_for(
    allow: list[str], deny: list[str], address: IPv4Address, port: int
) -> None:
    own = NetworkRules.of(allow, deny)
    mapped = IPv6Address(0xFFFF << 32 | int(address))
    assert own.may_connect("tcp", None, mapped, port) == own.may_connect("tcp", None, address, port)


@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_says_what_was_expected(text: str) -> None:
    found = check_rule(text)
    if found is None:
        assert Rule.parse(text).text == text
    else:
        assert found.isprintable() or not text.isprintable()
