"""The module ``yaml``: plain data as YAML, read and written by the registry (specification: system facts 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polycall.interop.errors import ConversionError
from polycall.lua_runtime.session import MOST_AT_ONCE_BYTES, RefusedError, Session

__all__ = ["host_functions"]


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/yaml.lua`` calls."""

    def encode(_unused: bytes, *run: object) -> Any:
        value, order, indent = session.received(run)
        names = [name for name in order if isinstance(name, str)] if isinstance(order, list) else []
        try:
            text = session.yaml.encode(value, session.check, field_order=names, indent=int(str(indent)))
            return session.answer(text)
        except ConversionError as error:
            raise RefusedError(error.message, "Internal") from error

    def decode(text: bytes) -> Any:
        try:
            return session.answer(session.yaml.decode(text.decode(), session.check))
        except UnicodeDecodeError:
            raise RefusedError("$: expected YAML text, got bytes that are not UTF-8", "Internal") from None
        except ConversionError as error:
            raise RefusedError(error.message, "Internal") from error

    return session.safe(encode, MOST_AT_ONCE_BYTES), session.safe(decode, MOST_AT_ONCE_BYTES)
