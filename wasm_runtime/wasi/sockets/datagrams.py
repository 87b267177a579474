"""The two streams of a datagram socket: every datagram is judged by where it goes to or comes from."""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from typing import Any

from polycall.interop.errors import TrapError
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.io.poll import Pollable
from polycall.wasm_runtime.wasi.readiness import Readiness, nothing, watch_descriptor
from polycall.wasm_runtime.wasi.session import Kept, Session
from polycall.wasm_runtime.wasi.sockets.error_codes import code_of, err
from polycall.wasm_runtime.wasi.sockets.open_socket import OpenSocket
from polycall.wasm_runtime.wasi.sockets.socket_addresses import Endpoint, endpoint_from_system, endpoint_from_wit

__all__ = ["Association", "IncomingDatagramStream", "OutgoingDatagramStream"]

_AT_ONCE = 16
"""Datagrams of one call."""

_LARGEST = 65_535
_MOST_BYTES = 1024 * 1024
_MOST_DROPPED = 256
"""Datagrams that are looked at for one that may be heard; somebody else sends them, as fast as he likes."""

Result = dict[str, Any]


class Association:
    """What the streams of one call of ``stream`` have in common.

    Attributes:
        remote: The only peer, or None.
        current: Whether it is the socket's latest; the streams of those before do not work any more.
        next: The datagram that was received to know whether there is one, or the error that came instead.
    """

    def __init__(self, remote: Endpoint | None) -> None:
        self.remote = remote
        self.current = True
        self.next: Result | OSError | None = None

    def retire(self) -> None:
        """Is told that another one takes its place."""
        self.current = False
        self.next = None


class _Ready(Readiness):
    def __init__(self, stream: Kept, open_socket: OpenSocket, events: int, ready: Callable[[], bool]) -> None:
        self._stream = stream
        self._open = open_socket
        self._event: Any = "read" if events == select.POLLIN else "write"
        self._ready = ready

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Ready) and self._stream is other._stream  # so that many are watched as one

    def __hash__(self) -> int:
        return hash(self._stream)

    def ready(self) -> bool:
        return self._open.closed or self._ready()

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        return nothing if self._open.closed else watch_descriptor(self._open.socket.fileno(), self._event, call)


class IncomingDatagramStream(Kept):
    """What comes."""

    def __init__(self, session: Session, open_socket: OpenSocket, association: Association) -> None:
        super().__init__(session)
        self._open = open_socket.hold()
        self._association = association

    def receive(self, _store: GuestStore, max_results: int) -> Result:
        """Returns what has come, at most so many."""
        if not self._association.current:
            return err("invalid-state")
        found: list[Result] = []
        size = 0
        while len(found) < min(max_results, _AT_ONCE) and size < _MOST_BYTES and self._has_next():
            coming = self._association.next
            if isinstance(coming, OSError):
                if not found:
                    self._association.next = None
                    return err(code_of(coming, ECONNRESET="remote-unreachable"))
                break
            self._association.next = None
            if coming is not None:
                size += len(coming["data"]) + 1
                found.append(coming)
        self.session.bytes_in += sum(len(each["data"]) for each in found)
        return {"ok": found}

    def _has_next(self) -> bool:
        """Looks for one that may be heard: others are dropped here, so that they wake nobody."""
        for _ in range(_MOST_DROPPED):
            if self._association.next is not None or not self._association.current:
                return True
            try:
                data, address = self._open.socket.recvfrom(_LARGEST)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                self._association.next = error
                return True
            peer = endpoint_from_system(address)
            if self._is_heard(peer):
                self._association.next = {"data": data, "remote-address": peer.in_wit()}
        return self._association.next is not None

    def _is_heard(self, peer: Endpoint) -> bool:
        remote = self._association.remote  # what came before it was the only peer is still in the system's queue
        if remote is not None and (peer.address, peer.port) != (remote.address, remote.port):
            return False
        return self.session.network.may_hear("udp", peer.address, peer.port)

    def subscribe(self, _store: GuestStore) -> Pollable:
        """Returns what to wait for."""
        subject = _Ready(self, self._open, select.POLLIN, self._has_next)
        return Pollable(self.session, subject, f"a datagram from {self._association.remote or 'somebody'}")

    def close(self) -> None:
        """Lets go of the socket."""
        self._open.release()


class OutgoingDatagramStream(Kept):
    """What goes."""

    def __init__(self, session: Session, open_socket: OpenSocket, association: Association) -> None:
        super().__init__(session)
        self._open = open_socket.hold()
        self._association = association
        self._permitted = 0

    def check_send(self, _store: GuestStore) -> Result:
        """Returns how many datagrams the next ``send`` may have."""
        if not self._association.current:
            return err("invalid-state")
        self._permitted = _AT_ONCE if self._open.is_ready(select.POLLOUT) else 0
        return {"ok": self._permitted}

    def send(self, _store: GuestStore, datagrams: Sequence[Result]) -> Result:
        """Sends them, as far as the system takes them; returns how many that was."""
        if not datagrams:
            return {"ok": 0}
        if len(datagrams) > self._permitted:
            raise TrapError(
                f"the guest sent {len(datagrams)} datagrams where check-send had permitted {self._permitted}"
            )
        self._permitted = 0
        if not self._association.current:
            return err("invalid-state")
        for sent, datagram in enumerate(datagrams):
            code = self._send(datagram["data"], datagram["remote-address"])
            if code:  # of one that is not the first, the guest hears when it comes first
                return {"ok": sent} if sent or code == "would-block" else err(code)
        return {"ok": len(datagrams)}

    def _send(self, data: bytes, address: Result | None) -> str:
        """Sends one; returns the error's code, or nothing."""
        remote = self._association.remote
        to = remote if address is None else endpoint_from_wit(address)
        if to is None or not (to.fits(self._open.family) and to.is_remote()):
            return "invalid-argument"
        if remote is not None and (to.address, to.port) != (remote.address, remote.port):
            return "invalid-argument"
        if len(data) > _LARGEST:
            return "datagram-too-large"
        if not self.session.network.may_connect("udp", to.address, to.port):
            return "access-denied"
        try:
            if remote is None:
                self._open.socket.sendto(data, to.for_system())
            else:
                self._open.socket.send(data)
        except OSError as error:
            return code_of(error, ECONNRESET="remote-unreachable")
        self.session.bytes_out += len(data)
        return ""

    def subscribe(self, _store: GuestStore) -> Pollable:
        """Returns what to wait for."""
        subject = _Ready(self, self._open, select.POLLOUT, lambda: self._open.is_ready(select.POLLOUT))
        return Pollable(self.session, subject, "room for a datagram")

    def close(self) -> None:
        """Lets go of the socket."""
        self._open.release()
