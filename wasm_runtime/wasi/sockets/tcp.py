"""``wasi:sockets/tcp``: sockets for connections."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from polycall.interop.errors import LimitError
from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.clocks.monotonic_clock import MonotonicClock
from polycall.wasm_runtime.wasi.io.poll import Poll, Pollable
from polycall.wasm_runtime.wasi.io.streams import InputStream, OutputStream, Streams
from polycall.wasm_runtime.wasi.readiness import Readiness, nothing, watch_descriptor
from polycall.wasm_runtime.wasi.session import Session
from polycall.wasm_runtime.wasi.sockets.connection import ConnectionSink, ConnectionSource
from polycall.wasm_runtime.wasi.sockets.error_codes import code_of, err
from polycall.wasm_runtime.wasi.sockets.network import Network, NetworkInterface
from polycall.wasm_runtime.wasi.sockets.open_socket import OpenSocket, SocketResource, opened
from polycall.wasm_runtime.wasi.sockets.outgoing import Outgoing
from polycall.wasm_runtime.wasi.sockets.socket_addresses import Endpoint, endpoint_from_system, endpoint_from_wit

__all__ = ["Tcp", "TcpSocket", "new_tcp_socket"]

_BACKLOG = 128
_MOST_BACKLOG = 0x7FFFFFFF

Result = dict[str, Any]
_DONE: Result = {"ok": None}


class TcpSocket(SocketResource):
    """A socket, in one of the states of the specification ("Operational semantics of WASI TCP sockets").

    A method that a state does not have is ``invalid-state``; to finish what was not started, ``not-in-progress``.

    Attributes:
        state: ``unbound``, ``bind-in-progress``, ``bound``, ``listen-in-progress``, ``listening``,
            ``connect-in-progress``, ``connected`` or ``closed``.
    """

    def __init__(self, session: Session, open_socket: OpenSocket, state: str = "unbound") -> None:
        super().__init__(session, open_socket)
        self.state = state
        self._backlog = _BACKLOG
        self._failure: OSError | None = None
        self._remote: Endpoint | None = None
        self._source: ConnectionSource | None = None

    # --- binding and connecting ---

    def start_bind(self, _store: GuestStore, _network: Network, local_address: Result) -> Result:
        """Takes a port of this machine."""
        if self.state != "unbound":
            return err("invalid-state")
        local = endpoint_from_wit(local_address)
        if not local.fits(self._open.family) or not local.is_unicast():
            return err("invalid-argument")
        if not self.session.network.may_listen("tcp", local.address, local.port):
            return err("access-denied")
        try:
            if local.port:  # one that was in use a moment ago
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(local.for_system())
        except OSError as error:
            return err(code_of(error, ENOBUFS="address-in-use", EAFNOSUPPORT="invalid-argument"))
        self.state = "bind-in-progress"
        return _DONE

    def finish_bind(self, _store: GuestStore) -> Result:
        """Ends it."""
        return self._finish("bind-in-progress", "bound")

    def start_connect(self, _store: GuestStore, _network: Network, remote_address: Result) -> Result:
        """Begins to connect, if the address may be called."""
        if self.state == "connect-in-progress":
            return err("concurrency-conflict")  # what POSIX calls EALREADY, and wasmtime says
        if self.state not in ("unbound", "bound"):
            return err("invalid-state")
        remote = endpoint_from_wit(remote_address)
        if not (remote.fits(self._open.family) and remote.is_unicast() and remote.is_remote()):
            return err("invalid-argument")
        if not self.session.network.may_connect("tcp", remote.address, remote.port):
            return err("access-denied")
        self.state, self._remote = "connect-in-progress", remote
        try:
            self._socket.connect(remote.for_system())
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._failure = error
        return _DONE

    def finish_connect(self, _store: GuestStore) -> Result:
        """Returns the streams of the connection, once it is there."""
        if self.state != "connect-in-progress":
            return err("not-in-progress")
        if self._failure is None:
            if not self._open.is_ready(select.POLLOUT):
                return err("would-block")
            number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._failure = OSError(number, "") if number else None
        if self._failure is not None:
            self.state = "closed"
            return err(code_of(self._failure, EADDRNOTAVAIL="address-in-use", EAGAIN="address-in-use"))
        self.state = "connected"
        return {"ok": list(self._streams())}

    def _streams(self) -> tuple[InputStream, OutputStream]:
        self._open.outgoing = outgoing = Outgoing(self._socket)
        with suppress(OSError):  # a guest that writes little waits for the answer to it
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._source = ConnectionSource(self._open)
        sink = ConnectionSink(self._open, outgoing)
        return (
            InputStream(self.session, self._source, f"data from {self._remote}"),
            OutputStream(self.session, sink, f"room for data to {self._remote}"),
        )

    # --- listening ---

    def start_listen(self, _store: GuestStore) -> Result:
        """Begins to listen; where it is bound, it may."""
        if self.state != "bound":
            return err("invalid-state")
        try:
            self._socket.listen(self._backlog)
        except OSError as error:
            return err(code_of(error))
        self.state = "listen-in-progress"
        return _DONE

    def finish_listen(self, _store: GuestStore) -> Result:
        """Ends it."""
        return self._finish("listen-in-progress", "listening")

    def accept(self, _store: GuestStore) -> Result:
        """Returns the next connection, with its streams."""
        if self.state != "listening":
            return err("invalid-state")
        if not self._open.is_ready(select.POLLIN):
            return err("would-block")
        try:
            accepted, address = self._socket.accept()
        except OSError as error:  # of the connection, not of this socket
            code = code_of(error)
            return err(code if code in ("would-block", "new-socket-limit", "out-of-memory") else "connection-aborted")
        try:
            connection = OpenSocket(self.session, accepted, self._open.family)
        except LimitError as error:
            self.session.refuse(f"refused a connection: {error.message} (wasi.limits.max_open_sockets)")
            accepted.close()
            return err("new-socket-limit")
        client = TcpSocket(self.session, connection, "connected")
        client.came_from(endpoint_from_system(address))
        return {"ok": [client, *client._streams()]}

    def came_from(self, remote: Endpoint) -> None:
        """Says whose connection it is."""
        self._remote = remote

    def _finish(self, state: str, following: str) -> Result:
        if self.state != state:
            return err("not-in-progress")
        self.state = following
        return _DONE

    # --- about it ---

    def local_address(self, _store: GuestStore) -> Result:
        """Returns where it is bound to."""
        if self.state not in ("bound", "listen-in-progress", "listening", "connected"):
            return err("invalid-state")
        try:
            return {"ok": self._open.local().in_wit()}
        except OSError as error:
            return err(code_of(error))

    def remote_address(self, _store: GuestStore) -> Result:
        """Returns whom it is connected to."""
        if self.state != "connected" or self._remote is None:
            return err("invalid-state")
        return {"ok": self._remote.in_wit()}

    def is_listening(self, _store: GuestStore) -> bool:
        """Says whether it listens."""
        return self.state == "listening"

    def set_listen_backlog_size(self, _store: GuestStore, value: int) -> Result:
        """Says how many connections may wait to be accepted."""
        if not value:
            return err("invalid-argument")
        if self.state in ("connect-in-progress", "connected", "closed"):
            return err("invalid-state")
        self._backlog = min(value, _MOST_BACKLOG)
        if self.state in ("listen-in-progress", "listening"):
            try:
                self._socket.listen(self._backlog)
            except OSError:
                return err("not-supported")
        return _DONE

    def keep_alive_enabled(self, _store: GuestStore) -> Result:
        """Returns whether it is kept alive."""
        return self._options.keep_alive_enabled()

    def set_keep_alive_enabled(self, _store: GuestStore, value: bool) -> Result:
        """Sets whether."""
        return self._options.set_keep_alive_enabled(value)

    def keep_alive_idle_time(self, _store: GuestStore) -> Result:
        """Returns after how many idle nanoseconds it is probed."""
        return self._options.keep_alive_time("idle")

    def set_keep_alive_idle_time(self, _store: GuestStore, value: int) -> Result:
        """Sets after how many."""
        return self._options.set_keep_alive_time("idle", value)

    def keep_alive_interval(self, _store: GuestStore) -> Result:
        """Returns the nanoseconds between probes."""
        return self._options.keep_alive_time("interval")

    def set_keep_alive_interval(self, _store: GuestStore, value: int) -> Result:
        """Sets them."""
        return self._options.set_keep_alive_time("interval", value)

    def keep_alive_count(self, _store: GuestStore) -> Result:
        """Returns how many probes may be lost."""
        return self._options.keep_alive_count()

    def set_keep_alive_count(self, _store: GuestStore, value: int) -> Result:
        """Sets how many."""
        return self._options.set_keep_alive_count(value)

    def hop_limit(self, _store: GuestStore) -> Result:
        """Returns how far its packets go."""
        return self._options.hop_limit()

    def set_hop_limit(self, _store: GuestStore, value: int) -> Result:
        """Sets how far."""
        return self._options.set_hop_limit(value)

    def subscribe(self, _store: GuestStore) -> Pollable:
        """Returns what to wait for: the connection that was begun, or one to accept."""
        what = "a connection at {0}" if self.state == "listening" else "a connection to {1}"
        return Pollable(self.session, _Progress(self), what.format(self._where(), self._remote or "somebody"))

    def _where(self) -> str:
        try:
            return str(self._open.local())
        except OSError:
            return "a socket"

    def shutdown(self, _store: GuestStore, shutdown_type: str) -> Result:
        """Ends a connection in one direction or in both."""
        if self.state != "connected":
            return err("invalid-state")
        if shutdown_type != "send" and self._source is not None:
            self._source.shut()
        if shutdown_type != "receive" and self._open.outgoing is not None:
            self._open.outgoing.shut()
        return _DONE

    def close(self) -> None:
        """Lets go of the descriptor, which the streams of the connection may still have."""
        self.state = "closed"
        super().close()

    # --- for whoever waits ---

    def awaited(self) -> int:
        """Returns what happens at its descriptor when what it waits for has come; 0 if it waits for nothing."""
        if self.state == "listening":
            return select.POLLIN
        return select.POLLOUT if self.state == "connect-in-progress" and self._failure is None else 0

    def has_come(self) -> bool:
        """Says whether it has come."""
        events = self.awaited()
        return not events or self._open.is_ready(events)

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        """Watches for it."""
        events = self.awaited()
        if not events or self._open.closed:
            return nothing
        return watch_descriptor(self._socket.fileno(), "read" if events == select.POLLIN else "write", call)


class _Progress(Readiness):
    """Ready when what a socket waits for has come, whatever that is by then."""

    def __init__(self, tcp_socket: TcpSocket) -> None:
        self._socket = tcp_socket

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Progress) and self._socket is other._socket  # so that many are watched as one

    def __hash__(self) -> int:
        return hash(self._socket)

    def ready(self) -> bool:
        return self._socket.has_come()

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        return self._socket.watch(call)


def new_tcp_socket(session: Session, family: str) -> Result:
    """Returns a socket that is not bound, or the error for the guest."""
    found = opened(session, family, socket.SOCK_STREAM)
    return {"ok": TcpSocket(session, found)} if isinstance(found, OpenSocket) else found


class Tcp(HostInterface):
    """The interface."""

    name = "wasi:sockets/tcp@0.2.12"
    wit = """
        use streams.{input-stream, output-stream};
        use poll.{pollable};
        use monotonic-clock.{duration};
        use network.{network, error-code, ip-socket-address, ip-address-family};
        enum shutdown-type { receive, send, both }
        resource tcp-socket {
            start-bind: func(network: borrow<network>, local-address: ip-socket-address) -> result<_, error-code>;
            finish-bind: func() -> result<_, error-code>;
            start-connect: func(network: borrow<network>, remote-address: ip-socket-address) -> result<_, error-code>;
            finish-connect: func() -> result<tuple<input-stream, output-stream>, error-code>;
            start-listen: func() -> result<_, error-code>;
            finish-listen: func() -> result<_, error-code>;
            accept: func() -> result<tuple<tcp-socket, input-stream, output-stream>, error-code>;
            local-address: func() -> result<ip-socket-address, error-code>;
            remote-address: func() -> result<ip-socket-address, error-code>;
            is-listening: func() -> bool;
            address-family: func() -> ip-address-family;
            set-listen-backlog-size: func(value: u64) -> result<_, error-code>;
            keep-alive-enabled: func() -> result<bool, error-code>;
            set-keep-alive-enabled: func(value: bool) -> result<_, error-code>;
            keep-alive-idle-time: func() -> result<duration, error-code>;
            set-keep-alive-idle-time: func(value: duration) -> result<_, error-code>;
            keep-alive-interval: func() -> result<duration, error-code>;
            set-keep-alive-interval: func(value: duration) -> result<_, error-code>;
            keep-alive-count: func() -> result<u32, error-code>;
            set-keep-alive-count: func(value: u32) -> result<_, error-code>;
            hop-limit: func() -> result<u8, error-code>;
            set-hop-limit: func(value: u8) -> result<_, error-code>;
            receive-buffer-size: func() -> result<u64, error-code>;
            set-receive-buffer-size: func(value: u64) -> result<_, error-code>;
            send-buffer-size: func() -> result<u64, error-code>;
            set-send-buffer-size: func(value: u64) -> result<_, error-code>;
            subscribe: func() -> pollable;
            shutdown: func(shutdown-type: shutdown-type) -> result<_, error-code>;
        }
    """
    uses = (Streams, Poll, MonotonicClock, NetworkInterface)
    resources = {"tcp-socket": TcpSocket}
