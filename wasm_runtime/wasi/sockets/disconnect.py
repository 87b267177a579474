"""Taking a datagram socket's peer away: the one thing about sockets that Python does not offer."""

from __future__ import annotations

import ctypes
import socket
from contextlib import suppress
from typing import Any

__all__ = ["disconnect"]


def disconnect(datagrams: socket.socket, local: Any) -> None:
    """Lets a connected datagram socket talk to everybody again, and keeps it where it is bound.

    ``connect`` to an address of no family is how POSIX says it. BSD answers with an error, and does it all the same.

    Args:
        datagrams: The socket.
        local: Its address from before it had a peer, as `socket.getsockname` has it.
    """
    nobody = bytes(28)  # a sockaddr_in6 whose family is AF_UNSPEC, which is 0
    ctypes.CDLL(None, use_errno=True).connect(datagrams.fileno(), nobody, ctypes.c_uint32(len(nobody)))
    if not datagrams.getsockname()[1]:  # Linux gives a port back that it has chosen itself
        with suppress(OSError):  # another process was faster: it is bound again when it sends
            datagrams.bind(local)
