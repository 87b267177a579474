"""Servers on loopback, in threads: each connection is served by a function of the test's, byte by byte if it likes."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple

__all__ = ["Peer", "Request", "Server", "answering", "response"]


class Request(NamedTuple):
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    trailers: dict[str, str]


class Peer:
    """A connection that somebody has opened to the server."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._data = b""

    def send(self, data: bytes | str) -> None:
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def until(self, end: bytes) -> bytes:
        """Returns what comes up to an end and with it; all there is where there is none."""
        while end not in self._data:
            more = self.socket.recv(65536)
            if not more:
                found, self._data = self._data, b""
                return found
            self._data += more
        found, _, self._data = self._data.partition(end)
        return found + end

    def exactly(self, count: int) -> bytes:
        while len(self._data) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self._data += more
        found, self._data = self._data[:count], self._data[count:]
        return found

    def head(self) -> Request:
        """Reads a request up to its body."""
        first, *lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        return Request(method, target, _fields(lines), b"", {})

    def request(self) -> Request:
        """Reads a whole request."""
        head = self.head()
        if "content-length" in head.headers:
            return head._replace(body=self.exactly(int(head.headers["content-length"])))
        if head.headers.get("transfer-encoding") == "chunked":
            body, trailers = self._chunks()
            return head._replace(body=body, trailers=trailers)
        return head

    def _chunks(self) -> tuple[bytes, dict[str, str]]:
        body = b""
        while size := int(self.until(b"\r\n"), 16):
            body += self.exactly(size)
            self.exactly(2)
        lines = []
        while (line := self.until(b"\r\n")) != b"\r\n":
            lines.append(line.decode("latin-1").strip())
        return body, _fields(lines)

    def reset(self) -> None:
        """Closes it with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_for_end(self) -> bytes:
        """Returns what else comes until the other side closes."""
        rest = self._data
        with suppress(OSError):
            while more := self.socket.recv(65536):
                rest += more
        return rest


def _fields(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in filter(None, lines):
        name, _, value = line.partition(": ")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


class Server:
    """A server; a context manager, in which it serves.

    Attributes:
        port: Where it listens.
        ended: Is set whenever a connection has come to its end on this side.
        connections: How many there were.
        requests: Those that scripts have put there.
    """

    def __init__(
        self,
        script: Callable[[Peer], object],
        *,
        context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._script = script
        self._context = context
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family, backlog=256)
        self.port: int = self._listening.getsockname()[1]
        self.host = host
        self.ended = threading.Event()
        self.connections = 0
        self.requests: list[Request] = []
        self._open: set[socket.socket] = set()

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __enter__(self) -> Server:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listening.accept()
                self.connections += 1
                self._open.add(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        plain = sock
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            self._script(Peer(sock))
        except (OSError, EOFError, ValueError):
            pass
        finally:
            self._open.discard(plain)
            sock.close()
            self.ended.set()


def response(body: bytes | str = b"", *headers: str, status: str = "200 OK") -> bytes:
    """Returns a response with a length."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(data)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


def answering(data: bytes | str) -> Callable[[Peer], None]:
    """Returns a script that reads a request and says this."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(data)

    return script
