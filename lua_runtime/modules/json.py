"""The module ``json``: the project's one set of JSON rules, for Lua (specification: system facts 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polycall.interop.errors import ConversionError
from polycall.interop.json_text import decode_json, encode_json
from polycall.lua_runtime.session import MOST_AT_ONCE_BYTES, Session

__all__ = ["host_functions"]


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/json.lua`` calls."""

    def encode(_unused: bytes, *run: object) -> Any:
        try:
            return session.answer(encode_json(session.received(run)[0], check=session.check))
        except ConversionError as error:
            return session.refuse(error.message, "Internal")

    def decode(text: bytes) -> Any:
        try:
            return session.answer(decode_json(text, check=session.check))
        except ConversionError as error:
            return session.refuse(error.message, "Internal")

    return session.safe(encode, MOST_AT_ONCE_BYTES), session.safe(decode, MOST_AT_ONCE_BYTES)
