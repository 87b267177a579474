"""A resolved program as bytes, for the worker that will prepare it. Only ever read from the parent."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack

from polycall.interop.ids import EntryId
from polycall.interop.limits import LimitsSpec
from polycall.interop.source import SourceText
from polycall.lua_runtime.spec import LuaProgram
from polycall.wasm_runtime.spec import (
    BinaryFile,
    CappedNetwork,
    WasiEnvSpec,
    WasiLimitsSpec,
    WasiMountSpec,
    WasiNetworkSpec,
    WasiSpec,
    WasmProgram,
)

__all__ = ["decode_program", "encode_program"]

_RECORDS: tuple[type[Any], ...] = (
    LuaProgram,
    WasmProgram,
    SourceText,
    BinaryFile,
    LimitsSpec,
    EntryId,
    WasiSpec,
    WasiEnvSpec,
    WasiMountSpec,
    WasiLimitsSpec,
    WasiNetworkSpec,
    CappedNetwork,
)
"""The dataclasses and named tuples that programs are made of. The place of each is its code."""

_PATH, _TUPLE, _SET = 100, 101, 102


def encode_program(program: LuaProgram | WasmProgram) -> bytes:
    """Returns a program as bytes.

    Raises:
        TypeError: It holds something of a type that is not listed here.
    """
    if isinstance(program, WasmProgram):
        return _encoded(program)
    # Libraries may share libraries: each travels once, and its imports as ids.
    return _encoded([replace(each, imports=_ids_of(each)) for each in program.with_imports()])


def _ids_of(program: LuaProgram) -> Any:
    return {alias: library.entry_id for alias, library in program.imports.items()}


def _encoded(value: Any) -> bytes:
    data: bytes = msgpack.packb(value, default=_encode, strict_types=True, unicode_errors="surrogatepass")
    return data


def _encode(value: Any) -> object:
    if type(value) in _RECORDS:
        return msgpack.ExtType(_RECORDS.index(type(value)), _encoded(_fields(value)))
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return msgpack.ExtType(_PATH, os.fsencode(value))
    if isinstance(value, (tuple, frozenset)):
        return msgpack.ExtType(_TUPLE if isinstance(value, tuple) else _SET, _encoded(list(value)))
    raise TypeError(f"polycall.registry.isolation.program_data does not know a {type(value).__name__}: list it there")


def _fields(record: Any) -> Any:
    if dataclasses.is_dataclass(record):
        return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    return record._asdict()


def decode_program(data: bytes) -> LuaProgram | WasmProgram:
    """Returns the program that `encode_program` was given."""
    decoded: WasmProgram | list[LuaProgram] = _decoded(data)
    if isinstance(decoded, WasmProgram):
        return decoded
    return _linked(decoded[0].entry_id, {each.entry_id: each for each in decoded}, {})


def _linked(entry_id: str, programs: Mapping[str, LuaProgram], done: dict[str, LuaProgram]) -> LuaProgram:
    if entry_id not in done:
        ids: Any = programs[entry_id].imports
        imports = {alias: _linked(target, programs, done) for alias, target in ids.items()}
        done[entry_id] = replace(programs[entry_id], imports=imports)
    return done[entry_id]


def _decoded(data: bytes) -> Any:
    return msgpack.unpackb(data, ext_hook=_decode, unicode_errors="surrogatepass")


def _decode(code: int, data: bytes) -> object:
    if code == _PATH:
        return Path(os.fsdecode(data))
    content = _decoded(data)
    if code in (_TUPLE, _SET):
        return tuple(content) if code == _TUPLE else frozenset(content)
    return _RECORDS[code](**content)
