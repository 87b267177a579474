"""From a Lua entry with references to a program that the runtime can prepare."""

from __future__ import annotations

from polycall.interop.ids import EntryId
from polycall.interop.isolation import in_sandbox
from polycall.lua_runtime.spec import LuaFunctionSpec, LuaLibrarySpec, LuaProgram
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index

__all__ = ["isolation_of", "lua_program"]


def lua_program(entry: Entry, index: Index) -> LuaProgram:
    """Returns a Lua entry with its imports, and theirs, in place; the load has refused import cycles.

    Libraries are where their importer is; one that is looked at for itself is where `isolation_of` says.
    """
    return _lua_program(entry, index, {}, in_sandbox(isolation_of(entry, index)))


def isolation_of(entry: Entry, index: Index) -> str:
    """Returns where the text of a Lua entry may be looked at.

    That of a library is for the host's Lua if a function that runs there imports it. If only isolated ones do, or none
    does and the project's functions are isolated, it is for the sandbox.
    """
    project = index.settings.isolation
    if isinstance(entry.spec, LuaFunctionSpec):
        return entry.spec.isolation or project
    return "none" if "none" in index.importers().get(entry.id, {project}) else "sandbox"


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
