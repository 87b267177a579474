"""Lua 5.4 as a guest language: kinds, preparation, calls.

The declarations are here; what runs them is in `polycall.lua_runtime.runtime`, which alone needs the engine and is
therefore imported only where a Lua entry is prepared.
"""

from __future__ import annotations

from polycall.lua_runtime.spec import KINDS, LuaFunctionSpec, LuaLibrarySpec, LuaProgram

__all__ = ["KINDS", "LuaFunctionSpec", "LuaLibrarySpec", "LuaProgram"]
