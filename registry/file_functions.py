"""A function of a file that is in no project: a registry with that one entry, which grants nothing of the machine."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from polycall.interop.errors import MissingExportError, NotFoundError, PreparationError
from polycall.interop.ids import EntryId, cut, suggestion
from polycall.interop.program_files import WASM_MAGIC, read_program
from polycall.interop.source import SourceText
from polycall.registry.entries.data_kinds import FsDirectorySpec
from polycall.registry.entries.entry import Entry, Location
from polycall.registry.entries.index import Index
from polycall.registry.loading import of_entries
from polycall.registry.registry import Registry

__all__ = ["function_id", "open_file"]

_NAMESPACE = "file"
_FOLDER = EntryId(_NAMESPACE, "folder-of-the-file")
_LONGEST_HINT = 1_000
_GRANTS = ("wasi:cli", "wasi:io", "wasi:clocks", "wasi:random", "wasi:filesystem", "wasi1")
"""What hands out nothing by itself: no folder is mounted."""

_MODULES = ("base64", "crypto", "ctx", "hash", "json", "logger", "payload", "time", "uuid", "yaml")
"""Those of Lua's that reach nothing of the machine."""


def function_id(path: Path, function: str) -> str:
    """Returns the id of a function of a file: what messages call it."""
    return str(EntryId(_NAMESPACE, f"{path.name}#{function}".replace(":", "_")))


def open_file(path: Path, function: str, *, wit: str | None = None, isolation: str | None = None) -> Registry:
    """Returns a registry in which a function of a file can be called by its `function_id`.

    Args:
        path: WebAssembly, binary or text, or Lua (``.lua``).
        function: An export, of an interface as well, or what the table has that the Lua file returns.
        wit: The signature of a core module's export; without, that of its numbers.
        isolation: Where it runs; None for this process.

    Raises:
        NotFoundError: There is no such file.
        PreparationError: It cannot be called.
    """
    try:
        data = read_program(path)
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}") from error
    if path.suffix == ".lua":
        return _registry(path, function, "function.lua", _placed(_lua_spec(path, function, data), isolation))
    folder = _entry(path, _FOLDER, "fs.directory", FsDirectorySpec(directory=str(path.resolve().parent)))
    kind = "function.wasm" if data.startswith(WASM_MAGIC) else "function.wat"
    missing: MissingExportError | None = None
    for method in (function, f"#{function}"):  # of the file itself, or of whichever interface has it
        registry = _registry(path, function, kind, _placed(_wasm_spec(path, method, data, wit), isolation), folder)
        try:
            registry.prepare(function_id(path, function))
        except MissingExportError as error:
            registry.close()
            missing = missing or error
        except BaseException:
            registry.close()
            raise
        else:
            return registry
    raise missing or PreparationError(f"{path} has no {function}")


def _registry(path: Path, function: str, kind: str, spec: Any, *others: Entry) -> Registry:
    entry = _entry(path, EntryId.parse(function_id(path, function)), kind, spec)
    index = Index([entry, *others], path.resolve().parent)
    return of_entries(index)


def _entry(path: Path, entry_id: EntryId, kind: str, spec: Any) -> Entry:
    nothing: Mapping[str, Any] = MappingProxyType({})
    return Entry(entry_id, kind, nothing, nothing, spec, Location(str(path), 1, 1), path.resolve().parent)


def _placed(spec: Any, isolation: str | None) -> Any:
    """Returns a spec with what the settings of a project would say."""
    return dataclasses.replace(spec, isolation=isolation or "none")


def _lua_spec(path: Path, function: str, data: bytes) -> Any:
    from polycall.lua_runtime.spec import LuaFunctionSpec  # noqa: PLC0415  # one file has one language

    return LuaFunctionSpec(source=_source(path, data), method=function, modules=_MODULES)


def _wasm_spec(path: Path, method: str, data: bytes, wit: str | None) -> Any:
    from polycall.wasm_runtime.spec import WasmFunctionSpec, WatFunctionSpec  # noqa: PLC0415  # as above

    wit = wit or _numbers(path, method, data)
    if not data.startswith(WASM_MAGIC):
        return WatFunctionSpec(source=_source(path, data), method=method, wit=wit, imports=_GRANTS)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return WasmFunctionSpec(fs=_FOLDER, path=path.resolve().name, hash=digest, method=method, wit=wit, imports=_GRANTS)


def _numbers(path: Path, method: str, data: bytes) -> str | None:
    from polycall.wasm_runtime.bare_signature import bare_signatures  # noqa: PLC0415  # loads the engine

    code = data if data.startswith(WASM_MAGIC) else _source(path, data)
    found = bare_signatures(code)
    if found and method not in found:
        hint = suggestion(method, found) or f"it exports {', '.join(sorted(found))}"
        raise MissingExportError(f'{path}: no export "{method}"', hint=cut(hint, _LONGEST_HINT))
    if found.get(method, "") is None:
        hint = f'say what it takes and gives: --wit "{method}: func(a: string) -> string"'
        raise PreparationError(
            f"{path}: {method} takes or gives more than numbers, which a core module does not tell", hint=hint
        )
    return found.get(method)


def _source(path: Path, data: bytes) -> SourceText:
    try:
        return SourceText(data.decode(), str(path))
    except UnicodeDecodeError as error:
        raise PreparationError(f"{path} is neither WebAssembly nor UTF-8 text") from error
