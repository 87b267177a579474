"""Why a request failed: the ``error-code`` of ``wasi:http/types``, and what of the system's errors becomes which."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from polycall.wasm_runtime.wasi.io.error import IoError

__all__ = ["ErrorCode", "HttpFailure", "failed_connection", "failed_look_up"]

ErrorCode = dict[str, Any]
"""The variant, as a guest is told it."""


class HttpFailure(Exception):  # noqa: N818  # a result on its way to the guest
    """A request failed.

    Attributes:
        code: What the guest is told.
        refusal: What the person is told, where a rule was the reason and nobody has been told yet; else empty.
    """

    def __init__(self, case: str, payload: object = True, *, refusal: str = "") -> None:
        super().__init__(case)
        self.code: ErrorCode = {case: payload}
        self.refusal = refusal

    def alone(self) -> HttpFailure:
        """Returns the same without the frames that it has passed: whoever keeps it would keep all that they hold."""
        ((case, payload),) = self.code.items()
        return HttpFailure(case, payload, refusal=self.refusal)

    def as_io_error(self) -> IoError:
        """Returns the error of the stream on which it shows."""
        return IoError(f"the HTTP request failed: {self}", self)


_RCODES: Mapping[int, str] = MappingProxyType(
    {
        socket.EAI_NONAME: "NXDOMAIN",
        getattr(socket, "EAI_NODATA", socket.EAI_NONAME): "NXDOMAIN",
        socket.EAI_AGAIN: "SERVFAIL",
        socket.EAI_FAIL: "SERVFAIL",
    }
)


def failed_look_up(error: int) -> HttpFailure:
    """Returns what becomes of an error of ``getaddrinfo``, one of the ``EAI_...``."""
    return HttpFailure("DNS-error", {"rcode": _RCODES.get(error), "info-code": None})


_CASES: Mapping[int, str] = MappingProxyType(
    {
        errno.ECONNREFUSED: "connection-refused",
        errno.ECONNRESET: "connection-terminated",
        errno.ECONNABORTED: "connection-terminated",
        errno.EPIPE: "connection-terminated",
        errno.ETIMEDOUT: "connection-timeout",
        errno.ENETUNREACH: "destination-IP-unroutable",
        errno.EHOSTUNREACH: "destination-IP-unroutable",
        errno.EMFILE: "connection-limit-reached",
        errno.ENFILE: "connection-limit-reached",
        errno.ENOBUFS: "connection-limit-reached",
    }
)


def failed_connection(error: OSError) -> HttpFailure:
    """Returns what becomes of an error of a socket; nothing of its text."""
    return HttpFailure(_CASES.get(error.errno or 0, "destination-unavailable"))
