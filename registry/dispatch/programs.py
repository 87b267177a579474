"""From an entry with references to a program that a runtime can prepare."""

from __future__ import annotations

from polycall.interop.ids import EntryId
from polycall.interop.source import SourceText
from polycall.lua_runtime.spec import LuaFunctionSpec, LuaLibrarySpec, LuaProgram
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.services.filesystems import FileSystems
from polycall.wasm_runtime.imports import group_of_spelling
from polycall.wasm_runtime.spec import BinaryFile, WasmFunctionSpec, WasmProgram, WatFunctionSpec

__all__ = ["lua_program", "wasm_program"]


def lua_program(entry: Entry, index: Index) -> LuaProgram:
    """Returns a Lua entry with its imports, and theirs, in place; the load has refused import cycles."""
    return _lua_program(entry, index, {})


def _lua_program(entry: Entry, index: Index, known: dict[EntryId, LuaProgram]) -> LuaProgram:
    spec = entry.spec
    if not isinstance(spec, (LuaFunctionSpec, LuaLibrarySpec)):
        raise TypeError(f"{entry.id} is not a Lua entry")
    if entry.id not in known:
        known[entry.id] = LuaProgram(
            entry_id=str(entry.id),
            source=spec.source,
            method=spec.method if isinstance(spec, LuaFunctionSpec) else None,
            modules=spec.modules,
            imports={alias: _lua_program(index.get(target), index, known) for alias, target in spec.imports.items()},
            **({"limits": spec.limits} if isinstance(spec, LuaFunctionSpec) else {}),
        )
    return known[entry.id]


def wasm_program(entry: Entry, file_systems: FileSystems) -> WasmProgram:
    """Returns a WebAssembly entry with its binary located.

    Raises:
        PreparationError: The file system or the file is not there, or lies outside.
    """
    spec = entry.spec
    if isinstance(spec, WasmFunctionSpec):
        folder = file_systems.locate(spec.fs, spec.path).folder
        name = f"{spec.fs}/{spec.path.lstrip('/')}"
        code: BinaryFile | SourceText = BinaryFile(folder, spec.path, name, spec.hash)
    elif isinstance(spec, WatFunctionSpec):
        code = spec.source
    else:
        raise TypeError(f"{entry.id} is not a WebAssembly entry")
    return WasmProgram(
        entry_id=str(entry.id),
        code=code,
        method=spec.method,
        wit=spec.wit,
        grants=frozenset(filter(None, map(group_of_spelling, spec.imports))),
        strict_imports=spec.strict_imports,
        limits=spec.limits,
    )
