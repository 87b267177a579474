"""What a TCP connection still has to send: taken from the guest, not yet by the system."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

from polycall.interop.forks import new_lock, watch_forks
from polycall.interop.io_thread import io_thread
from polycall.wasm_runtime.wasi.io.ends import Closed, Failed
from polycall.wasm_runtime.wasi.io.error import IoError
from polycall.wasm_runtime.wasi.readiness import nothing, watch_descriptor
from polycall.wasm_runtime.wasi.sockets.error_codes import code_of

__all__ = ["Outgoing", "failed"]

_NO_SIGNAL: int = getattr(socket, "MSG_NOSIGNAL", 0)
"""A command takes the signal of a broken pipe; that of a connection is not meant for it."""

_LINGER_SECONDS = 5.0
_MOST_LINGERING = 64
_MOST_OF_EACH = 16


class Outgoing:
    """What was taken to be sent: of one permit at most. Its own thread sends the rest as the system takes it.

    Attributes:
        busy: Whether something waits to be sent.
    """

    def __init__(self, system_socket: socket.socket) -> None:
        self.busy = False
        self._socket = system_socket
        self._lock = new_lock()
        self._rest = memoryview(b"")
        self._failure: OSError | None = None
        self._shut = False
        self._calls: list[Callable[[], None]] = []
        self._watch: Callable[[], None] = nothing
        self._closing = False

    def check(self) -> None:
        """Says how it ended, if it did.

        Raises:
            Closed: By this side, or because the peer takes no more.
            Failed: It failed.
        """
        failure = self._failure
        if failure is not None:
            raise Closed if isinstance(failure, BrokenPipeError) else failed(failure)
        if self._shut:
            raise Closed

    def send(self, data: bytes) -> None:
        """Sends what the system takes, and keeps the rest.

        Raises:
            Closed, Failed: As of `check`.
        """
        with self._lock:
            if self.busy:  # one permit may be used up by several writes
                self._rest = memoryview(b"".join((self._rest, data)))
                return
            self._rest = memoryview(data)
            self._go_on()
        if self._failure is not None:
            self.check()

    def shut(self) -> None:
        """Ends it when all is sent; harmless when repeated."""
        with self._lock:
            if not self._shut:
                self._shut = True
                if not self.busy:
                    self._go_on()

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        """Has something called when nothing waits to be sent any more."""
        with self._lock:
            if not self.busy:
                return nothing
            self._calls.append(call)
        return lambda: self._call_off(call)

    def _call_off(self, call: Callable[[], None]) -> None:
        with self._lock:
            if call in self._calls:
                self._calls.remove(call)

    def end(self, owner: str, *, at_once: bool) -> None:
        """Closes the socket: when all is sent, if that does not take too long.

        Args:
            owner: The entry that it is of; few of each may still send.
            at_once: Whatever waits to be sent is lost.
        """
        with self._lock:
            if self.busy and not at_once and _LINGERING.takes(self, owner):
                self._closing = True
                loop = io_thread().loop
                loop.call_soon_threadsafe(loop.call_later, _LINGER_SECONDS, self._time_is_up)
                return
            self._close()

    def leave_to_parent(self) -> None:
        """Closes the descriptor of a forked child; the parent's is watched by a loop that the child does not have."""
        self.busy, self._watch = False, nothing
        with suppress(OSError):
            self._socket.close()

    def _time_is_up(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        _LINGERING.forget(self)
        self._watch()
        self._watch = nothing
        self.busy = False
        self._rest = memoryview(b"")  # whoever has waited for it to be sent may keep this for ever
        self._socket.close()

    def _happened(self) -> None:  # in the thread for input and output
        with self._lock:
            self._watch = nothing
            if self._socket.fileno() < 0:
                return
            self._go_on()
            if self.busy:
                return
            calls, self._calls = self._calls, []
            if self._closing:
                self._close()
        for call in calls:
            call()

    def _go_on(self) -> None:
        try:
            while self._rest:
                self._rest = self._rest[self._socket.send(self._rest, _NO_SIGNAL) :]
        except (BlockingIOError, InterruptedError):
            self.busy = True
            self._watch = watch_descriptor(self._socket.fileno(), "write", self._happened)
            return
        except OSError as error:
            self._failure = error
            self._rest = memoryview(b"")
        self.busy = False
        if self._shut:
            with suppress(OSError):  # the peer may have ended the connection before
                self._socket.shutdown(socket.SHUT_WR)


class _Lingering:
    """Connections that nobody has any more and that still send. Used with the lock of the connection held."""

    def __init__(self) -> None:
        self._owners: dict[Outgoing, str] = {}
        watch_forks(self)

    def takes(self, outgoing: Outgoing, owner: str) -> bool:
        """Takes one more, if there are not too many."""
        owners = self.owners()
        if len(owners) >= _MOST_LINGERING or owners.count(owner) >= _MOST_OF_EACH:
            return False
        self._owners[outgoing] = owner
        return True

    def forget(self, outgoing: Outgoing) -> None:
        """Is told that one is closed; harmless when it was none of these."""
        self._owners.pop(outgoing, None)

    def owners(self) -> list[str]:
        """Returns the entries that they are of, each as often as it has one."""
        return list(self._owners.values())

    def after_fork(self) -> None:
        """Closes what the parent goes on to send: with a descriptor here, its peer would never see the end of it."""
        for outgoing in self._owners:
            outgoing.leave_to_parent()
        self._owners.clear()


_LINGERING = _Lingering()
"""By process, as their descriptors are."""


def failed(error: OSError) -> Failed:
    """Returns how a stream tells the guest of an error."""
    code = code_of(error)
    return Failed(IoError(code.replace("-", " "), code))
