"""The one way of a guest to the network: every address and name is judged here, and what is refused is told."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from ipaddress import IPv6Address

from polycall.interop.addresses import Address, unmapped
from polycall.interop.ids import cut
from polycall.interop.network_rules import NetworkRules

__all__ = ["NetworkGate"]

_MOST_FOUND = 1_000
"""Addresses of which the names are known; the guest chooses what it looks up."""

_MOST_NAMES = 16
"""Names of one address."""


class NetworkGate:
    """The rules of one instance, and what it has looked up in the running call."""

    def __init__(self, rules: NetworkRules, refuse: Callable[[str], None]) -> None:
        """Makes one.

        Args:
            rules: Of the entry.
            refuse: Is told of every refusal.
        """
        self._rules = rules
        self._refuse = refuse
        self._found: OrderedDict[Address, dict[str, None]] = OrderedDict()

    def may_connect(self, scheme: str, address: Address, port: int, host_name: str | None = None) -> bool:
        """Says whether an address may be called; to be asked before the first packet.

        Args:
            scheme: ``tcp``, ``udp``, ``http`` or ``https``.
            address: What will be connected to: never what it was found by.
            port: The port there.
            host_name: The name that it was found by, as of `parse_host`. None for an address of the guest's: then the
                names count that it has looked up and that resolved to it.
        """
        names: Collection[str] = self._names_of(address) if host_name is None else (host_name,)
        refusal = self._refusal(scheme, names, address, port)
        if refusal:
            self._refuse(refusal)
        return not refusal

    def connectable(
        self, scheme: str, addresses: Collection[Address], port: int, host_name: str
    ) -> tuple[list[Address], str]:
        """Returns those addresses of a name that may be called; for whoever asks in another thread than the call's.

        Returns:
            These, and if there are none, what the person is to be told.
        """
        refusals = {each: self._refusal(scheme, (host_name,), each, port) for each in map(unmapped, addresses)}
        allowed = [address for address, refusal in refusals.items() if not refusal]
        return allowed, "" if allowed else next(iter(refusals.values()), "")

    def _refusal(self, scheme: str, names: Collection[str], address: Address, port: int) -> str:
        reason = self._rules.why_not_connect(scheme, names, address, port)
        known = f" ({cut(next(iter(names)))})" if names else ""
        return f"refused to call {scheme}://{_shown(address)}:{port}{known}: {reason}" if reason else ""

    def may_hear(self, scheme: str, address: Address, port: int) -> bool:
        """Says whether what comes from an address may reach the guest: what may be called may also answer."""
        reason = self._rules.why_not_connect(scheme, self._names_of(address), address, port)
        if reason:
            self._refuse(f"dropped what came from {scheme}://{_shown(address)}: {reason}")
        return not reason

    def may_listen(self, scheme: str, address: Address, port: int) -> bool:
        """Says whether a port of this machine may be taken."""
        reason = self._rules.why_not_listen(scheme, address, port)
        if reason:
            self._refuse(f"refused to listen at {scheme}://{_shown(address)}:{port}: {reason}")
        return not reason

    def may_look_up(self, name: str) -> bool:
        """Says whether a name may be asked for; to be asked before the look-up."""
        reason = self._rules.why_not_look_up(name)
        if reason:
            self._refuse(f"refused to look up {cut(name)}: {reason}")
        return not reason

    def allowed(self, name: str, addresses: Collection[Address]) -> list[Address]:
        """Returns those of a name's addresses that the guest may be told, and remembers what they were found by.

        Args:
            name: The name.
            addresses: What it resolved to.
        """
        found = list(dict.fromkeys(map(unmapped, addresses)))
        allowed = [address for address in found if self._rules.may_find(name, address)]
        if found and not allowed:
            self._refuse(f"refused to tell where {cut(name)} is: {_shown(found[0])} may not be called at any port")
        for address in allowed:
            self._remember(address, name)
        return allowed

    def forget(self) -> None:
        """Ends a call: what the next one knows by name, it looks up itself."""
        self._found.clear()

    def _names_of(self, address: Address) -> Collection[str]:
        return self._found.get(unmapped(address), ())

    def _remember(self, address: Address, name: str) -> None:
        names = self._found.setdefault(address, {})
        self._found.move_to_end(address)
        if len(names) < _MOST_NAMES:
            names[name] = None
        if len(self._found) > _MOST_FOUND:
            self._found.popitem(last=False)


def _shown(address: Address) -> str:
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)
