"""A resolved program as bytes, for the worker that will prepare it. Only ever read from the parent."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgpack

from interop.ids import EntryId
from interop.limits import LimitsSpec
from interop.source import SourceText
from lua_runtime.spec import LuaProgram
from wasm_runtime.spec import BinaryFile, WasmProgram

__all__ = ["decode_program", "encode_program"]

_RECORDS: tuple[type[Any], ...] = (LuaProgram, WasmProgram, SourceText, BinaryFile, LimitsSpec, EntryId)
"""The dataclasses and named tuples that programs are made of. The place of each is its code."""

_PATH, _TUPLE, _SET = 100, 101, 102


def encode_program(program: LuaProgram | WasmProgram) -> bytes:
    """Returns a program as bytes.

    Raises:
        TypeError: It holds something of a type that is not listed here.
    """
    encoded: bytes = msgpack.packb(program, default=_encode, strict_types=True, unicode_errors="surrogatepass")
    return encoded


def _encode(value: Any) -> object:
    if type(value) in _RECORDS:
        return msgpack.ExtType(_RECORDS.index(type(value)), encode_program(_fields(value)))
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return msgpack.ExtType(_PATH, os.fsencode(value))
    if isinstance(value, (tuple, frozenset)):
        return msgpack.ExtType(_TUPLE if isinstance(value, tuple) else _SET, encode_program(list(value)))  # type: ignore[arg-type]  # a part of one
    raise TypeError(f"registry.isolation.program_data does not know a {type(value).__name__}: list it there")


def _fields(record: Any) -> Any:
    if dataclasses.is_dataclass(record):
        return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    return record._asdict()


def decode_program(data: bytes) -> LuaProgram | WasmProgram:
    """Returns the program that `encode_program` was given."""
    program: LuaProgram | WasmProgram = _decoded(data)
    return program


def _decoded(data: bytes) -> Any:
    return msgpack.unpackb(data, ext_hook=_decode, unicode_errors="surrogatepass")


def _decode(code: int, data: bytes) -> object:
    if code == _PATH:
        return Path(os.fsdecode(data))
    content = _decoded(data)
    if code in (_TUPLE, _SET):
        return tuple(content) if code == _TUPLE else frozenset(content)
    return _RECORDS[code](**content)
