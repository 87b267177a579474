"""The module ``env``: the variables that ``env.variable`` entries declare (specification: system facts 1.9, 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polycall.interop.services import Services
from polycall.lua_runtime.modules.offered import offered
from polycall.lua_runtime.session import MOST_NAME_BYTES, RefusedError, Session

__all__ = ["host_functions"]

_MOST_VALUE_BYTES = 256 << 10  # 64 Ki characters, which is what a variable takes


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/env.lua`` calls."""
    namespace = session.entry_id.partition(":")[0]

    def get(services: Services, name: bytes) -> Any:
        return session.answer(_bytes(services.environment.get(name.decode(), namespace)))

    def set_value(services: Services, name: bytes, value: bytes) -> bool:
        if len(name) > MOST_NAME_BYTES:
            raise RefusedError(f"the name of a variable has at most {MOST_NAME_BYTES} bytes, not {len(name)}")
        services.environment.set(name.decode(), value.decode(), namespace)
        return True

    def get_all(services: Services) -> Any:
        return session.answer({name: _bytes(value) for name, value in services.environment.get_all().items()})

    return offered(session, get), offered(session, set_value, _MOST_VALUE_BYTES), offered(session, get_all)


def _bytes(value: str) -> bytes:
    # What the environment of the process holds need not be UTF-8; Lua can take it as it is.
    return value.encode(errors="surrogateescape")
