"""PBKDF2 that ends with its call (RFC 8018, section 5.2)."""

from __future__ import annotations

import hashlib
from typing import Any

from polycall.lua_runtime.modules.hash import hmac_key
from polycall.lua_runtime.session import RefusedError, Session
from polycall.lua_runtime.values import readable

__all__ = ["derive"]

_MOST_ITERATIONS = 10_000_000
_MOST_BYTES = 1024
_MOST_SALT_BYTES = 64 << 10
_AT_ONCE = 50_000
"""Rounds that C code runs without asking whether the call is still wanted: about 15 ms of SHA-256, 30 ms of SHA-512."""

_ROUNDS_BETWEEN_CHECKS = 2_000


def derive(session: Session, password: bytes, salt: bytes, *, iterations: int, length: int, name: bytes) -> bytes:
    """Returns a key.

    C code cannot be interrupted, so where there is a deadline or a cancellation to heed, long derivations run in
    Python, in pieces, and take about four times as long.

    Raises:
        RefusedError: An argument is out of bounds.
        LimitError: The deadline passed, or the call was cancelled.
    """
    digest = readable(name)
    if digest not in ("sha256", "sha512"):
        raise RefusedError(f'crypto.pbkdf2: expected the hash "sha256" or "sha512", got "{digest[:40]}"')
    if not 1 <= iterations <= _MOST_ITERATIONS:
        raise RefusedError(f"crypto.pbkdf2: expected 1 to {_MOST_ITERATIONS} iterations, got {iterations}")
    if not 1 <= length <= _MOST_BYTES:
        raise RefusedError(f"crypto.pbkdf2: expected a length from 1 to {_MOST_BYTES} bytes, got {length}")
    if len(salt) > _MOST_SALT_BYTES:
        raise RefusedError(f"crypto.pbkdf2: expected a salt of at most {_MOST_SALT_BYTES} bytes, got {len(salt)}")
    if not password or not salt:
        raise RefusedError(f"crypto.pbkdf2: the {'salt' if password else 'password'} is empty")
    password = hmac_key(session, digest, password)
    blocks = -(-length // hashlib.new(digest).digest_size)
    if blocks * iterations <= _AT_ONCE or not session.interruptible:
        return hashlib.pbkdf2_hmac(digest, password, salt, iterations, length)
    found = (
        _block(session, password, salt, iterations=iterations, digest=digest, number=at + 1) for at in range(blocks)
    )
    return b"".join(found)[:length]


def _padded(password: bytes, digest: str, mask: int) -> Any:
    return hashlib.new(digest, bytes(byte ^ mask for byte in password.ljust(hashlib.new(digest).block_size, b"\0")))


def _block(session: Session, password: bytes, salt: bytes, *, iterations: int, digest: str, number: int) -> bytes:
    new_inner, new_outer = _padded(password, digest, 0x36).copy, _padded(password, digest, 0x5C).copy
    last, total = salt + number.to_bytes(4, "big"), 0
    for done in range(iterations):
        inner, outer = new_inner(), new_outer()
        inner.update(last)
        outer.update(inner.digest())
        last = outer.digest()
        total ^= int.from_bytes(last, "big")
        if done % _ROUNDS_BETWEEN_CHECKS == 0:
            session.check()
    return total.to_bytes(len(last), "big")
