"""Messages between the parent and a worker: msgpack behind a length, nothing that could carry code.

A message is a list: a word, then what belongs to it. The parent reads with `Reader.read_checked`, for a worker that
its guest has taken over can send anything; the worker trusts its parent.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import msgpack

from polycall.interop.errors import ConversionError
from polycall.interop.values import MAX_NESTING, plain

__all__ = ["MAX_MESSAGE_BYTES", "MessageError", "Reader", "pack"]

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""What arguments, or a result, may take; a sender that announces more is not listened to."""

_LENGTH = struct.Struct("<I")
_WIDE_INTEGER = 1
_WIDE_BYTES = 4096
_SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_ENVELOPE = 8  # levels that a message adds around the values in it
_TEXT = "surrogatepass"  # Python's str may hold half a surrogate pair; which value that is wrong for, its runtime says


class MessageError(ValueError):
    """What arrived is no message."""


def pack(word: str, value: object, path: str, *rest: object, direction: str = "lower") -> bytes:
    """Returns a message as bytes.

    Args:
        word: What kind of message it is.
        value: Its first part, which comes from a guest or a caller.
        path: Where `value` stands, for the message of an error: ``$.args``.
        *rest: Further parts, of plain types.
        direction: ``lower`` or ``lift``, for the same.

    Raises:
        ConversionError: The value is not plain, or the message would be too long.
    """
    try:
        body = _encode([word, value, *rest])
    except (TypeError, ValueError):  # a foreign type, or nesting without end
        body = _encode([word, plain(value, path), *rest])
    if len(body) > MAX_MESSAGE_BYTES:
        expected = f"at most {MAX_MESSAGE_BYTES} bytes, for an isolated function"
        raise ConversionError(path, direction, expected, f"{len(body)} bytes")
    return _LENGTH.pack(len(body)) + body


def _encode(message: list[object]) -> bytes:
    body: bytes = msgpack.packb(message, default=_encode_other, strict_types=True, unicode_errors=_TEXT)
    return body


def _encode_other(value: object) -> object:
    if type(value) is int:  # beyond 64 bits: no guest takes it, and the guest's runtime says so best
        return msgpack.ExtType(_WIDE_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))
    raise TypeError(f"a {type(value).__name__} is not plain")


class Reader:
    """Gathers received bytes and gives the messages in them."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> None:
        """Takes bytes, in whatever pieces they came."""
        self._received += data

    def read(self) -> list[Any] | None:
        """Returns the next message of a trusted sender, or None until more bytes have come.

        Raises:
            MessageError: The bytes are no message.
        """
        body = self._next_body()
        return None if body is None else _decode(body)

    def read_checked(self) -> list[Any] | None:
        """Like `read`, for any sender: what it returns is made of plain values only.

        Raises:
            MessageError: The bytes are no message, or there is something else than plain values in it.
        """
        message = self.read()
        if message is not None:
            _check_plain(message)
        return message

    def _next_body(self) -> bytes | None:
        received = self._received
        if len(received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(received)
        if length > MAX_MESSAGE_BYTES:
            raise MessageError(f"a message of {length} bytes")
        end = _LENGTH.size + length
        if len(received) < end:
            return None
        body = bytes(memoryview(received)[_LENGTH.size : end])
        del received[:end]
        return body


def _decode(body: bytes) -> list[Any]:
    try:
        message = msgpack.unpackb(body, ext_hook=_decode_other, unicode_errors=_TEXT)
    except Exception as error:  # msgpack raises many kinds for bytes that are wrong in many ways
        raise MessageError(f"bytes that are no message: {error!r}") from error
    if type(message) is not list or not message:
        raise MessageError("a message that is no list")
    return message


def _decode_other(code: int, data: bytes) -> int:
    if code != _WIDE_INTEGER or len(data) > _WIDE_BYTES:
        raise MessageError(f"an extension {code} of {len(data)} bytes")
    return int.from_bytes(data, "little", signed=True)


def _check_plain(message: list[Any]) -> None:
    """Goes down level by level, not by recursion: the sender chooses how deep it nests."""
    level: list[Any] = message
    for _ in range(MAX_NESTING + _ENVELOPE):
        level = list(_contents(level))
        if not level:
            return
    raise MessageError("a message that nests too deeply")


def _contents(values: list[Any]) -> Iterator[Any]:
    for value in values:
        kind = type(value)
        if kind is list:
            yield from value
        elif kind is dict:
            if any(type(key) is not str for key in value):
                raise MessageError("a key that is no text")
            yield from value.values()
        elif kind not in _SCALARS:
            raise MessageError(f"a {kind.__name__}")
