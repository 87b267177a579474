"""``wasi:sockets/network``: the types of the other interfaces."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.io.error import Error, IoError
from polycall.wasm_runtime.wasi.sockets.error_codes import ERROR_CODES

__all__ = ["Network", "NetworkInterface"]


class Network:
    """What stands for the network in a guest's hand. What it may do there, the entry says, not who has this."""


class NetworkInterface(HostInterface):
    """The interface."""

    name = "wasi:sockets/network@0.2.12"
    wit = f"""
        use error.{{error}};
        resource network;
        enum error-code {{ {", ".join(ERROR_CODES)} }}
        enum ip-address-family {{ ipv4, ipv6 }}
        type ipv4-address = tuple<u8, u8, u8, u8>;
        type ipv6-address = tuple<u16, u16, u16, u16, u16, u16, u16, u16>;
        variant ip-address {{ ipv4(ipv4-address), ipv6(ipv6-address) }}
        record ipv4-socket-address {{ port: u16, address: ipv4-address }}
        record ipv6-socket-address {{ port: u16, flow-info: u32, address: ipv6-address, scope-id: u32 }}
        variant ip-socket-address {{ ipv4(ipv4-socket-address), ipv6(ipv6-socket-address) }}
        network-error-code: func(err: borrow<error>) -> option<error-code>;
    """
    uses = (Error,)
    resources = {"network": Network}

    def network_error_code(self, _store: GuestStore, error: IoError) -> str | None:
        """Returns the code of an error that a stream of a connection gave."""
        cause = error.cause
        return cause if isinstance(cause, str) and cause in ERROR_CODES else None
