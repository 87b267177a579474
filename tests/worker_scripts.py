"""Workers that do not keep to the protocol, for tests."""

from __future__ import annotations

import sys
import textwrap

__all__ = ["fake_worker"]

_PRELUDE = """
import os, select, socket, struct, sys, time
import msgpack

connection = socket.socket(fileno=os.dup(0))

def receive():
    head = connection.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        sys.exit()
    return msgpack.unpackb(connection.recv(struct.unpack("<I", head)[0], socket.MSG_WAITALL), ext_hook=lambda *_: None)

def send(*message):
    body = msgpack.packb(message, unicode_errors="surrogatepass")
    connection.sendall(struct.pack("<I", len(body)) + body)

def until_killed():
    while True:
        select.select([], [], [])

def start():
    receive()
    send("ready", None, [], "whole")
    receive()
    send("instantiated", None)
    return receive()
"""


def fake_worker(text: str) -> tuple[str, ...]:
    """Returns the command of a worker that runs the Python text given, with what `_PRELUDE` defines."""
    return (sys.executable, "-c", _PRELUDE + textwrap.dedent(text))
