"""The names that a chunk finds without `require`. The sandbox is asked for them: it alone has the list."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.source import SourceText
from polycall.lua_runtime.runtime import LuaRuntime
from polycall.lua_runtime.spec import LuaProgram

__all__ = ["GLOBALS", "library_names"]

GLOBALS = "_G"
"""Under what the globals themselves are; everything else is called as the library is."""

_ENTRY = "polycall:names"
_ASK = """
local function names_of(content)
  local names = {}
  for name in pairs(content) do names[#names + 1] = name end
  return names
end
return { list = function()
  local found = {}
  for name, value in pairs(_G) do
    if type(value) == "table" then found[name] = names_of(value) end
  end
  return found
end }
"""


@cache
def library_names() -> Mapping[str, frozenset[str]]:
    """Returns what each global library has, and under `GLOBALS` all globals of a chunk."""
    nobody: Any = None  # this chunk calls no entry and has no module
    program = LuaProgram(_ENTRY, SourceText(_ASK, "names.lua"), "list")
    instance = LuaRuntime(nobody, nobody).prepare(program).instantiate()
    try:
        found: Any = instance.call([], CallContext(_ENTRY, "lua"))
    finally:
        instance.close()
    return {library: frozenset(names) for library, names in found.items()}
