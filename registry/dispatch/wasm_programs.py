"""From a WebAssembly entry with references to a program that the runtime can prepare."""

from __future__ import annotations

import posixpath

from polycall.interop.confined import ConfinedFolder
from polycall.interop.errors import NotFoundError, PreparationError
from polycall.interop.source import SourceText
from polycall.registry.entries.entry import Entry
from polycall.registry.services.filesystems import FileSystems
from polycall.wasm_runtime.imports import group_of_spelling
from polycall.wasm_runtime.spec import BinaryFile, WasmFunctionSpec, WasmProgram, WatFunctionSpec

__all__ = ["wasm_program"]

_BUILD = "polycall build makes it"


def wasm_program(entry: Entry, file_systems: FileSystems) -> WasmProgram:
    """Returns a WebAssembly entry with its binary located.

    Raises:
        PreparationError: It declares no hash; the file system or the file is not there, or lies outside.
    """
    spec = entry.spec
    if isinstance(spec, WasmFunctionSpec):
        if spec.hash is None:
            raise PreparationError(
                "it declares no hash of its binary, so it is not run",
                entry_id=str(entry.id),
                hint=f"polycall hash --write {entry.id} writes it" if spec.build is None else _BUILD,
            ).at("hash")
        folder = _located(spec, file_systems)
        name = f"{spec.fs}/{spec.path.lstrip('/')}"
        path = posixpath.join(folder.inside, spec.path.lstrip("/"))
        code: BinaryFile | SourceText = BinaryFile(folder.folder, path, name, spec.hash)
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
        links=spec.links,
        wasi=spec.wasi,
    )


def _located(spec: WasmFunctionSpec, file_systems: FileSystems) -> ConfinedFolder:
    try:
        return file_systems.locate(spec.fs, spec.path)
    except NotFoundError as error:
        if spec.build is not None:
            error.hint = _BUILD
        raise
