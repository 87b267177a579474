"""``wasi:sockets/udp``: sockets for datagrams."""

from __future__ import annotations

import socket
from typing import Any

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.io.poll import Poll, Pollable
from polycall.wasm_runtime.wasi.readiness import Readiness
from polycall.wasm_runtime.wasi.session import Session
from polycall.wasm_runtime.wasi.sockets.datagrams import Association, IncomingDatagramStream, OutgoingDatagramStream
from polycall.wasm_runtime.wasi.sockets.disconnect import disconnect
from polycall.wasm_runtime.wasi.sockets.error_codes import code_of, err
from polycall.wasm_runtime.wasi.sockets.network import Network, NetworkInterface
from polycall.wasm_runtime.wasi.sockets.open_socket import OpenSocket, SocketResource, opened
from polycall.wasm_runtime.wasi.sockets.socket_addresses import Endpoint, endpoint_from_wit

__all__ = ["Udp", "UdpSocket", "new_udp_socket"]

Result = dict[str, Any]
_DONE: Result = {"ok": None}


class UdpSocket(SocketResource):
    """A socket: ``unbound``, ``bind-in-progress`` or ``bound``."""

    def __init__(self, session: Session, open_socket: OpenSocket) -> None:
        super().__init__(session, open_socket)
        self._state = "unbound"
        self._local: Any = None  # as the system has it: with a peer, it says the address from where that one is reached
        self._association = Association(None)

    def start_bind(self, _store: GuestStore, _network: Network, local_address: Result) -> Result:
        """Takes a port of this machine; any that is free, at every interface, is what a client has."""
        if self._state != "unbound":
            return err("invalid-state")
        local = endpoint_from_wit(local_address)
        if not local.fits(self._open.family):
            return err("invalid-argument")
        is_client = local.address.is_unspecified and not local.port
        if not is_client and not self.session.network.may_listen("udp", local.address, local.port):
            return err("access-denied")
        try:
            self._socket.bind(local.for_system())
            self._local = self._socket.getsockname()
        except OSError as error:
            return err(code_of(error, ENOBUFS="address-in-use", EAFNOSUPPORT="invalid-argument"))
        self._state = "bind-in-progress"
        return _DONE

    def finish_bind(self, _store: GuestStore) -> Result:
        """Ends it."""
        if self._state != "bind-in-progress":
            return err("not-in-progress")
        self._state = "bound"
        return _DONE

    def stream(self, _store: GuestStore, remote_address: Result | None) -> Result:
        """Returns the streams for one peer or for all; those of before do not work any more."""
        if self._state != "bound":
            return err("invalid-state")
        remote = None if remote_address is None else endpoint_from_wit(remote_address)
        if remote is not None:
            if not (remote.fits(self._open.family) and remote.is_remote()):
                return err("invalid-argument")
            if not self.session.network.may_connect("udp", remote.address, remote.port):
                return err("access-denied")
        self._association.retire()
        try:
            self._associate(remote)
        except OSError as error:
            self._association = Association(None)
            return err(code_of(error, EADDRNOTAVAIL="address-in-use", EAGAIN="address-in-use"))
        association = self._association = Association(remote)
        incoming = IncomingDatagramStream(self.session, self._open, association)
        return {"ok": [incoming, OutgoingDatagramStream(self.session, self._open, association)]}

    def _associate(self, remote: Endpoint | None) -> None:
        if self._association.remote is not None:
            disconnect(self._socket, self._local)
        if remote is not None:
            self._socket.connect(remote.for_system())

    def local_address(self, _store: GuestStore) -> Result:
        """Returns where it is bound to."""
        if self._state != "bound":
            return err("invalid-state")
        try:
            return {"ok": self._open.local().in_wit()}
        except OSError as error:
            return err(code_of(error))

    def remote_address(self, _store: GuestStore) -> Result:
        """Returns the only peer."""
        remote = self._association.remote
        return err("invalid-state") if remote is None else {"ok": remote.in_wit()}

    def unicast_hop_limit(self, _store: GuestStore) -> Result:
        """Returns how far its packets go."""
        return self._options.hop_limit()

    def set_unicast_hop_limit(self, _store: GuestStore, value: int) -> Result:
        """Sets how far."""
        return self._options.set_hop_limit(value)

    def subscribe(self, _store: GuestStore) -> Pollable:
        """Returns something that is ready: nothing that the socket itself does takes time."""
        return Pollable(self.session, Readiness(), "a socket")


def new_udp_socket(session: Session, family: str) -> Result:
    """Returns a socket that is not bound, or the error for the guest."""
    found = opened(session, family, socket.SOCK_DGRAM)
    return {"ok": UdpSocket(session, found)} if isinstance(found, OpenSocket) else found


class Udp(HostInterface):
    """The interface."""

    name = "wasi:sockets/udp@0.2.12"
    wit = """
        use poll.{pollable};
        use network.{network, error-code, ip-socket-address, ip-address-family};
        record incoming-datagram { data: list<u8>, remote-address: ip-socket-address }
        record outgoing-datagram { data: list<u8>, remote-address: option<ip-socket-address> }
        resource udp-socket {
            start-bind: func(network: borrow<network>, local-address: ip-socket-address) -> result<_, error-code>;
            finish-bind: func() -> result<_, error-code>;
            %stream: func(remote-address: option<ip-socket-address>)
                -> result<tuple<incoming-datagram-stream, outgoing-datagram-stream>, error-code>;
            local-address: func() -> result<ip-socket-address, error-code>;
            remote-address: func() -> result<ip-socket-address, error-code>;
            address-family: func() -> ip-address-family;
            unicast-hop-limit: func() -> result<u8, error-code>;
            set-unicast-hop-limit: func(value: u8) -> result<_, error-code>;
            receive-buffer-size: func() -> result<u64, error-code>;
            set-receive-buffer-size: func(value: u64) -> result<_, error-code>;
            send-buffer-size: func() -> result<u64, error-code>;
            set-send-buffer-size: func(value: u64) -> result<_, error-code>;
            subscribe: func() -> pollable;
        }
        resource incoming-datagram-stream {
            receive: func(max-results: u64) -> result<list<incoming-datagram>, error-code>;
            subscribe: func() -> pollable;
        }
        resource outgoing-datagram-stream {
            check-send: func() -> result<u64, error-code>;
            send: func(datagrams: list<outgoing-datagram>) -> result<u64, error-code>;
            subscribe: func() -> pollable;
        }
    """
    uses = (Poll, NetworkInterface)
    resources = {
        "udp-socket": UdpSocket,
        "incoming-datagram-stream": IncomingDatagramStream,
        "outgoing-datagram-stream": OutgoingDatagramStream,
    }
