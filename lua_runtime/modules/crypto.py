"""The module ``crypto``: random values, HMAC, AEAD, JWT, PBKDF2 (specification: system facts 4.4)."""

from __future__ import annotations

import hmac
import secrets
import string
import uuid
from collections.abc import Callable
from typing import Any

from polycall.interop.errors import ConversionError
from polycall.lua_runtime.modules.aead import decrypt, encrypt
from polycall.lua_runtime.modules.hash import mac_of
from polycall.lua_runtime.modules.jwt import encode_token, verify_token
from polycall.lua_runtime.modules.pbkdf2 import derive
from polycall.lua_runtime.session import MOST_AT_ONCE_BYTES, RefusedError, Session

__all__ = ["host_functions"]

_MOST_RANDOM = 1 << 20
_ALPHANUMERIC = (string.ascii_letters + string.digits).encode()


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/crypto.lua`` calls."""

    def random_bytes(length: int) -> Any:
        return session.answer(secrets.token_bytes(_checked_length("bytes", length)))

    def random_text(length: int, alphabet: bytes | None) -> Any:
        return session.answer(_text_of(session, _checked_length("string", length), alphabet))

    def random_uuid() -> Any:
        return session.answer(str(uuid.uuid4()))

    def mac(name: bytes, key: bytes, data: bytes) -> Any:
        if not key:
            raise RefusedError("crypto.hmac: the key is empty")
        return session.answer(mac_of(session, name.decode(), data, key).hex())

    def encrypted(name: bytes, data: bytes, key: bytes, associated: bytes | None) -> Any:
        return session.answer(encrypt(name.decode(), data, key, associated))

    def decrypted(name: bytes, data: bytes, key: bytes, associated: bytes | None) -> Any:
        return session.answer(decrypt(name.decode(), data, key, associated))

    def jwt_encode(_unused: bytes, *run: object) -> Any:
        claims, key, algorithm = session.received(run)
        return session.answer(encode_token(session, claims, key, algorithm))

    def jwt_verify(token: bytes, key: bytes, algorithm: bytes | None, require_exp: bool | None) -> Any:
        try:
            return session.answer(verify_token(session, token, key, algorithm or b"HS256", require_exp is not False))
        except ConversionError as error:
            raise RefusedError(f"crypto.jwt.verify: {error.message}", "Internal") from error

    def pbkdf2(password: bytes, salt: bytes, iterations: int, length: int, name: bytes | None) -> Any:
        digest = name or b"sha256"
        return session.answer(derive(session, password, salt, iterations=iterations, length=length, name=digest))

    def compare(left: bytes, right: bytes) -> Any:
        return hmac.compare_digest(left, right)

    at_once = (random_bytes, random_text, random_uuid)
    return (
        *(session.safe(function, MOST_AT_ONCE_BYTES) for function in at_once),
        session.safe(mac),
        *(session.safe(function, MOST_AT_ONCE_BYTES) for function in (encrypted, decrypted, jwt_encode, jwt_verify)),
        session.safe(pbkdf2),
        session.safe(compare, MOST_AT_ONCE_BYTES),
    )


def _checked_length(name: str, length: int) -> int:
    if not 1 <= length <= _MOST_RANDOM:
        raise RefusedError(f"crypto.random.{name}: expected a length from 1 to {_MOST_RANDOM}, got {length}")
    return length


def _text_of(session: Session, length: int, alphabet: bytes | None) -> bytes:
    letters = _ALPHANUMERIC if alphabet is None else alphabet
    if not letters or not letters.isascii() or len(letters) > 256:
        raise RefusedError("crypto.random.string: expected an alphabet of 1 to 256 ASCII characters")
    # Bytes at or above the largest multiple of the alphabet's size are thrown away: every letter is equally likely.
    fair = 256 - 256 % len(letters)
    table = bytes(letters[value % len(letters)] for value in range(256))
    unfair = bytes(range(fair, 256))
    text = b""
    while len(text) < length:
        session.check()
        text += secrets.token_bytes(2 * (length - len(text)) + 16).translate(table, unfair)
    return text[:length]
