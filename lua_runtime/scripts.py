"""The host's own Lua code: package data under ``lua/``, compiled once per process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from polycall.lua_runtime.engine import State

__all__ = ["bytecodes", "text_of_script"]

_FOLDER = Path(__file__).parent / "lua"  # importlib.resources takes longer to import than all of these to compile
_DUMP = b"local text, name = ... return string.dump(assert(load(text, name, 't')), true)"


@cache
def bytecodes(names: tuple[str, ...]) -> Mapping[str, bytes]:
    """Returns each ``lua/<name>.lua`` compiled. Without line numbers: guests' errors must not point into host code."""
    state = State(counted=False)  # of its own, for no other thread; making one for each file took as long as compiling
    return MappingProxyType({name: _compiled(state, name) for name in names})


def text_of_script(name: str) -> bytes:
    """Returns the text of ``lua/<name>.lua``."""
    return (_FOLDER / f"{name}.lua").read_bytes()


def _compiled(state: State, name: str) -> bytes:
    code: bytes = state.run(_DUMP, text_of_script(name), f"={name}".encode())
    return code
