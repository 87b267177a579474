"""Messages between the parent and a worker: msgpack behind a length, nothing that could carry code.

A message is a list: a word, then what belongs to it. The parent reads with `Reader.read_checked`, for a worker that
its guest has taken over can send anything: each message is measured before any of it is built, and built in pieces,
between which other threads run. The worker trusts its parent.
"""

from __future__ import annotations

import signal
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgpack

from polycall.interop.errors import ConversionError
from polycall.interop.values import plain
from polycall.registry.isolation.measure import MAX_MESSAGE_VALUES, MessageError, TooMuchError, measure

__all__ = ["END_WAITS", "MAX_MESSAGE_BYTES", "MessageError", "Reader", "pack"]

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""What arguments, or a result, may take; a sender that announces more is not listened to."""

END_WAITS = signal.SIGUSR1
"""Tells a worker that its guest may wait for nothing any more: no message, for it comes whatever the worker does."""

_LENGTH = struct.Struct("<I")
_WIDE_INTEGER = 1
_WIDE_BYTES = 4096
_PIECE_BYTES = 64 * 1024
_TEXT = (
    "surrogatepass"  # a caller's str may hold half a surrogate pair: the guest's runtime says for what that is wrong
)


def _nothing() -> None:
    return


def pack(
    word: str,
    value: object,
    path: str,
    *rest: object,
    direction: str = "lower",
    check: Callable[[], None] = _nothing,
) -> bytes:
    """Returns a message as bytes.

    Args:
        word: What kind of message it is.
        value: Its first part, which comes from a guest or a caller.
        path: Where `value` stands, for the message of an error: ``$.args``.
        *rest: Further parts, of plain types.
        direction: ``lower`` or ``lift``, for the same.
        check: Called now and then, for long messages; raises to end the work.

    Raises:
        ConversionError: The value is not plain, or the message would be too long or have too many values.
    """
    try:
        body = _encode([word, value, *rest])
    except (TypeError, ValueError):  # a foreign type, or nesting without end
        body = _encode([word, plain(value, path), *rest])
    if len(body) > MAX_MESSAGE_BYTES:
        expected = f"at most {MAX_MESSAGE_BYTES} bytes, for an isolated function"
        raise ConversionError(path, direction, expected, f"{len(body)} bytes")
    if 2 * len(body) > MAX_MESSAGE_VALUES:  # a shorter one cannot have too many values, nor too long a text
        try:
            measure(body, check)
        except TooMuchError as error:
            raise ConversionError(path, direction, f"at most {error.most}, for an isolated function", "more") from error
    return _LENGTH.pack(len(body)) + body


def _encode(message: list[object]) -> bytes:
    body: bytes = msgpack.packb(message, default=_encode_other, strict_types=True, unicode_errors=_TEXT)
    return body


def _encode_other(value: object) -> object:
    if type(value) is int:  # beyond 64 bits: no guest takes it, and the guest's runtime says so best
        return msgpack.ExtType(_WIDE_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))
    raise TypeError(f"a {type(value).__name__} is not plain")


class Reader:
    """Gathers received bytes and gives the messages in them.

    Attributes:
        last_bytes: How long the last message was.
    """

    def __init__(self) -> None:
        self._received = bytearray()
        self.last_bytes = 0

    @property
    def has_more(self) -> bool:
        """Whether something came after the last message."""
        return bool(self._received)

    def feed(self, data: bytes) -> None:
        """Takes bytes, in whatever pieces they came."""
        self._received += data

    def read(self) -> list[Any] | None:
        """Returns the next message of a trusted sender, or None until more bytes have come.

        Raises:
            MessageError: The bytes are no message.
        """
        body = self._next_body()
        return None if body is None else _decoded(lambda: msgpack.unpackb(body, **_TRUSTING))

    def read_checked(self, check: Callable[[], None] = _nothing) -> list[Any] | None:
        """Like `read`, for any sender: what it returns is made of plain values only, and not of too many.

        Args:
            check: Called now and then; raises to end the work.

        Raises:
            MessageError: The bytes are no message, or there is something else than plain values in it.
        """
        body = self._next_body()
        if body is None:
            return None
        measure(body, check)
        return _decoded(lambda: _in_pieces(body, check))

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
        with memoryview(received) as view:
            body = bytes(view[_LENGTH.size : end])
        del received[:end]
        self.last_bytes = length
        return body


def _decode_other(code: int, data: bytes) -> int:
    if code != _WIDE_INTEGER or len(data) > _WIDE_BYTES:
        raise MessageError(f"an extension {code} of {len(data)} bytes")
    return int.from_bytes(data, "little", signed=True)


_TRUSTING: dict[str, Any] = {"ext_hook": _decode_other, "unicode_errors": _TEXT}


def _decoded(decode: Callable[[], Any]) -> list[Any]:
    try:
        message = decode()
    except (MessageError, msgpack.UnpackException, UnicodeDecodeError, ValueError) as error:
        raise MessageError(f"bytes that are no message: {type(error).__name__}") from error
    if type(message) is not list or not message:
        raise MessageError("a message that is no list")
    return message


def _in_pieces(body: bytes, check: Callable[[], None]) -> Any:
    """Decodes what was measured; text must be UTF-8."""
    if len(body) <= _PIECE_BYTES:
        return msgpack.unpackb(body)
    unpacker = msgpack.Unpacker(max_buffer_size=MAX_MESSAGE_BYTES, read_size=_PIECE_BYTES)
    view = memoryview(body)
    for start in range(0, len(body), _PIECE_BYTES):
        check()
        unpacker.feed(view[start : start + _PIECE_BYTES])
        with suppress(msgpack.OutOfData):  # until the last piece: it goes on where it stopped
            return unpacker.unpack()
    raise MessageError("half a message")
