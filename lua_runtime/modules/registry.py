"""The module ``registry``: entries as data (specification: system facts 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polycall.interop.services import Services
from polycall.lua_runtime.modules.offered import offered
from polycall.lua_runtime.session import MOST_AT_ONCE_BYTES, RefusedError, Session

__all__ = ["host_functions"]


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/registry.lua`` calls."""

    def get(services: Services, entry_id: bytes) -> Any:
        return session.answer(services.entries.get(entry_id.decode()))

    def find(services: Services, _unused: bytes, *run: object) -> Any:
        (filters,) = session.received(run)
        if not isinstance(filters, dict):  # an empty table is an empty list
            if filters:
                raise RefusedError("registry.find expects a table of names and what they must be equal to, got a list")
            filters = {}
        return session.answer(services.entries.find(filters, session.check))

    return offered(session, get), offered(session, find, MOST_AT_ONCE_BYTES)
