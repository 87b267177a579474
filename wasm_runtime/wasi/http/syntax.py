"""What may stand in a request: methods, schemes, authorities and paths. What these refuse is never sent.

Nothing here lets a line end, a space or a second request through: what a server reads is what was judged.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from polycall.interop.addresses import Address, parse_host

__all__ = [
    "BODILESS",
    "Authority",
    "is_name",
    "is_path",
    "is_scheme",
    "is_value",
    "method_name",
    "scheme_name",
    "target_of",
]

BODILESS = ("GET", "HEAD")
"""Methods whose requests have a body only if they say its length: servers expect none there."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,1024}")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,63}")
_PATH = re.compile(r"(?:[/?][^\x00-\x20\x7f#]*)?")
_PORT = re.compile(r"[0-9]{1,5}")
_MOST_AUTHORITY = 512
_MOST_METHOD = 256
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def is_name(text: str) -> bool:
    """Says whether a text is the name of a field, or a method."""
    return _NAME.fullmatch(text) is not None


def is_value(value: bytes) -> bool:
    """Says whether bytes are the value of a field: no line end, no other control character but tabs."""
    return _VALUE.fullmatch(value) is not None


def is_scheme(text: str) -> bool:
    """Says whether a text is a scheme."""
    return _SCHEME.fullmatch(text) is not None


def is_path(text: str) -> bool:
    """Says whether a text is a path with a query: never one with scheme and authority, which some servers obey."""
    return _PATH.fullmatch(text) is not None


def method_name(method: dict[str, Any]) -> str | None:
    """Returns a method as it is sent; None if it is none."""
    ((case, payload),) = method.items()
    if case != "other":
        return case.upper()
    return payload if len(payload) <= _MOST_METHOD and is_name(payload) else None


def scheme_name(scheme: dict[str, Any] | None) -> str:
    """Returns a scheme in lower case; that of a request without one is ``https``."""
    if scheme is None:
        return "https"
    ((case, payload),) = scheme.items()
    return str(payload if case == "other" else case).lower()


def target_of(path: str) -> str:
    """Returns a path with query as it stands in the first line: never empty, ASCII alone."""
    rooted = path if path[:1] == "/" else f"/{path}"
    if rooted.isascii():
        return rooted
    from urllib.parse import quote  # noqa: PLC0415  # hardly ever needed

    return quote(rooted, safe=_PRINTABLE)


class Authority(NamedTuple):
    """Where a request goes.

    Attributes:
        host: An address, or a name in lower-case ASCII.
        port: The port; None for that of the scheme.
    """

    host: Address | str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Authority:
        """Reads ``host`` or ``host:port``.

        Raises:
            ValueError: It is neither: with a user in front, a port that is none, or an address in a way to write it
                that is none.
        """
        if not 0 < len(text) <= _MOST_AUTHORITY:
            raise ValueError("too short or too long")
        host, colon, port = text.rpartition(":")
        if text[:1] == "[":
            inner, bracket, port = text.partition("]")
            host, colon = inner + bracket, port[:1]
            if not bracket or colon not in ("", ":"):
                raise ValueError("something behind an address in brackets")
            port = port[1:]
        elif not colon:
            host = text
        elif ":" in host:
            raise ValueError("an IPv6 address without brackets")
        if not colon:
            return cls(parse_host(host), None)
        if not _PORT.fullmatch(port) or not 0 < int(port) <= 65535:
            raise ValueError("a port that is none")
        return cls(parse_host(host), int(port))

    def __str__(self) -> str:
        host = str(self.host).partition("%")[0]  # the zone of an address says nothing to whoever is there
        shown = f"[{host}]" if ":" in host else host
        return shown if self.port is None else f"{shown}:{self.port}"
