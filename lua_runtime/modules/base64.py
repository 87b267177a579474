"""The module ``base64``: the standard alphabet, with padding (specification: system facts 4.4; RFC 4648, section 4)."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any

from polycall.lua_runtime.session import PIECE, RefusedError, Session

__all__ = ["host_functions"]

_PLAIN_PIECE = PIECE // 3 * 3
_TEXT_PIECE = PIECE // 4 * 4


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/base64.lua`` calls."""

    def encode(data: bytes) -> Any:
        pieces = session.pieces(data, _PLAIN_PIECE)
        return session.answer(b"".join([binascii.b2a_base64(piece, newline=False) for piece in pieces]))

    def decode(text: bytes) -> Any:
        # Line breaks are how mail and PEM files wrap base64; the system we re-implement passes over them as well.
        unwrapped = text.translate(None, b"\r\n")
        return session.answer(b"".join(_decoded(session, unwrapped)))

    return session.safe(encode), session.safe(decode)


def _decoded(session: Session, text: bytes) -> list[bytes]:
    if 0 <= text.find(b"=") < len(text) - 2:
        raise RefusedError("base64.decode: padding before the end")
    try:
        return [binascii.a2b_base64(piece, strict_mode=True) for piece in session.pieces(text, _TEXT_PIECE)]
    except binascii.Error as error:
        raise RefusedError(f"base64.decode: {_said(error)}") from None


def _said(error: binascii.Error) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]
