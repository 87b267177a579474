"""The modules of the host that a Lua entry may list under ``modules:``: what their Lua files ask of the host."""

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


MODULES: Mapping[str, Maker] = MappingProxyType(
    {
        name: partial(_host_functions, name)
        for name in (
            *("base64", "crypto", "ctx", "env", "fs", "funcs", "hash", "json", "logger"),
            *("registry", "time", "uuid", "yaml"),
        )
    }
    | {"payload": lambda session: (*_host_functions("json", session), *_host_functions("yaml", session))}
)
"""Name to what makes its host functions for a session."""

# What `time` is built upon: durations and layouts need nothing of the host.
_OF_TIME: Mapping[str, Maker] = {
    "modules/time/durations": lambda _session: (),
    "modules/time/zones": partial(_host_functions, "zones"),
    "modules/time/layouts": lambda _session: (),
}

ALWAYS_THERE = frozenset({"coroutine", "errors", "math", "os", "string", "table", "utf8"})
"""Globals that `require` gives as well; listing them under ``modules:`` is allowed and changes nothing."""


def files_of(modules: Iterable[str]) -> Mapping[str, Maker]:
    """Returns the files of Lua that make modules, in the order of their needs, each with what makes its host functions.

    Args:
        modules: Their names.
    """
    files: dict[str, Maker] = {}
    for name in modules:
        if name == "time":
            files |= _OF_TIME
        files[f"modules/{name}"] = MODULES[name]
    return files
