"""What the operating system says of sockets, as the error codes of WASI: no text of the host's reaches a guest."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["ERROR_CODES", "code_of", "err", "look_up_code"]

ERROR_CODES = (
    "unknown",
    "access-denied",
    "not-supported",
    "invalid-argument",
    "out-of-memory",
    "timeout",
    "concurrency-conflict",
    "not-in-progress",
    "would-block",
    "invalid-state",
    "new-socket-limit",
    "address-not-bindable",
    "address-in-use",
    "remote-unreachable",
    "connection-refused",
    "connection-reset",
    "connection-aborted",
    "datagram-too-large",
    "name-unresolvable",
    "temporary-resolver-failure",
    "permanent-resolver-failure",
)
"""In the order of the specification."""

_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "access-denied": ("EACCES", "EPERM"),
        "not-supported": (
            "EOPNOTSUPP",
            "ENOPROTOOPT",
            "EPFNOSUPPORT",
            "EPROTONOSUPPORT",
            "EPROTOTYPE",
            "ESOCKTNOSUPPORT",
            "EAFNOSUPPORT",
        ),
        "invalid-argument": ("EINVAL", "EFAULT"),
        "out-of-memory": ("ENOMEM", "ENOBUFS"),
        "timeout": ("ETIMEDOUT",),
        "concurrency-conflict": ("EALREADY",),
        "would-block": ("EWOULDBLOCK", "EAGAIN"),
        "invalid-state": ("EISCONN", "ENOTCONN", "EDESTADDRREQ"),
        "new-socket-limit": ("EMFILE", "ENFILE"),
        "address-not-bindable": ("EADDRNOTAVAIL",),
        "address-in-use": ("EADDRINUSE",),
        "remote-unreachable": ("EHOSTUNREACH", "EHOSTDOWN", "ENETDOWN", "ENETUNREACH", "ENETRESET", "ENONET"),
        "connection-refused": ("ECONNREFUSED",),
        "connection-reset": ("ECONNRESET", "EPIPE"),
        "connection-aborted": ("ECONNABORTED", "EPROTO"),
        "datagram-too-large": ("EMSGSIZE",),
    }
)
# Not every system has every error.
_CODES = {getattr(errno, name): code for code, names in _NAMES.items() for name in names if hasattr(errno, name)}

_NO_ADDRESS = {
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
}


def code_of(error: OSError, **instead: str) -> str:
    """Returns the code of an error.

    Args:
        error: Of a call of the system.
        instead: Names of errors that this operation has another code for: ``EADDRNOTAVAIL="address-in-use"``.
    """
    for name, code in instead.items():
        if error.errno == getattr(errno, name, None):
            return code
    return _CODES.get(error.errno or 0, "unknown")


def look_up_code(error: int) -> str:
    """Returns the code of a failed look-up, from the number of a `socket.gaierror`."""
    if error in _NO_ADDRESS:
        return "name-unresolvable"
    return "temporary-resolver-failure" if error == socket.EAI_AGAIN else "permanent-resolver-failure"


def err(code: str) -> dict[str, Any]:
    """Returns a result that is an error."""
    return {"err": code}
