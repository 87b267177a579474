"""Many guests call a server that stalls, resets and lies about lengths: ``python tests/http_storm.py [REQUESTS]``.

Each request carries a number of its own, and whatever comes back must be about that number: an answer, or the error
that this kind of server leads to. What is open before must be all that is open after.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from http_guest import Answer, HttpGuest, NoAnswer
from http_servers import Peer, Server, response
from polycall.interop.io_thread import io_thread

__all__ = ["Storm", "coroutines", "descriptors"]

_THREADS = 16


def _body(number: int, size: int) -> bytes:
    line = b"%d\n" % number
    return line * (size // len(line) + 1)


def _serve(peer: Peer) -> None:
    request = peer.request()
    _, kind, number, size = request.target.split("/")
    body = _body(int(number), int(size))
    _KINDS[kind](peer, body, request.body)


def _whole(peer: Peer, body: bytes, _sent: bytes) -> None:
    peer.send(response(body))


def _in_chunks(peer: Peer, body: bytes, _sent: bytes) -> None:
    peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for at in range(0, len(body), 5000):
        piece = body[at : at + 5000]
        peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    peer.send("0\r\n\r\n")


def _up_to_the_end(peer: Peer, body: bytes, _sent: bytes) -> None:
    peer.send(b"HTTP/1.0 200 OK\r\n\r\n" + body)


def _echoed(peer: Peer, _body: bytes, sent: bytes) -> None:
    peer.send(response(sent))


def _never(peer: Peer, _body: bytes, _sent: bytes) -> None:
    peer.wait_for_end()


def _half(peer: Peer, body: bytes, _sent: bytes) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (2 * len(body)) + body)
    peer.wait_for_end()


def _reset(peer: Peer, _body: bytes, _sent: bytes) -> None:
    peer.reset()


def _short(peer: Peer, body: bytes, _sent: bytes) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(body) + 1) + body)


def _long(peer: Peer, body: bytes, _sent: bytes) -> None:
    peer.send(response(body) + b"HTTP/1.1 200 OK\r\n\r\nmore")


def _cut(peer: Peer, body: bytes, _sent: bytes) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b" % (len(body), body))


def _nonsense(peer: Peer, body: bytes, _sent: bytes) -> None:
    peer.send(body)


_KINDS: Mapping[str, Callable[[Peer, bytes, bytes], None]] = MappingProxyType(
    {
        "whole": _whole,
        "in-chunks": _in_chunks,
        "up-to-the-end": _up_to_the_end,
        "echoed": _echoed,
        "never": _never,
        "half": _half,
        "reset": _reset,
        "short": _short,
        "long": _long,
        "cut": _cut,
        "nonsense": _nonsense,
        "given-up": _never,
    }
)
_FAILS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "never": ("connection-read-timeout",),
        "half": ("connection-read-timeout",),
        "reset": ("connection-terminated",),
        "short": ("HTTP-response-incomplete",),
        "cut": ("HTTP-response-incomplete",),
        "nonsense": ("HTTP-protocol-error", "HTTP-response-incomplete", "HTTP-response-header-section-size"),
    }
)


class Storm:
    """The server, and the guests that call it.

    Attributes:
        counts: What came of the requests.
        wrong: What should not have.
    """

    def __init__(self, requests: int, seed: int = 1) -> None:
        self._left = requests
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        """Sends all of them."""
        with Server(_serve) as server:
            threads = [threading.Thread(target=self._guest, args=(server,)) for _ in range(_THREADS)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()

    def _next(self) -> tuple[int, str, int] | None:
        with self._lock:
            if not self._left:
                return None
            self._left -= 1
            return self._left, self._random.choice(tuple(_KINDS)), self._random.choice((10, 1_000, 70_000, 600_000))

    def _guest(self, server: Server) -> None:
        while (task := self._next()) is not None:
            with HttpGuest(seconds=60) as guest:
                try:
                    self._judge(*task, self._send(guest, server, *task))
                except NoAnswer as failure:
                    self._judge(*task, failure.case)
                except BaseException as error:  # noqa: BLE001 - the storm shall go on, and tell
                    self.wrong.append(f"{task}: {error!r}")

    def _send(self, guest: HttpGuest, server: Server, number: int, kind: str, size: int) -> Answer | str:
        path = f"/{kind}/{number}/{size}"
        timeouts = guest.options(first_byte=0.1 if kind == "never" else 30, between_bytes=0.1 if kind == "half" else 30)
        if kind == "given-up":
            guest.send(guest.request(server.authority, path), timeouts)
            return "given up"
        if kind == "echoed":
            return guest.fetch(server.authority, path, method="POST", body=_body(number, size), options=timeouts)
        return guest.fetch(server.authority, path, options=timeouts)

    def _judge(self, number: int, kind: str, size: int, came: Answer | str) -> None:
        if isinstance(came, Answer):
            fine = kind not in _FAILS and came.body == _body(number, size)
            said = f"{kind}: whole" if fine else f"{kind}: {len(came.body)} bytes: {came.body[:40]!r}"
        else:
            fine = came in _FAILS.get(kind, ("given up",))
            said = f"{kind}: {came}"
        self.counts[said] += 1
        if not fine:
            self.wrong.append(f"{number}: {said}")


def descriptors() -> int:
    """How many are open in this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def coroutines() -> int:
    """How many the thread for input and output has."""

    async def count() -> int:
        return len(asyncio.all_tasks()) - 1

    return io_thread().run(count()).result(5)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> int:
    """Runs a storm and says what came of it."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    Storm(200).run()  # what is made once
    gc.collect()
    before, resident = descriptors(), _resident()
    start = time.monotonic()
    storm = Storm(requests)
    storm.run()
    seconds = time.monotonic() - start
    gc.collect()
    for said, count in sorted(storm.counts.items()):
        print(f"{count:6} {said}")
    print(f"{requests} requests in {seconds:.1f} s; wrong: {len(storm.wrong)} {storm.wrong[:10]}")
    print(f"descriptors {before} -> {descriptors()}, coroutines {coroutines()}")
    print(f"memory {resident:.0f} -> {_resident():.0f} MiB")
    return bool(storm.wrong) or descriptors() > before


if __name__ == "__main__":
    sys.exit(main())
