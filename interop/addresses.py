"""What the text of a host stands for, and what kind of place an address is, by the registries of IANA."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

__all__ = ["Address", "Place", "is_local_name", "parse_host", "place_of", "unmapped"]

Address = IPv4Address | IPv6Address

_MOST_NAME = 253
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_IN_FIGURES = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ZONE = re.compile(r"[A-Za-z0-9._~-]{1,32}")


def parse_host(text: str) -> Address | str:
    """Returns what a host stands for: an address, or a name in lower-case ASCII without a dot at its end.

    An address is read in every notation that resolvers know (``127.1``, ``0x7f000001``, ``0177.0.0.1``, ``[::1]``), so
    that none of them passes as a name: what is connected to is the address that was read here. IPv6 that stands for an
    IPv4 address is that one.

    Args:
        text: As a guest or a person wrote it. International names are put in their ASCII form (IDNA 2003).

    Raises:
        ValueError: It is neither.
    """
    if len(text) > _MOST_NAME + 1:
        raise ValueError("longer than any name can be")
    if ":" in text or text[:1] == "[":
        return _ipv6(text)
    name = _in_ascii(text)
    name = name[:-1] if name.endswith(".") else name
    labels = name.split(".")
    if _IN_FIGURES.fullmatch(labels[-1]):
        return _ipv4(labels)
    if len(name) > _MOST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("neither a name nor an address")
    return name


def _in_ascii(text: str) -> str:
    return (text if text.isascii() else text.encode("idna").decode("ascii")).lower()


def _ipv6(text: str) -> Address:
    inner = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
    _, percent, zone = inner.partition("%")
    if percent and not _ZONE.fullmatch(zone):
        raise ValueError("a zone that is none")
    return unmapped(IPv6Address(inner))


def _ipv4(labels: list[str]) -> IPv4Address:
    """Reads one to four numbers, the last of which fills what is left: decimal, octal with a 0, hexadecimal with 0x."""
    if len(labels) > 4:
        raise ValueError("an address of more than four numbers")
    *first, last = map(_figure, labels)
    room = 256 ** (4 - len(first))
    if last >= room or any(number > 255 for number in first):
        raise ValueError("a number too great for its place in an address")
    return IPv4Address(sum(number << (24 - 8 * place) for place, number in enumerate(first)) + last)


def _figure(text: str) -> int:
    if not _IN_FIGURES.fullmatch(text):
        raise ValueError("an address with something that is no number")
    if text[:2] == "0x":
        return int(text[2:] or "0", 16)
    return int(text, 8 if text[0] == "0" else 10)


def is_local_name(name: str) -> bool:
    """Says whether a name is this machine's by definition (RFC 6761): it is never asked for in the DNS."""
    return name == "localhost" or name.endswith(".localhost")


def unmapped(address: Address) -> Address:
    """Returns the IPv4 address that an IPv4-mapped one stands for; else the address itself."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


class Place(NamedTuple):
    """What an address is, for whoever judges it.

    Attributes:
        addresses: Itself, and the IPv4 address that gateways deliver it to (NAT64, 6to4).
        kind: ``public``, ``private``, ``loopback``, ``link-local``, ``multicast``, ``unspecified`` or ``special``. Of
            the address that it is delivered to.
        hidden: IPv4 addresses that other ways of crossing from IPv6 put inside of it: for what is refused, not for
            what is allowed.
    """

    addresses: tuple[Address, ...]
    kind: str
    hidden: tuple[Address, ...]

    def all_kinds(self) -> set[str]:
        """Returns its kind and those of what is hidden in it."""
        return {self.kind, *map(_kind, self.addresses), *map(_kind, self.hidden)}


@lru_cache(1024)
def place_of(address: Address) -> Place:
    """Returns what an address is; the zone of one does not matter."""
    address = unmapped(address)
    if isinstance(address, IPv4Address):
        return Place((address,), _kind(address), ())
    address = IPv6Address(int(address))
    number = int(address)
    if address in _NAT64:
        inner = IPv4Address(number & 0xFFFFFFFF)
        return Place((address, inner), _kind(inner), ())
    if address in _SIX_TO_FOUR:
        inner = IPv4Address(number >> 80 & 0xFFFFFFFF)
        return Place((address, inner), _kind(inner), ())
    return Place((address,), _kind(address), tuple(_hidden(address, number)))


def _hidden(address: IPv6Address, number: int) -> list[Address]:
    if address in _TEREDO:  # its server, and behind it the client's address with every bit turned
        return [IPv4Address(number >> 64 & 0xFFFFFFFF), IPv4Address(~number & 0xFFFFFFFF)]
    if (number >> 32 & 0xFDFFFFFF) == 0x5EFE or any(address in each for each in _IPV4_AT_THE_END):  # ISATAP, others
        return [IPv4Address(number & 0xFFFFFFFF)] if number >> 1 else []
    return []


_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
# IPv4-compatible, translated by SIIT, NAT64 of a site's own.
_IPV4_AT_THE_END = (IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("64:ff9b:1::/48"))

_GLOBAL = IPv6Network("2000::/3")
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("unspecified", ("0.0.0.0", "::")),
    ("loopback", ("127.0.0.0/8", "::1")),
    # Those after the first two are public or private by their numbers, and yet each is the host that a machine in a
    # cloud runs on, with its credentials: of Azure, of Alibaba, of AWS, of Google.
    (
        "link-local",
        ("169.254.0.0/16", "fe80::/10", "168.63.129.16", "100.100.100.200", "fd00:ec2::/32", "fd20:ce::254"),
    ),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10")),
    (
        "special",  # reserved, for documentation, for benchmarks, for protocols: nothing that a guest has to call
        (
            "0.0.0.0/8",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "3fff::/20",
        ),
    ),
)
_NETWORKS4 = [(kind, IPv4Network(each)) for kind, networks in _KINDS for each in networks if ":" not in each]
_NETWORKS6 = [(kind, IPv6Network(each)) for kind, networks in _KINDS for each in networks if ":" in each]


def _kind(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return next((kind for kind, network in _NETWORKS4 if address in network), "public")
    found = next((kind for kind, network in _NETWORKS6 if address in network), None)
    return found or ("public" if address in _GLOBAL else "special")
