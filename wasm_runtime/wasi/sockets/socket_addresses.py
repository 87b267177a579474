"""Addresses in WIT, in Python and as the system's calls have them; and which of them make sense where."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple

from polycall.interop.addresses import Address

__all__ = ["FAMILIES", "Endpoint", "address_in_wit", "endpoint_from_system", "endpoint_from_wit"]

FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
"""The families of WASI."""

_BROADCAST = IPv4Address("255.255.255.255")
_COMPATIBLE = IPv6Address("::ffff:ffff")


class Endpoint(NamedTuple):
    """An address and a port.

    Attributes:
        address: The address.
        port: The port.
        flow: The flow of IPv6.
        scope: The zone of IPv6.
    """

    address: Address
    port: int
    flow: int = 0
    scope: int = 0

    def __str__(self) -> str:
        """Returns ``10.0.0.5:80`` or ``[::1]:80``."""
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"

    def for_system(self) -> tuple[Any, ...]:
        """Returns it as calls of the system take it."""
        if self.address.version == 4:
            return (str(self.address), self.port)
        return (str(self.address), self.port, self.flow & 0xFFFFF, self.scope)  # a flow has 20 bits

    def in_wit(self) -> dict[str, Any]:
        """Returns the ``ip-socket-address``."""
        ((family, address),) = address_in_wit(self.address).items()
        if family == "ipv4":
            return {family: {"port": self.port, "address": address}}
        return {family: {"port": self.port, "flow-info": self.flow, "address": address, "scope-id": self.scope}}

    def fits(self, family: str) -> bool:
        """Says whether a socket of a family can have to do with it. A socket for IPv6 has nothing to do with IPv4."""
        address = self.address
        if isinstance(address, IPv4Address):
            return family == "ipv4"
        return family == "ipv6" and address.ipv4_mapped is None and not 1 < int(address) <= int(_COMPATIBLE)

    def is_unicast(self) -> bool:
        """Says whether it is one machine's."""
        return not self.address.is_multicast and self.address != _BROADCAST

    def is_remote(self) -> bool:
        """Says whether it can be somebody else's."""
        return not self.address.is_unspecified and self.port != 0


def endpoint_from_wit(value: dict[str, Any]) -> Endpoint:
    """Returns an ``ip-socket-address`` that a guest gave."""
    ((family, about),) = value.items()
    if family == "ipv4":
        return Endpoint(IPv4Address(bytes(about["address"])), about["port"])
    return Endpoint(_ipv6(about["address"]), about["port"], about["flow-info"], about["scope-id"])


def endpoint_from_system(address: Any) -> Endpoint:
    """Returns an address that the system gave."""
    host, port, *more = address
    return Endpoint(ip_address(host.partition("%")[0]), port, *more)


def address_in_wit(address: Address) -> dict[str, Any]:
    """Returns an ``ip-address``."""
    if isinstance(address, IPv4Address):
        return {"ipv4": list(address.packed)}
    number = int(address)
    return {"ipv6": [number >> shift & 0xFFFF for shift in range(112, -16, -16)]}


def _ipv6(groups: Sequence[int]) -> IPv6Address:
    return IPv6Address(b"".join(group.to_bytes(2, "big") for group in groups))
