"""``wasi:sockets/ip-name-lookup``: names to addresses, of which the guest is told those that it may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polycall.interop.addresses import Address, parse_host
from polycall.interop.ids import cut
from polycall.interop.name_lookup import LookUp, name_lookups
from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.io.poll import Poll, Pollable
from polycall.wasm_runtime.wasi.readiness import Readiness
from polycall.wasm_runtime.wasi.session import Kept, Session, session_of
from polycall.wasm_runtime.wasi.sockets.error_codes import err, look_up_code
from polycall.wasm_runtime.wasi.sockets.network import Network, NetworkInterface
from polycall.wasm_runtime.wasi.sockets.socket_addresses import address_in_wit

__all__ = ["IpNameLookup", "ResolveAddressStream"]


class _Found(Readiness):
    """Ready when a look-up is over."""

    def __init__(self, look_up: LookUp) -> None:
        self.look_up = look_up

    def ready(self) -> bool:
        return self.look_up.done

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        return self.look_up.watch(call)


class ResolveAddressStream(Kept):
    """The addresses of a name, one after the other."""

    bound = "max_pollables"

    def __init__(self, session: Session, name: str, address: Address | None = None) -> None:
        """Begins to look a name up.

        Args:
            session: Of the instance.
            name: What is looked up.
            address: What it is, if it is no name: then there is nothing to wait for.
        """
        super().__init__(session)
        self._code = ""
        self._addresses: list[Address] | None = None
        if address is None:
            self._look_up = name_lookups().begin(name, session.entry_id)
        else:
            self._look_up = LookUp(name, session.entry_id)
            self._look_up.found((address,))
            self._addresses = [address]

    def resolve_next_address(self, _store: GuestStore) -> dict[str, Any]:
        """Returns the next one, or none if that was all."""
        if self._addresses is None:
            if not self._look_up.done:
                return err("would-block")
            self._take()
        if self._code:
            return err(self._code)
        return {"ok": address_in_wit(self._addresses.pop()) if self._addresses else None}

    def _take(self) -> None:
        look_up = self._look_up
        allowed = self.session.network.allowed(look_up.name, look_up.addresses)
        self._addresses = allowed[::-1]
        if look_up.error is not None:
            self._code = look_up_code(look_up.error)
        elif not allowed:
            self._code = "access-denied" if look_up.addresses else "name-unresolvable"

    def subscribe(self, _store: GuestStore) -> Pollable:
        """Returns what to wait for."""
        return Pollable(self.session, _Found(self._look_up), f"the addresses of {cut(self._look_up.name)}")

    def close(self) -> None:
        """Gives the look-up up; the thread in which it runs is left behind."""
        name_lookups().give_up(self._look_up)


class IpNameLookup(HostInterface):
    """The interface."""

    name = "wasi:sockets/ip-name-lookup@0.2.12"
    wit = """
        use poll.{pollable};
        use network.{network, error-code, ip-address};
        resource resolve-address-stream {
            resolve-next-address: func() -> result<option<ip-address>, error-code>;
            subscribe: func() -> pollable;
        }
        resolve-addresses: func(network: borrow<network>, name: string) -> result<resolve-address-stream, error-code>;
    """
    uses = (Poll, NetworkInterface)
    resources = {"resolve-address-stream": ResolveAddressStream}

    def resolve_addresses(self, store: GuestStore, _network: Network, name: str) -> dict[str, Any]:
        """Begins to look a name up, if some rule could allow what it resolves to."""
        session = session_of(store)
        try:
            host = parse_host(name)
        except ValueError:
            return err("invalid-argument")
        if isinstance(host, str):
            if not session.network.may_look_up(host):
                return err("access-denied")
            return {"ok": ResolveAddressStream(session, host)}
        return {"ok": ResolveAddressStream(session, name, host)}
