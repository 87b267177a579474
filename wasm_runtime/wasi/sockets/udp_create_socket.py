"""``wasi:sockets/udp-create-socket``."""

from __future__ import annotations

from typing import Any

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.session import session_of
from polycall.wasm_runtime.wasi.sockets.network import NetworkInterface
from polycall.wasm_runtime.wasi.sockets.udp import Udp, new_udp_socket

__all__ = ["UdpCreateSocket"]


class UdpCreateSocket(HostInterface):
    """The interface."""

    name = "wasi:sockets/udp-create-socket@0.2.12"
    wit = """
        use network.{network, error-code, ip-address-family};
        use udp.{udp-socket};
        create-udp-socket: func(address-family: ip-address-family) -> result<udp-socket, error-code>;
    """
    uses = (NetworkInterface, Udp)

    def create_udp_socket(self, store: GuestStore, address_family: str) -> dict[str, Any]:
        """Returns a socket."""
        return new_udp_socket(session_of(store), address_family)
