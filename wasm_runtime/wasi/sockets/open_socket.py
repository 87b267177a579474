"""A socket of the system that a guest has open, and the options that every socket has."""

from __future__ import annotations

import select
import socket
import sys
from typing import Any

from polycall.interop.errors import LimitError
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.session import Kept, Session
from polycall.wasm_runtime.wasi.sockets.error_codes import code_of, err
from polycall.wasm_runtime.wasi.sockets.outgoing import Outgoing
from polycall.wasm_runtime.wasi.sockets.socket_addresses import FAMILIES, Endpoint, endpoint_from_system

__all__ = ["OpenSocket", "SocketOptions", "SocketResource", "opened"]

_MOST_BUFFER = 0x7FFFFFFF
_HALVED = 2 if sys.platform == "linux" else 1  # Linux keeps twice of what is asked for, for its own bookkeeping
_MOST_SECONDS = 32_767
_MOST_PROBES = 127
_SECOND = 1_000_000_000
_KEEP_IDLE: int = getattr(socket, "TCP_KEEPIDLE", 0) or getattr(socket, "TCP_KEEPALIVE", 0)


class OpenSocket(Kept):
    """A descriptor, closed when nobody has it any more: neither the guest's socket nor a stream of it.

    Attributes:
        socket: Non-blocking.
        family: ``ipv4`` or ``ipv6``.
        closed: Whether nobody has it any more.
        outgoing: What sends through it, if it is a connection.
    """

    bound = "max_open_sockets"

    def __init__(self, session: Session, system_socket: socket.socket, family: str) -> None:
        super().__init__(session)
        system_socket.setblocking(False)
        self.socket = system_socket
        self.family = family
        self.closed = False
        self.outgoing: Outgoing | None = None
        self._context = session.running()
        self._holders = 0
        self._poll = select.poll()

    def hold(self) -> OpenSocket:
        """Counts one more who has it."""
        self._holders += 1
        return self

    def release(self) -> None:
        """Counts one less, and closes it with the last."""
        self._holders -= 1
        if self._holders <= 0:
            self.drop()

    def is_ready(self, events: int) -> bool:
        """Says whether something can be done without blocking, or whether the socket has failed.

        Args:
            events: ``select.POLLIN`` or ``select.POLLOUT``.
        """
        if self.closed:
            return True
        self._poll.register(self.socket, events)
        return bool(self._poll.poll(0))

    def local(self) -> Endpoint:
        """Returns where it is bound to."""
        return endpoint_from_system(self.socket.getsockname())

    def close(self) -> None:
        """Closes the descriptor; what was sent before still goes its way, unless the call has no more time."""
        self.closed = True
        if self.outgoing is None:
            self.socket.close()
        else:
            self.outgoing.end(self.session.entry_id, at_once=self._context.interruption() is not None)


def opened(session: Session, family: str, kind: int) -> dict[str, Any] | OpenSocket:
    """Opens a socket.

    Args:
        session: Of the instance.
        family: ``ipv4`` or ``ipv6``.
        kind: ``socket.SOCK_STREAM`` or ``socket.SOCK_DGRAM``.

    Returns:
        It, or the error for the guest.
    """
    try:
        system_socket = socket.socket(FAMILIES[family], kind)
    except OSError as error:
        return err(code_of(error))
    try:
        if family == "ipv6":
            system_socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return OpenSocket(session, system_socket, family)
    except LimitError as error:
        session.refuse(f"refused to open a socket: {error.message} (wasi.limits.max_open_sockets)")
        system_socket.close()
        return err("new-socket-limit")
    except OSError as error:
        system_socket.close()
        return err(code_of(error))


