"""A TCP connection: what streams read from and write to, and how it ends."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress

from polycall.wasm_runtime.wasi.io.ends import Closed, Sink, Source
from polycall.wasm_runtime.wasi.readiness import nothing, watch_descriptor
from polycall.wasm_runtime.wasi.sockets.open_socket import OpenSocket
from polycall.wasm_runtime.wasi.sockets.outgoing import Outgoing, failed

__all__ = ["ConnectionSink", "ConnectionSource"]

_MOST = 64 * 1024
"""What is read at once, and what is taken before the system has taken all that came before."""


class ConnectionSource(Source):
    """What comes from the peer."""

    def __init__(self, open_socket: OpenSocket) -> None:
        self._open = open_socket.hold()
        self._shut = False

    def read(self, most: int) -> bytes:
        """Returns what has come."""
        if self._shut:
            raise Closed
        try:
            data = self._open.socket.recv(min(most, _MOST))
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            raise failed(error) from None
        if not data:
            raise Closed
        return data

    def ready(self) -> bool:
        """Says whether something has come, or nothing more will."""
        return self._shut or self._open.is_ready(select.POLLIN)

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        """Watches for something that comes."""
        return nothing if self._open.closed else watch_descriptor(self._open.socket.fileno(), "read", call)

    def shut(self) -> None:
        """Ends it from this side: what has come and was not read is gone."""
        self._shut = True
        with suppress(OSError):  # the peer may have ended the connection before
            self._open.socket.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Lets go of the connection."""
        self._shut = True
        self._open.release()


class ConnectionSink(Sink):
    """What goes to the peer."""

    def __init__(self, open_socket: OpenSocket, outgoing: Outgoing) -> None:
        self._open = open_socket.hold()
        self._outgoing = outgoing
        limits = open_socket.session.settings.limits  # all of them together must not keep more than is said there
        self._most = max(1, min(_MOST, limits.max_buffered_bytes // max(1, limits.max_open_sockets)))

    def permit(self) -> int:
        """Returns how much is taken: nothing until the system has all that came before."""
        self._outgoing.check()
        return 0 if self._outgoing.busy else self._most

    def write(self, data: bytes) -> None:
        """Takes it; the rest of what the system does not is sent when it does."""
        self._outgoing.check()
        self._outgoing.send(data)

    def flush(self) -> None:
        """Does nothing: everything is on its way as soon as it can be."""
        self._outgoing.check()

    def ready(self) -> bool:
        """Says whether something is taken, or nothing more will be."""
        return not self._outgoing.busy

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        """Watches for the end of what is being sent."""
        return self._outgoing.watch(call)

    def close(self) -> None:
        """Lets go of the connection; what was taken is still sent."""
        self._open.release()
