"""The modules of the host that a Lua entry may list under ``modules:``; each has a Lua half of its name in ``lua/``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polycall.lua_runtime.session import Session

__all__ = ["ALWAYS_THERE", "MODULES"]

HostFunctions = tuple[Callable[..., Any], ...]


def _host_functions(name: str, session: Session) -> HostFunctions:
    # Imported when an entry lists it: time zones, hashes and ciphers take longer to import than a short call.
    made: HostFunctions = import_module(f"{__name__}.{name}").host_functions(session)
    return made


MODULES: Mapping[str, Callable[[Session], HostFunctions]] = MappingProxyType(
    {
        name: partial(_host_functions, name)
        for name in (
            *("base64", "crypto", "ctx", "env", "fs", "funcs", "hash", "json", "logger"),
            *("payload", "registry", "time", "uuid", "yaml"),
        )
    }
)
"""Name to what makes its host functions for a session."""

ALWAYS_THERE = frozenset({"coroutine", "errors", "math", "os", "string", "table", "utf8"})
"""Globals that `require` gives as well; listing them under ``modules:`` is allowed and changes nothing."""
