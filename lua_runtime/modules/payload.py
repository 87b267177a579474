"""The module ``payload``: values with a format, written and read by ``json`` and ``yaml`` (specification: 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polycall.lua_runtime.modules import json, yaml
from polycall.lua_runtime.session import Session

__all__ = ["host_functions"]


def host_functions(session: Session) -> tuple[Callable[..., Any], ...]:
    """Returns what ``lua/modules/payload.lua`` calls."""
    return *json.host_functions(session), *yaml.host_functions(session)