class SocketResource(Kept):
    """What the resources of both kinds of sockets have in common."""

    def __init__(self, session: Session, open_socket: OpenSocket) -> None:
        super().__init__(session)
        self._open = open_socket.hold()
        self._socket = open_socket.socket
        self._options = SocketOptions(open_socket)

    def address_family(self, _store: GuestStore) -> str:
        """Returns ``ipv4`` or ``ipv6``."""
        return self._open.family

    def receive_buffer_size(self, _store: GuestStore) -> dict[str, Any]:
        """Returns how much the system keeps of what comes."""
        return self._options.buffer_size(socket.SO_RCVBUF)

    def set_receive_buffer_size(self, _store: GuestStore, value: int) -> dict[str, Any]:
        """Sets how much."""
        return self._options.set_buffer_size(socket.SO_RCVBUF, value)

    def send_buffer_size(self, _store: GuestStore) -> dict[str, Any]:
        """Returns how much the system keeps of what goes."""
        return self._options.buffer_size(socket.SO_SNDBUF)

    def set_send_buffer_size(self, _store: GuestStore, value: int) -> dict[str, Any]:
        """Sets how much."""
        return self._options.set_buffer_size(socket.SO_SNDBUF, value)

    def close(self) -> None:
        """Lets go of the descriptor, which its streams may still have."""
        self._open.release()


class SocketOptions:
    """The options that sockets of both kinds have, as results."""

    def __init__(self, open_socket: OpenSocket) -> None:
        self._socket = open_socket.socket
        hops = {"ipv4": (socket.IPPROTO_IP, socket.IP_TTL), "ipv6": (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)}
        self._hops = hops[open_socket.family]

    def hop_limit(self) -> dict[str, Any]:
        """Returns it."""
        return self._get(*self._hops)

    def set_hop_limit(self, value: int) -> dict[str, Any]:
        """Sets it."""
        return self._set(*self._hops, value, value)

    def buffer_size(self, which: int) -> dict[str, Any]:
        """Returns the size of ``socket.SO_RCVBUF`` or ``SO_SNDBUF``."""
        outcome = self._get(socket.SOL_SOCKET, which)
        return {"ok": outcome["ok"] // _HALVED} if "ok" in outcome else outcome

    def set_buffer_size(self, which: int, value: int) -> dict[str, Any]:
        """Sets the size, as far as the system lets it."""
        outcome = self._set(socket.SOL_SOCKET, which, value, min(value, _MOST_BUFFER))
        return {"ok": None} if outcome == {"err": "out-of-memory"} else outcome  # what BSD says of too great a wish

    def keep_alive_enabled(self) -> dict[str, Any]:
        """Returns whether a connection is kept alive."""
        outcome = self._get(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        return {"ok": bool(outcome["ok"])} if "ok" in outcome else outcome

    def set_keep_alive_enabled(self, value: bool) -> dict[str, Any]:
        """Sets whether."""
        return self._set(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1, int(value))

    def keep_alive_time(self, which: str) -> dict[str, Any]:
        """Returns ``idle`` or ``interval`` in nanoseconds."""
        outcome = self._get(socket.IPPROTO_TCP, _times(which))
        return {"ok": outcome["ok"] * _SECOND} if "ok" in outcome else outcome

    def set_keep_alive_time(self, which: str, value: int) -> dict[str, Any]:
        """Sets one of them, to whole seconds."""
        seconds = min(max(1, -(-value // _SECOND)), _MOST_SECONDS)
        return self._set(socket.IPPROTO_TCP, _times(which), value, seconds)

    def keep_alive_count(self) -> dict[str, Any]:
        """Returns how many probes may be lost."""
        return self._get(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)

    def set_keep_alive_count(self, value: int) -> dict[str, Any]:
        """Sets how many."""
        return self._set(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, value, min(value, _MOST_PROBES))

    def _get(self, level: int, option: int) -> dict[str, Any]:
        try:
            return {"ok": self._socket.getsockopt(level, option)}
        except OSError as error:
            return err(code_of(error))

    def _set(self, level: int, option: int, wanted: int, value: int) -> dict[str, Any]:
        if not wanted:
            return err("invalid-argument")
        try:
            self._socket.setsockopt(level, option, value)
        except OSError as error:
            return err(code_of(error))
        return {"ok": None}


def _times(which: str) -> int:
    return _KEEP_IDLE if which == "idle" else socket.TCP_KEEPINTVL
