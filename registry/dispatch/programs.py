"""From a Lua entry with references to a program that the runtime can prepare."""

from __future__ import annotations

from polycall.interop.ids import EntryId
from polycall.interop.isolation import in_sandbox
from polycall.lua_runtime.spec import LuaFunctionSpec, LuaLibrarySpec, LuaProgram
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index

__all__ = ["lua_program"]


def lua_program(entry: Entry, index: Index) -> LuaProgram:
    """Returns a Lua entry with its imports, and theirs, in place; the load has refused import cycles.

    Libraries are where their importer is. One that is looked at for itself is where functions are that say nothing.
    """
    own = entry.spec.isolation if isinstance(entry.spec, LuaFunctionSpec) else None
    return _lua_program(entry, index, {}, in_sandbox(own or index.settings.isolation))


def _lua_program(entry: Entry, index: Index, known: dict[EntryId, LuaProgram], sandbox: bool) -> LuaProgram:
    spec = entry.spec
    if not isinstance(spec, (LuaFunctionSpec, LuaLibrarySpec)):
        raise TypeError(f"{entry.id} is not a Lua entry")
    if entry.id not in known:
        known[entry.id] = LuaProgram(
            entry_id=str(entry.id),
            source=spec.source,
            method=spec.method if isinstance(spec, LuaFunctionSpec) else None,
            modules=spec.modules,
            imports={
                alias: _lua_program(index.get(target), index, known, sandbox) for alias, target in spec.imports.items()
            },
            sandbox=sandbox,
            **({"limits": spec.limits} if isinstance(spec, LuaFunctionSpec) else {}),
        )
    return known[entry.id]
