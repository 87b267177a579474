"""The module ``ctx``: the values that came with the call (specification: system facts 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polycall.interop.context import NO_VALUES
from polycall.interop.ids import cut, suggestion
from polycall.lua_runtime.session import MOST_NAME_BYTES, Session
from polycall.lua_runtime.values import readable

__all__ = ["host_functions"]


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/ctx.lua`` calls."""

    def get(key: bytes) -> Any:
        values = session.context.values if session.context else NO_VALUES
        name = readable(key)
        if name in values:
            return session.answer(values[name])
        near = suggestion(name, values)
        return session.refuse(f'the call carries no value "{cut(name)}"' + (f" ({near})" if near else ""), "NotFound")

    def everything() -> Any:
        return session.answer(dict(session.context.values) if session.context else {})

    return session.safe(get, MOST_NAME_BYTES), session.safe(everything)
