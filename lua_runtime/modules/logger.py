"""The module ``logger`` and `print`: lines in the log ``polycall.entry.<id>`` (specification: system facts 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polycall.interop.guest_log import LINE_BYTES, MOST_FIELD_VALUES
from polycall.interop.logs import DEBUG, ERROR, INFO, WARNING
from polycall.lua_runtime.session import Session

__all__ = ["host_functions", "line_writer"]

_LEVELS = {b"debug": DEBUG, b"info": INFO, b"warn": WARNING, b"error": ERROR}


def host_functions(session: Session) -> tuple[Any, ...]:
    """Returns what ``lua/modules/logger.lua`` needs: what it calls, and the bounds it keeps to."""

    def write(level: bytes, *run: object) -> None:
        name, message, cut_off, fields = session.received(run)
        session.untidy = True
        session.log.write(
            _LEVELS[level],
            message if isinstance(message, (str, bytes)) else "",
            session.context,
            cut_off=cut_off if isinstance(cut_off, int) else 0,
            name=name if isinstance(name, str) else "",
            fields=fields if isinstance(fields, dict) else {},
        )

    return session.safe(write, 2 * LINE_BYTES), LINE_BYTES, MOST_FIELD_VALUES


def line_writer(session: Session) -> tuple[Callable[..., Any], int]:
    """Returns what Lua's `print` calls, and how much of a line it hands over."""

    def write_line(line: bytes, cut_off: int) -> None:
        session.untidy = True
        session.log.write(INFO, line, session.context, cut_off=cut_off)

    return session.safe(write_line, 2 * LINE_BYTES), LINE_BYTES
