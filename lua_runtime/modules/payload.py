"""The module ``payload``: values with a format; its host functions are those of ``json`` (specification: 4.4)."""

from __future__ import annotations

from lua_runtime.modules.json import host_functions

__all__ = ["host_functions"]
