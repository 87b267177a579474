"""The module ``hash``: digests and HMAC (specification: system facts 4.4; FIPS 180-4, RFC 1321, RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from polycall.lua_runtime.session import Session

__all__ = ["host_functions", "mac_of"]


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/hash.lua`` calls."""

    def digest(name: bytes, data: bytes, raw: bool | None) -> Any:
        sum_of = hashlib.new(name.decode(), usedforsecurity=False)
        for piece in session.pieces(data):
            sum_of.update(piece)
        return session.answer(sum_of.digest() if raw else sum_of.hexdigest())

    def mac(name: bytes, data: bytes, secret: bytes, raw: bool | None) -> Any:
        code = mac_of(session, name.decode(), data, secret)
        return session.answer(code if raw else code.hex())

    return session.safe(digest), session.safe(mac)


def mac_of(session: Session, name: str, data: bytes, secret: bytes) -> bytes:
    """Returns the HMAC of data, however long they are; ends with the call.

    Raises:
        LimitError: The deadline passed, or the call was cancelled.
    """
    # A key longer than a block is hashed at once by hmac.new: do it here, in pieces.
    if len(secret) > hashlib.new(name).block_size:
        sum_of = hashlib.new(name)
        for piece in session.pieces(secret):
            sum_of.update(piece)
        secret = sum_of.digest()
    code = hmac.new(secret, digestmod=name)
    for piece in session.pieces(data):
        code.update(piece)
    return code.digest()
