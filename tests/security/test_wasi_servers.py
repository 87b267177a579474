"""HTTP servers that would hold up the guests that call them, or everybody else's."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from attacks import Attack, attacks
from http_guest import HttpGuest, NoAnswer
from http_servers import Server, answering, response
from polycall.wasm_runtime.wasi.http.connection import Plain

OK = "HTTP/1.1 200 OK\r\n"
CHUNKED = f"{OK}transfer-encoding: chunked\r\n\r\n"
DONE = response("").decode()
INSIDE = response("inside").decode()
# Each is what a regular expression of the client's would go back over, once for each of its spaces: what is sent, what
# stands there many times, and what does not fit behind it.
LINES = {
    "header": (f"{OK}x:{{}}\r\n\r\n", " ", "\0"),
    "header with tabs": (f"{OK}x:{{}}\r\n\r\n", " \t", "\0"),
    "folded header": (f"{OK}x:{{}}\r\n\r\n", "\r\n ", "\0"),
    "header of a 1xx": (f"HTTP/1.1 103 Early Hints\r\nx:{{}}\r\n\r\n{DONE}", " ", "\0"),
    "size of a chunk": (f"{CHUNKED}1;{{}}\r\nx\r\n0\r\n\r\n", " ", "\nx"),
    "trailer": (f"{CHUNKED}0\r\nx:{{}}\r\n\r\n", " ", "\0"),
}


@attacks(
    *(
        Attack(
            f"an HTTP {place} of spaces that no pattern fits",
            "HTTP server",
            "`HTTP-protocol-error` at once",
            "200 spaces are none too many",
        )
        for place in LINES
    )
)
@pytest.mark.parametrize("place", LINES)
def test_lines_of_spaces_hold_nobody_up(place: str) -> None:
    text, piece, misfit = LINES[place]
    with HttpGuest() as guest:
        with Server(answering(text.format(piece * (70_000 // len(piece)) + misfit))) as server:
            began = time.monotonic()
            with pytest.raises(NoAnswer) as caught:
                guest.fetch(server.authority)
            assert caught.value.case == "HTTP-protocol-error"
            assert time.monotonic() - began < 1  # by the square of the spaces it takes several times as long
        with Server(answering(text.format(piece * (200 // len(piece)) + "y"))) as server:
            assert guest.fetch(server.authority).status == 200


@attacks(
    Attack(
        "64 interim responses with 60 KiB of headers each",
        "HTTP server",
        "`HTTP-response-header-section-size` at the first",
        "60 small ones are skipped",
    )
)
def test_interim_responses_are_bounded_as_others_are() -> None:
    early = "HTTP/1.1 103 Early Hints\r\n"
    with HttpGuest() as guest:
        with (
            Server(answering((early + "a: b\r\n" * 10_000 + "\r\n") * 60 + INSIDE)) as server,
            pytest.raises(NoAnswer) as caught,
        ):
            guest.fetch(server.authority)
        assert caught.value.case == "HTTP-response-header-section-size"
        with Server(answering((early + "a: b\r\n\r\n") * 60 + INSIDE)) as server:
            assert guest.fetch(server.authority).body == b"inside"


@attacks(
    Attack(
        "a peer that is always faster than the thread for input and output",
        "HTTP server",
        "others get their turn after each piece",
        "every byte is read",
    )
)
def test_a_fast_peer_leaves_others_their_turns() -> None:
    async def read_all(ours: socket.socket) -> tuple[int, int]:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        read = 0
        connection = Plain(ours)
        for _ in range(100):
            read += len(await connection.read(10))
        task.cancel()
        return read, turns

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"x" * 1000)
        read, turns = asyncio.run(read_all(ours))
    assert read == 1000
    assert turns >= 99


HUNG_UP = """
import signal, socket, threading
from http_guest import HttpGuest
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
server = socket.create_server(("127.0.0.1", 0))
def hang_up():
    while True:
        server.accept()[0].close()
threading.Thread(target=hang_up, daemon=True).start()
address = f"127.0.0.1:{server.getsockname()[1]}"
with HttpGuest() as guest:
    for _ in range(10):
        request = guest.request(address, method="POST")
        body = request.body(guest.store)["ok"]
        future = guest.send(request)
        stream = body.write(guest.store)["ok"]
        while "ok" in (room := stream.check_write(guest.store)):
            stream.write(guest.store, bytes(min(room["ok"], 1000)))
        for each in (stream, body, future):
            each.drop()
print("alive", flush=True)
ours, theirs = socket.socketpair()
theirs.close()
ours.send(b"x")
"""


@attacks(
    Attack(
        "hanging up in the middle of a request to a process that a broken pipe ends",
        "HTTP server",
        "the request fails",
        "a broken pipe of the process's own ends it",
    )
)
def test_a_server_that_hangs_up_ends_no_process() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", HUNG_UP], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("alive\n", "")
    assert done.returncode == -signal.SIGPIPE
