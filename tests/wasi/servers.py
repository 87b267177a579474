"""A local HTTP server that does what servers do, and what they should not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["http_server"]


@contextmanager
def http_server() -> Iterator[int]:
    """Serves HTTP on loopback while the block runs.

    Yields:
        The port.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        _stalled.set()
        server.shutdown()
        server.server_close()
        thread.join()
        _stalled.clear()


_stalled = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        raw = _RAW.get(path)
        if raw is not None:
            self.wfile.write(raw)
            self.close_connection = True
        elif path == "/hello":
            mine = self.headers.get("x-mine", "")
            self._answer(200, f"hello from {self.path}".encode(), {"content-type": "text/plain", "x-yours": mine})
        elif path == "/redirect":
            self._answer(302, b"elsewhere", {"location": "/hello"})
        elif path == "/empty":
            self._answer(204, None, {})
        elif path == "/large":
            self._answer(200, b"x" * 1_000_000, {})
        elif path == "/slow":
            _stalled.wait(10)
            self.close_connection = True
        elif path == "/reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
            self.close_connection = True
        else:
            self._answer(404, b"not here", {})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body, trailers = self._body()
        headers = {"content-type": "application/octet-stream", "x-length": self.headers.get("content-length", "none")}
        headers |= {f"x-was-{name}": value for name, value in trailers.items()}
        self._answer(200, body, headers)

    def _answer(self, status: int, body: bytes | None, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> tuple[bytes, dict[str, str]]:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0))), {}
        body = b""
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        trailers = {}
        while line := self.rfile.readline().strip():
            name, _, value = line.decode().partition(":")
            trailers[name.lower()] = value.strip()
        return body, trailers


_RAW = {
    "/chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n4;x=y\r\n two\r\n0\r\n\r\n",
    "/trailers": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-after\r\n\r\n"
    b"4\r\nbody\r\n0\r\nx-after: came later\r\n\r\n",
    "/until-closed": b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end",
    "/cut": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this",
    "/nonsense": b"what is this?\r\n\r\n",
    "/bad-chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nbody\r\n",
}
