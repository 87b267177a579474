"""The host's own Lua code: package data under ``lua/``, compiled once per process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from polycall.lua_runtime.engine import State

__all__ = ["bytecode"]

_FOLDER = Path(__file__).parent / "lua"  # importlib.resources takes longer to import than all of these to compile
_DUMP = b"local text, name = ... return string.dump(assert(load(text, name, 't')), true)"


@cache
def bytecode(name: str) -> bytes:
    """Returns ``lua/<name>.lua`` compiled. Without line numbers: guests' errors must not point into host code."""
    text = (_FOLDER / f"{name}.lua").read_bytes()
    code: bytes = State(counted=False).run(_DUMP, text, f"={name}".encode())
    return code
