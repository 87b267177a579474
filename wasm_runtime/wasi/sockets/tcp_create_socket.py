"""``wasi:sockets/tcp-create-socket``."""

from __future__ import annotations

from typing import Any

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.session import session_of
from polycall.wasm_runtime.wasi.sockets.network import NetworkInterface
from polycall.wasm_runtime.wasi.sockets.tcp import Tcp, new_tcp_socket

__all__ = ["TcpCreateSocket"]


class TcpCreateSocket(HostInterface):
    """The interface."""

    name = "wasi:sockets/tcp-create-socket@0.2.12"
    wit = """
        use network.{network, error-code, ip-address-family};
        use tcp.{tcp-socket};
        create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
    """
    uses = (NetworkInterface, Tcp)

    def create_tcp_socket(self, store: GuestStore, address_family: str) -> dict[str, Any]:
        """Returns a socket."""
        return new_tcp_socket(session_of(store), address_family)
