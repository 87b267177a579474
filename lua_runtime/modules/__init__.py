"""The modules of the host that a Lua entry may list under ``modules:``; each has a Lua half of its name in ``lua/``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from polycall.lua_runtime.modules import (
    base64,
    crypto,
    ctx,
    env,
    fs,
    funcs,
    hash,
    json,
    logger,
    payload,
    registry,
    time,
    uuid,
    yaml,
)
from polycall.lua_runtime.session import Session

__all__ = ["ALWAYS_THERE", "MODULES"]

MODULES: Mapping[str, Callable[[Session], tuple[Callable[..., Any], ...]]] = MappingProxyType(
    {
        "base64": base64.host_functions,
        "crypto": crypto.host_functions,
        "ctx": ctx.host_functions,
        "env": env.host_functions,
        "fs": fs.host_functions,
        "funcs": funcs.host_functions,
        "hash": hash.host_functions,
        "json": json.host_functions,
        "logger": logger.host_functions,
        "payload": payload.host_functions,
        "registry": registry.host_functions,
        "time": time.host_functions,
        "uuid": uuid.host_functions,
        "yaml": yaml.host_functions,
    }
)
"""Name to what makes its host functions for a session."""

ALWAYS_THERE = frozenset({"coroutine", "errors", "math", "os", "string", "table", "utf8"})
"""Globals that `require` gives as well; listing them under ``modules:`` is allowed and changes nothing."""
