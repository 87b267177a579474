"""The module ``uuid`` (specification: system facts 4.4; RFC 9562)."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

from polycall.interop.values import Value
from polycall.lua_runtime.modules.hash import hashed
from polycall.lua_runtime.session import MOST_NAME_BYTES, RefusedError, Session
from polycall.lua_runtime.values import readable

__all__ = ["host_functions"]

_HEX = "[0-9a-fA-F]"
_GROUPED = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_SPELLING = re.compile(rf"(?:[uU][rR][nN]:[uU][uU][iI][dD]:)?{_GROUPED}|\{{{_GROUPED}\}}|{_HEX}{{32}}".encode())
_VARIANTS = {
    uuid.RFC_4122: "RFC4122",
    uuid.RESERVED_NCS: "NCS",
    uuid.RESERVED_MICROSOFT: "Microsoft",
    uuid.RESERVED_FUTURE: "Future",
}
_FORMATS: dict[bytes, Callable[[uuid.UUID], str]] = {
    b"standard": str,
    b"simple": lambda value: value.hex,
    b"urn": lambda value: value.urn,
}
_TICKS_BEFORE_1970 = 0x01B21DD213814000
"""Of 100 ns, since the Gregorian calendar began: where version 1 counts from."""


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/uuid.lua`` calls."""

    def make(version: int) -> Any:
        return session.answer(str(_made(version)))

    def named(version: int, namespace: bytes, name: bytes) -> Any:
        # usedforsecurity: these versions are defined by MD5 and SHA-1, and are names, no signatures.
        sum_of = hashlib.new("md5" if version == 3 else "sha1", _parsed(namespace).bytes, usedforsecurity=False)
        return session.answer(str(uuid.UUID(bytes=hashed(session, sum_of, name).digest()[:16], version=version)))

    def validate(text: bytes) -> bool:
        return _SPELLING.fullmatch(text) is not None

    def describe(text: bytes) -> Any:
        return session.answer(_described(_parsed(text)))

    def write(text: bytes, name: bytes | None) -> Any:
        chosen = _FORMATS.get(name or b"standard")
        if chosen is None:
            raise RefusedError('uuid.format: expected "standard", "simple" or "urn"')
        return session.answer(chosen(_parsed(text)))

    rest = (session.safe(function, MOST_NAME_BYTES) for function in (describe, write))
    return session.safe(make, MOST_NAME_BYTES), session.safe(named), session.safe(validate), *rest


def _made(version: int) -> uuid.UUID:
    if version == 4:
        return uuid.uuid4()
    if version == 1:  # a random node with the multicast bit: no guest learns the machine's own address
        return uuid.uuid1(node=secrets.randbits(48) | 1 << 40, clock_seq=secrets.randbits(14))
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000  # RFC 9562, section 6.2, method 3: later ones sort later within a millisecond
    number = milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62)
    return uuid.UUID(int=number)


def _parsed(text: bytes) -> uuid.UUID:
    if not _SPELLING.fullmatch(text):
        shown = readable(text[:60])
        raise RefusedError(f'expected a UUID such as "6ba7b810-9dad-11d1-80b4-00c04fd430c8", got "{shown}"')
    return uuid.UUID(text.decode())


def _described(value: uuid.UUID) -> dict[str, Value]:
    version = value.bytes[6] >> 4
    about: dict[str, Value] = {"version": version, "variant": _VARIANTS[value.variant]}
    if version == 1:
        about["timestamp"] = (value.time - _TICKS_BEFORE_1970) // 10_000_000
        about["node"] = f"{value.node:012x}"
    elif version == 7:
        about["timestamp"] = (value.int >> 80) // 1000
    return about
