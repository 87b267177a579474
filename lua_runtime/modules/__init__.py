"""The modules of the host that a Lua entry may list under ``modules:``; each has a Lua half of its name in ``lua/``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polycall.lua_runtime.session import Session

__all__ = ["ALWAYS_THERE", "MODULES", "files_of"]

HostFunctions = tuple[Any, ...]
Maker = Callable[["Session"], HostFunctions]


def _host_functions(name: str, session: Session) -> HostFunctions:
    # Imported when an entry lists it: time zones, hashes and ciphers take longer to import than a short call.
    made: HostFunctions = import_module(f"{__name__}.{name}").host_functions(session)
    return made


def _no_functions(_session: Session) -> HostFunctions:
    return ()


MODULES: Mapping[str, Maker] = MappingProxyType(
    {
        name: partial(_host_functions, name)
        for name in (
            *("base64", "crypto", "ctx", "env", "fs", "funcs", "hash", "json", "logger"),
            *("payload", "registry", "time", "uuid", "yaml"),
        )
    }
)
"""Name to what makes its host functions for a session."""

_BUILT_UPON: Mapping[str, Mapping[str, Maker]] = MappingProxyType(
    {
        "time": {
            "time/durations": _no_functions,
            "time/zones": partial(_host_functions, "zones"),
            "time/layouts": _no_functions,
        }
    }
)
"""Name to the files of Lua that its own needs before it, each with what makes its host functions."""

ALWAYS_THERE = frozenset({"coroutine", "errors", "math", "os", "string", "table", "utf8"})
"""Globals that `require` gives as well; listing them under ``modules:`` is allowed and changes nothing."""


def files_of(modules: Iterable[str]) -> Mapping[str, Maker]:
    """Returns the files of Lua that make modules, in the order of their needs, each with what makes its host functions.

    Args:
        modules: Their names.
    """
    files: dict[str, Maker] = {}
    for name in modules:
        files |= _BUILT_UPON.get(name, {})
        files[name] = MODULES[name]
    return {f"modules/{name}": maker for name, maker in files.items()}
