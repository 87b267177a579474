"""A guest that does nothing but call `wasi:sockets`: its hosts with a session of their own, called as components do."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any, cast

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.source import SourceText
from polycall.wasm_runtime.component.host import HostResource
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.spec import WasiLimitsSpec, WasiNetworkSpec, WasiSpec, WasmProgram
from polycall.wasm_runtime.wasi.session import Session
from polycall.wasm_runtime.wasi.sockets.instance_network import InstanceNetwork
from polycall.wasm_runtime.wasi.sockets.ip_name_lookup import IpNameLookup
from polycall.wasm_runtime.wasi.sockets.socket_addresses import Endpoint
from polycall.wasm_runtime.wasi.sockets.tcp_create_socket import TcpCreateSocket
from polycall.wasm_runtime.wasi.sockets.udp_create_socket import UdpCreateSocket

__all__ = ["FAMILIES", "LOOPBACK", "SocketGuest", "at", "full_server", "here", "listening", "socket_guest"]


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


FAMILIES = ["ipv4", "ipv6"] if _has_ipv6() else ["ipv4"]
"""Those of this machine."""

LOOPBACK = WasiNetworkSpec(allow=("loopback",), listen=("loopback",))
"""May call this machine and listen at it."""


def at(address: str, port: int) -> dict[str, Any]:
    """Returns an ``ip-socket-address``."""
    return Endpoint(ip_address(address), port).in_wit()


def here(family: str, port: int = 0) -> dict[str, Any]:
    """Returns that of this machine."""
    return at("127.0.0.1" if family == "ipv4" else "::1", port)


class SocketGuest:
    """What a guest has in its hands.

    Attributes:
        session: Of its instance.
        context: Of its call.
        network: Its handle of the network.
    """

    def __init__(
        self,
        network: WasiNetworkSpec = LOOPBACK,
        *,
        seconds: float | None = None,
        limits: WasiLimitsSpec | None = None,
        cancellation: Cancellation | None = None,
    ) -> None:
        wasi = WasiSpec(network=network, limits=limits or WasiLimitsSpec())
        program = WasmProgram("app:guest", SourceText("(module)", "guest.wat"), "go", wasi=wasi)
        deadline = None if seconds is None else time.monotonic() + seconds
        self.session = Session(program, None)
        self.context = CallContext("app:guest", "wasm", None, deadline=deadline, cancellation=cancellation)
        self.session.begin(self.context)
        self.store = cast(GuestStore, SimpleNamespace(session=self.session))
        self.network = InstanceNetwork().instance_network(self.store)

    def __call__(self, resource: Any, method: str, *values: Any) -> Any:
        """Calls a method of a resource, as the engine does: one that is gone is refused."""
        if isinstance(resource, HostResource):
            resource.check()
        return getattr(resource, method.replace("-", "_"))(self.store, *values)

    def ok(self, resource: Any, method: str, *values: Any) -> Any:
        """Calls a method whose result must be no error."""
        outcome = self(resource, method, *values)
        assert "ok" in outcome, (method, outcome)
        return outcome["ok"]

    def err(self, resource: Any, method: str, *values: Any) -> Any:
        """Calls a method whose result must be an error."""
        outcome = self(resource, method, *values)
        assert "err" in outcome, (method, outcome)
        return outcome["err"]

    def tcp(self, family: str = "ipv4") -> Any:
        """Returns a new socket."""
        return TcpCreateSocket().create_tcp_socket(self.store, family)["ok"]

    def udp(self, family: str = "ipv4", *, bound: bool = True) -> Any:
        """Returns a new socket, bound as a client if nothing else is said."""
        found = UdpCreateSocket().create_udp_socket(self.store, family)["ok"]
        if bound:
            self.bind(found, at("0.0.0.0" if family == "ipv4" else "::", 0))
        return found

    def bind(self, resource: Any, address: dict[str, Any]) -> None:
        """Binds a socket."""
        self.ok(resource, "start-bind", self.network, address)
        self.ok(resource, "finish-bind")

    def listener(self, family: str = "ipv4") -> Any:
        """Returns a socket that listens at this machine."""
        found = self.tcp(family)
        self.bind(found, here(family))
        self.ok(found, "start-listen")
        self.ok(found, "finish-listen")
        return found

    def connect(self, resource: Any, address: dict[str, Any]) -> Any:
        """Connects and returns the streams, or the error."""
        outcome = self(resource, "start-connect", self.network, address)
        if "ok" in outcome:
            self.block(resource)
            outcome = self(resource, "finish-connect")
        return outcome.get("ok", outcome.get("err"))

    def accept(self, listener: Any) -> Any:
        """Returns a socket and its streams."""
        self.block(listener)
        return self.ok(listener, "accept")

    def block(self, resource: Any) -> None:
        """Waits for a resource."""
        pollable = self(resource, "subscribe")
        self(pollable, "block")
        pollable.drop()

    def ready(self, resource: Any) -> bool:
        """Asks for its readiness."""
        pollable = self(resource, "subscribe")
        found: bool = self(pollable, "ready")
        pollable.drop()
        return found

    def read(self, stream: Any, size: int) -> bytes:
        """Reads so many bytes, or all to the end."""
        data = b""
        while len(data) < size:
            outcome = self(stream, "blocking-read", size - len(data))
            if "err" in outcome:
                break
            data += outcome["ok"]
        return data

    def write(self, stream: Any, data: bytes) -> None:
        """Writes all of it."""
        for start in range(0, len(data), 4096):
            self.ok(stream, "blocking-write-and-flush", data[start : start + 4096])

    def resolve(self, name: str) -> list[str] | str:
        """Returns the addresses of a name, or the error."""
        outcome = IpNameLookup().resolve_addresses(self.store, self.network, name)
        if "err" in outcome:
            return str(outcome["err"])
        stream = outcome["ok"]
        self.block(stream)
        found: list[str] = []
        while True:
            outcome = self(stream, "resolve-next-address")
            if "err" in outcome:
                return str(outcome["err"])
            if outcome["ok"] is None:
                return found
            ((family, parts),) = outcome["ok"].items()
            packed = bytes(parts) if family == "ipv4" else b"".join(part.to_bytes(2, "big") for part in parts)
            found.append(str(ip_address(packed)))

    def end(self) -> None:
        """Ends its call."""
        self.session.end()


@contextmanager
def socket_guest(
    network: WasiNetworkSpec = LOOPBACK, *, seconds: float | None = None, limits: WasiLimitsSpec | None = None
) -> Iterator[SocketGuest]:
    """Gives a guest and ends its call."""
    guest = SocketGuest(network, seconds=seconds, limits=limits)
    try:
        yield guest
    finally:
        guest.session.close()


@contextmanager
def listening(family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> Iterator[socket.socket]:
    """Gives a server's socket at this machine."""
    with socket.socket(family, kind) as server:
        server.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        if kind == socket.SOCK_STREAM:
            server.listen()
        server.settimeout(10)
        yield server


@contextmanager
def full_server() -> Iterator[int]:
    """Gives the port of a server that does not answer: as many wait as it lets wait, and nobody is accepted."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port: int = server.getsockname()[1]
        waiting: list[socket.socket] = []
        try:
            while len(waiting) < 32:
                client = socket.socket()
                waiting.append(client)
                client.settimeout(0.2)
                try:
                    client.connect(("127.0.0.1", port))
                except TimeoutError:
                    break
            yield port
        finally:
            for client in waiting:
                client.close()
