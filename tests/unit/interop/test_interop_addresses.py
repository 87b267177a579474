from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycall.interop.addresses import is_local_name, parse_host, place_of, unmapped

LOOPBACK = IPv4Address("127.0.0.1")


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "0177.0.0.1",
        "017700000001", "00000177.1", "127.0x0.0.01", "[::ffff:127.0.0.1]", "::ffff:127.0.0.1", "::FFFF:7f00:1",
        "0:0:0:0:0:ffff:7f00:0001", "\uff11\uff12\uff17.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①", "127\uff0e0\uff0e0\uff0e1",
    ],
)  # fmt: skip
def test_an_address_is_read_in_every_notation(text: str) -> None:
    assert parse_host(text) == LOOPBACK


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[FE80::1]", "fe80::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("0", "0.0.0.0"),
        ("1.0x", "1.0.0.0"),
    ],
)
def test_other_addresses(text: str, address: str) -> None:
    assert parse_host(text) == ip_address(address)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.ORG", "example.org"), ("example.org.", "example.org"), ("db", "db"), ("my_service", "my_service"),
        ("bücher.example", "xn--bcher-kva.example"), ("\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.org", "example.org"),
        ("1.example", "1.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"), ("0x7f.example", "0x7f.example"), ("a" * 63, "a" * 63),
    ],
)  # fmt: skip
def test_a_name_is_put_in_one_form(text: str, name: str) -> None:
    assert parse_host(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a..b", "example.org..", ".example.org", "-a.org", "a-.org", "a b", "a\0b",
        "127.0.0.1\0.example",
        "a/b", "a@b", "a%2eb", "%31%32%37.0.0.1", "a:80", "[::1", "::1]", "[::1]:80", "[127.0.0.1]", "1.2.3.4.5",
        "256.0.0.1", "1.2.3.256", "4294967296", "0x100000000", "08.0.0.1", "127.0.0.1.1", "a.1", "::1%",
        "::1%a/b", "::1%" + "z" * 40, "a" * 64, ".".join(["a" * 60] * 5), "x" * 10_000, "ﬀ" * 64, "日" * 200,
        "\uff0fetc", "e.1。",
        "::g", "1::2::3", "127.0.0.1%lo",
    ],
)  # fmt: skip
def test_what_is_neither(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of whatever kind
        parse_host(text)


@given(st.text(max_size=300))
def test_any_text_is_an_address_a_name_or_refused(text: str) -> None:
    try:
        found = parse_host(text)
    except ValueError:
        return
    assert parse_host(str(found)) == found  # one form: reading it again changes nothing
    assert isinstance(found, str) or unmapped(found) == found


@given(st.ip_addresses(v=4), st.sampled_from(["{}", "0x{:x}", "0{:o}"]), st.integers(1, 4))
def test_any_ipv4_address_in_any_notation(address: IPv4Address, form: str, parts: int) -> None:
    number = int(address)
    heads = [number >> (24 - 8 * place) & 0xFF for place in range(parts - 1)]
    figures = [*heads, number & ((1 << (32 - 8 * (parts - 1))) - 1)]
    assert parse_host(".".join(form.format(each) for each in figures)) == address


@pytest.mark.parametrize(
    ("kind", "addresses"),
    [
        ("public",
        "8.8.8.8 1.1.1.1 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 198.20.0.1 223.255.255.254"),
        ("public", "2606:4700::1111 2a00:: 64:ff9b::808:808 2002:808:808::1 ::ffff:8.8.8.8 2620:fe::fe"),
        ("private", "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.100.100.201"),
        ("private", "fd00::1 fc00::1 fdff:: fd00:ec1::254 fd20:ce::253 fec0::1 64:ff9b::10.0.0.1"),
        ("private", "2002:a00:1:: ::ffff:192.168.0.1"),
        ("loopback", "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 64:ff9b::127.0.0.1 2002:7f00:1::"),
        ("link-local", "169.254.169.254 169.254.0.0 fe80::1 febf::1 fe80::1%eth0 168.63.129.16 ::ffff:169.254.1.1"),
        ("link-local", "64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 64:ff9b::100.100.100.200"),
        ("link-local", "100.100.100.200 fd00:ec2::254 fd00:ec2::23 fd20:ce::254"),
        ("multicast", "224.0.0.1 239.255.255.250 ff02::1 ff0e::1 64:ff9b::224.0.0.1"),
        ("unspecified", "0.0.0.0 :: ::ffff:0.0.0.0 64:ff9b::"),
        ("special", "0.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 203.0.113.1 240.0.0.1"),
        ("special", "255.255.255.255 2001::1 2001:db8::1 3fff::1 100::1 ::2 ::127.0.0.1 ::ffff:0:10.0.0.1 5f00::1"),
        ("special", "64:ff9b:1::10.0.0.1 4000::1 e000::1"),
    ],
)  # fmt: skip
def test_what_kind_of_place_an_address_is(kind: str, addresses: str) -> None:
    for each in addresses.split():
        assert place_of(ip_address(each)).kind == kind, each


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("2001:0:a9fe:a9fe:0:0:f5ff:fffe", {"169.254.169.254", "10.0.0.1"}),  # Teredo: server, client
        ("::10.0.0.1", {"10.0.0.1"}),
        ("::ffff:0:10.0.0.1", {"10.0.0.1"}),
        ("64:ff9b:1::10.0.0.1", {"10.0.0.1"}),
        ("2606:4700::5efe:10.0.0.1", {"10.0.0.1"}),  # ISATAP
        ("2606:4700::200:5efe:10.0.0.1", {"10.0.0.1"}),
        ("2606:4700::1111", set()),
        ("::1", set()),
    ],
)
def test_what_is_hidden_in_an_address(address: str, hidden: set[str]) -> None:
    assert {str(each) for each in place_of(ip_address(address)).hidden} == hidden


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_the_one_that_it_stands_for(address: IPv4Address) -> None:
    assert place_of(IPv6Address(0xFFFF << 32 | int(address))) == place_of(address)


@given(st.ip_addresses(v=4))
def test_public_is_nothing_that_is_not_global(address: IPv4Address) -> None:
    assert place_of(address).kind != "public" or (address.is_global and not address.is_multicast)


@given(st.ip_addresses(v=6))
def test_public_is_nothing_that_is_not_global_in_ipv6(address: IPv6Address) -> None:
    assert place_of(address).kind != "public" or (address.is_global and not address.is_multicast) or (
        place_of(address).addresses[1:]
    )  # fmt: skip


def test_names_of_this_machine() -> None:
    assert is_local_name("localhost")
    assert is_local_name("a.b.localhost")
    assert not is_local_name("localhost.example.org")
    assert not is_local_name("notlocalhost")
