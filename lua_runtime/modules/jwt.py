"""JSON Web Tokens for ``crypto.jwt`` (RFC 7515, RFC 7518, RFC 7519); RS256 needs the distribution ``cryptography``."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from typing import Any, NoReturn

from polycall.interop.errors import ConversionError
from polycall.interop.json_text import decode_json, encode_json
from polycall.interop.values import Value
from polycall.lua_runtime.modules.aead import missing
from polycall.lua_runtime.modules.hash import mac_of
from polycall.lua_runtime.session import RefusedError, Session
from polycall.lua_runtime.values import readable

__all__ = ["encode_token", "verify_token"]

_HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_MOST_TOKEN_BYTES = 256 << 10
_MOST_PEM_BYTES = 4 << 10
_MOST_RSA_BITS = 4096
"""To read and check a private key of this size takes a quarter of a second, in one piece; twice the size, seconds."""


def encode_token(session: Session, claims: Value, key: Value, algorithm: Value) -> str:
    """Returns a signed token; a claim ``_header`` gives further fields of the header.

    Raises:
        RefusedError: Claims or key are of no use, or the algorithm is none that is known.
    """
    what = "crypto.jwt.encode"
    name = _known(what, algorithm)
    payload = dict(claims) if isinstance(claims, dict) else {}
    if claims and not payload:
        raise RefusedError(f"{what}: expected claims with names, got a list")
    extra = payload.pop("_header", None)
    header: dict[str, Value] = {**(extra if isinstance(extra, dict) else {}), "alg": name}
    try:
        parts = [
            encode_json(part, check=session.check) if part else "{}" for part in ({"typ": "JWT", **header}, payload)
        ]
    except ConversionError as error:
        raise RefusedError(f"{what}: {error.message}") from error
    fits = sum(map(len, parts)) <= _MOST_TOKEN_BYTES  # else not even written
    signed = b".".join(_b64url(part.encode()) for part in parts) if fits else b""
    if not fits or len(signed) > _MOST_TOKEN_BYTES:
        raise RefusedError(f"{what}: the token would have more than {_MOST_TOKEN_BYTES} bytes")
    secret = key.encode() if isinstance(key, str) else bytes(key) if isinstance(key, bytes) else b""
    return (signed + b"." + _b64url(_sign(session, what, name, secret, signed))).decode()


def verify_token(session: Session, token: bytes, key: bytes, algorithm: bytes, require_exp: bool) -> Value:
    """Returns the claims of a token that has the right signature and is valid now.

    The algorithm is the caller's to say: what the token's own header says must be the same, and is otherwise ignored.

    Raises:
        RefusedError: Of kind Invalid if key or algorithm are of no use, of kind Internal if the token is not good.
        ConversionError: Its parts are not JSON.
    """
    what = "crypto.jwt.verify"
    name = _known(what, readable(algorithm))
    if len(token) > _MOST_TOKEN_BYTES:
        _reject(f"it has more than {_MOST_TOKEN_BYTES} bytes")
    parts = token.split(b".", 3)
    if len(parts) != 3:
        _reject("it has not three parts")
    header = decode_json(_unb64url(parts[0]))
    if not isinstance(header, dict) or header.get("alg") != name:
        _reject(f"its algorithm is not {name}")
    if "crit" in header:
        _reject('its header asks for extensions ("crit") that are not known')
    _check_signature(session, what, name, key, parts)
    claims = decode_json(_unb64url(parts[1]))
    if not isinstance(claims, dict):
        _reject("its claims are not an object")
    _check_times(claims, require_exp)
    return claims


def _known(what: str, algorithm: Value) -> str:
    if isinstance(algorithm, str) and (algorithm in _HASHES or algorithm == "RS256"):
        return algorithm
    raise RefusedError(f"{what}: expected the algorithm HS256, HS384, HS512 or RS256")


def _reject(why: str) -> NoReturn:
    raise RefusedError(f"crypto.jwt.verify: the token is not valid: {why}", "Internal")


def _check_times(claims: dict[str, Value], require_exp: bool) -> None:
    now = time.time()
    for name in ("exp", "nbf"):
        value = claims.get(name)
        if value is None and not (name == "exp" and require_exp):
            continue
        if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
            _reject(f'the claim "{name}" is {"missing" if value is None else "no number"}')
        if now >= value if name == "exp" else now < value:
            _reject("it has expired" if name == "exp" else "it is not valid yet")


def _b64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _unb64url(text: bytes) -> bytes:
    try:
        if b"+" in text or b"/" in text or b"=" in text:
            raise binascii.Error
        plain = text.replace(b"-", b"+").replace(b"_", b"/") + b"=" * (-len(text) % 4)
        return binascii.a2b_base64(plain, strict_mode=True)
    except binascii.Error:
        _reject("a part is not base64url")


def _sign(session: Session, what: str, name: str, key: bytes, data: bytes) -> bytes:
    if not key:
        raise RefusedError(f"{what}: the key is empty")
    if name in _HASHES:
        return mac_of(session, _HASHES[name], data, key)
    private, scheme = _rsa(what, key, private=True)
    signature: bytes = private.sign(data, *scheme)
    return signature


def _check_signature(session: Session, what: str, name: str, key: bytes, parts: list[bytes]) -> None:
    signature, data = _unb64url(parts[2]), parts[0] + b"." + parts[1]
    if name in _HASHES:
        good = hmac.compare_digest(_sign(session, what, name, key, data), signature)
    else:
        good = _has_signed(what, key, data, signature)
    if not good:
        _reject("its signature is not that of this key")


def _has_signed(what: str, key: bytes, data: bytes, signature: bytes) -> bool:
    public, scheme = _rsa(what, key, private=False)
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # an extra: there when _rsa returned

    try:
        public.verify(signature, data, *scheme)
    except InvalidSignature:
        return False
    return True


def _rsa(what: str, pem: bytes, *, private: bool) -> tuple[Any, tuple[Any, Any]]:
    """Returns an RSA key, and the padding and the hash of RS256."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # an extra, and slow to import
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415  # the same
        from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415  # the same
    except ImportError:
        raise missing(f"{what} with RS256") from None
    expected = f"{what}: expected a{' private' if private else ' public'} RSA key as PEM text, without a password"
    if len(pem) > _MOST_PEM_BYTES:
        raise RefusedError(expected)
    try:
        load: Any = serialization.load_pem_private_key if private else serialization.load_pem_public_key
        key = load(pem, password=None) if private else load(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise RefusedError(expected) from None
    if not hasattr(key, "sign" if private else "verify") or not 1024 <= getattr(key, "key_size", 0) <= _MOST_RSA_BITS:
        raise RefusedError(f"{expected}, of 1024 to {_MOST_RSA_BITS} bits")
    return key, (padding.PKCS1v15(), hashes.SHA256())
