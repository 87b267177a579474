"""The only file that imports lupa: one Lua 5.4 state with every door of the bridge shut.

Lupa is a bridge, not a sandbox. What this package relies on, and keeps to:

- Guests never see the real globals, `debug`, ``python`` or an object of lupa's; see ``lua/library/environment.lua``.
- Only scalars cross. A table that crosses would become a proxy object, which allocates in Lua outside of any protected
  call; so would a string that is pushed into a full state. Such a failed allocation ends the process, or jumps over
  Python frames. Therefore the memory limit is off while the host pushes.
- A host function raises nothing. An exception that does arise inside lupa's own call (KeyboardInterrupt) becomes a Lua
  error that our Lua code never lets a guest catch, and lupa raises it again outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from lupa.lua54 import LuaError, LuaMemoryError, LuaRuntime

__all__ = ["LuaError", "LuaFunctionHandle", "LuaMemoryError", "State"]


LuaFunctionHandle: TypeAlias = Callable[..., Any]
"""A Lua function of ours; takes and gives scalars, several results as a tuple."""


class State:
    """A Lua state. One thread uses it at a time; other states run in parallel, for Lua code holds no GIL.

    Its memory limit must be lifted while the host pushes values into it. The Lua code that receives the values puts it
    back first of all; what they took then counts, so the guest's next allocation may fail, in Lua, where that is an
    ordinary error.
    """

    def __init__(self, *, counted: bool) -> None:
        """Makes a state.

        Args:
            counted: Whether its memory is counted, so that it can be limited.
        """
        self._maximum = 0
        self._lua: LuaRuntime | None = LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_deny,
            max_memory=0 if counted else None,
        )

    def run(self, code: bytes, *arguments: object) -> Any:
        """Runs a chunk of the host's own; never a guest's."""
        return None if self._lua is None else self._lua.execute(code, *arguments)

    def limit(self, most_bytes: int) -> None:
        """Limits the memory of a counted state. What it holds already is the host's and does not count."""
        if self._lua is not None:
            self._maximum = self._lua.get_memory_used() + most_bytes
            self.restore()

    def lift(self) -> None:
        """Lets it grow without bound."""
        if self._lua is not None:
            self._lua.set_max_memory(0)

    def restore(self) -> None:
        """Applies the limit again."""
        if self._lua is not None:
            self._lua.set_max_memory(self._maximum)

    def release(self) -> None:
        """Lets go of the engine's state, which lives on while somebody has a function of it."""
        self._lua = None


def _deny(_owner: object, name: object, _setting: bool) -> NoReturn:
    raise AttributeError(f"attribute {name!r} is not available")
