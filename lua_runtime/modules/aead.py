"""AES-GCM and ChaCha20-Poly1305 for ``crypto`` (NIST SP 800-38D, RFC 8439); needs the distribution ``cryptography``."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from polycall.lua_runtime.session import RefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

__all__ = ["decrypt", "encrypt", "missing"]

_NONCE_BYTES = 12
_TAG_BYTES = 16
_MOST_BYTES = 16 << 20
"""Of one message: cryptography works through it in one piece, which takes about 20 ms."""

_KEY_SIZES = {"aes": (16, 24, 32), "chacha20": (32,)}


def encrypt(name: str, data: bytes, key: bytes, associated: bytes | None) -> bytes:
    """Returns a fresh nonce of 12 bytes, the ciphertext, and the tag of 16 bytes.

    Args:
        name: ``aes`` or ``chacha20``.
        data: Plain bytes.
        key: 16, 24 or 32 bytes for AES, 32 for ChaCha20.
        associated: What is authenticated with it, or None.

    Raises:
        RefusedError: A key of the wrong size, too much data, or cryptography is not installed.
    """
    cipher = _cipher("encrypt", name, data, key, associated)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, data, associated)


def decrypt(name: str, data: bytes, key: bytes, associated: bytes | None) -> bytes:
    """Returns what `encrypt` was given.

    Raises:
        RefusedError: As for `encrypt`; of kind Internal if the data, the key and what was authenticated do not belong
            together.
    """
    cipher = _cipher("decrypt", name, data, key, associated)
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # an extra: there when _cipher returned

    if len(data) < _NONCE_BYTES + _TAG_BYTES:
        raise RefusedError(f"crypto.decrypt.{name}: expected at least {_NONCE_BYTES + _TAG_BYTES} bytes")
    try:
        return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], associated)
    except InvalidTag:
        message = f"crypto.decrypt.{name}: the data were changed, or the key or the associated data are others"
        raise RefusedError(message, "Internal") from None


def _cipher(what: str, name: str, data: bytes, key: bytes, associated: bytes | None) -> AESGCM | ChaCha20Poly1305:
    sizes = _KEY_SIZES[name]
    if len(key) not in sizes:
        shown = " or ".join(map(str, sizes))
        raise RefusedError(f"crypto.{what}.{name}: expected a key of {shown} bytes, got {len(key)}")
    if len(data) + len(associated or b"") > _MOST_BYTES:
        raise RefusedError(f"crypto.{what}.{name}: more than {_MOST_BYTES} bytes; encrypt them in parts")
    try:
        from cryptography.hazmat.primitives.ciphers import aead  # noqa: PLC0415  # an extra, and slow to import
    except ImportError:
        raise missing(f"crypto.{what}.{name}") from None
    return aead.AESGCM(key) if name == "aes" else aead.ChaCha20Poly1305(key)


def missing(function: str) -> RefusedError:
    """Returns the refusal of a function that needs cryptography where it is not installed."""
    return RefusedError(f'{function} needs an extra of polycall: pip install "polycall[crypto]"', "Unavailable")
