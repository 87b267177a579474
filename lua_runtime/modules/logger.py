"""The module ``logger`` and `print`: lines in the log ``polycall.entry.<id>`` (specification: system facts 4.4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from interop.json_text import encode_json
from interop.values import Value
from lua_runtime.session import Session

__all__ = ["host_functions", "line_writer"]

_LEVELS = {b"debug": logging.DEBUG, b"info": logging.INFO, b"warn": logging.WARNING, b"error": logging.ERROR}


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/logger.lua`` calls."""

    def write(level: bytes, *run: object) -> None:
        name, message, fields = session.received(run)
        logger = _logger_of(session.entry_id, _shown(name))
        if logger.isEnabledFor(_LEVELS[level]):
            known = fields if isinstance(fields, dict) else {}
            extra = {"fields": known, **_call_of(session)}
            logger.log(_LEVELS[level], "%s", _line(_shown(message), known), extra=extra)

    return (session.safe(write),)


def line_writer(session: Session) -> Callable[..., Any]:
    """Returns what Lua's `print` calls."""
    logger = _logger_of(session.entry_id, "")

    def write_line(line: bytes) -> None:
        if logger.isEnabledFor(logging.INFO):
            logger.info("%s", line.decode(errors="backslashreplace"), extra=_call_of(session))

    return session.safe(write_line)


def _call_of(session: Session) -> dict[str, str | int]:
    """Returns the attributes by which a record is found beside that of its call; none while a chunk starts up."""
    context = session.context
    if context is None:
        return {}
    return {
        "entry_id": context.entry_id,
        "call_id": context.call_id,
        "frame_id": context.frame_id,
        "depth": context.depth,
    }


def _logger_of(entry_id: str, name: str) -> logging.Logger:
    return logging.getLogger(f"polycall.entry.{entry_id}" + (f".{name}" if name else ""))


def _line(message: str, fields: Mapping[str, Value]) -> str:
    return " ".join([message, *(f"{name}={_shown(value)}" for name, value in fields.items())])


def _shown(value: Value) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value if isinstance(value, str) else encode_json(value)
