"""The module ``hash``: digests and HMAC (specification: system facts 4.4; FIPS 180-4, RFC 1321, RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any, TypeVar

from polycall.lua_runtime.session import Session

__all__ = ["hashed", "hmac_key", "host_functions", "mac_of"]

Sum = TypeVar("Sum", "hashlib._Hash", hmac.HMAC)


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/hash.lua`` calls."""

    def digest(name: bytes, data: bytes, raw: bool | None) -> Any:
        sum_of = hashed(session, hashlib.new(name.decode(), usedforsecurity=False), data)
        return session.answer(sum_of.digest() if raw else sum_of.hexdigest())

    def mac(name: bytes, data: bytes, secret: bytes, raw: bool | None) -> Any:
        code = mac_of(session, name.decode(), data, secret)
        return session.answer(code if raw else code.hex())

    return session.safe(digest), session.safe(mac)


def hashed(session: Session, sum_of: Sum, data: bytes) -> Sum:
    """Adds data to a sum, however long they are, and returns it.

    Raises:
        LimitError: The deadline passed, or the call was cancelled.
    """
    for piece in session.pieces(data):
        sum_of.update(piece)
    return sum_of


def hmac_key(session: Session, name: str, secret: bytes) -> bytes:
    """Returns the key that HMAC uses for a secret: the hash of one that is longer than a block."""
    sum_of = hashlib.new(name)
    return secret if len(secret) <= sum_of.block_size else hashed(session, sum_of, secret).digest()


def mac_of(session: Session, name: str, data: bytes, secret: bytes) -> bytes:
    """Returns the HMAC of data, however long they are; see `hashed`."""
    return hashed(session, hmac.new(hmac_key(session, name, secret), digestmod=name), data).digest()
