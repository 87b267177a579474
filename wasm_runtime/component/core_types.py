"""Reads core types: the functions among them are known by what they take and give, of others only where they end.

Specification: core WebAssembly 3.0, binary format of types, and ``core:moduletype`` of the Component Model.
"""

from __future__ import annotations

from polycall.wasm_runtime.component.definitions import CoreType
from polycall.wasm_runtime.component.plan import CoreFunctionType
from polycall.wasm_runtime.component.reader import BinaryReader

__all__ = ["Limits", "core_type", "core_value_type", "limits", "recursive_types"]

Limits = tuple[int, int, int | None, int | None]
"""Flags, minimum, maximum, and the binary logarithm of the page size; None where nothing is said."""

_NUMBERS = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128"}
_HEAPS = frozenset(range(0x68, 0x75))  # the short forms of reference types: exn, array, struct, i31, eq, any, ...
_PACKED = frozenset({0x77, 0x78})  # i16, i8
_MODULE, _SUB, _SUB_FINAL, _REC, _FUNC, _STRUCT, _ARRAY = 0x50, 0x50, 0x4F, 0x4E, 0x60, 0x5F, 0x5E


def core_type(reader: BinaryReader) -> CoreType:
    """Reads the definition of a core type in a component."""
    start = reader.offset
    _definition(reader)
    return CoreType(start, reader.offset)


def _definition(reader: BinaryReader) -> None:
    kind = reader.peek()
    if kind == _MODULE:
        reader.byte()
        reader.nested(lambda: reader.vector(lambda: _module_declaration(reader)))
    elif kind == 0x00:  # what a sub type has before it here, for 0x50 alone means a module
        reader.byte()
        _sub_type(reader)
    else:
        recursive_types(reader)


def recursive_types(reader: BinaryReader) -> list[CoreFunctionType | None]:
    """Reads one entry of a type section; returns its types, None for one that is no function."""
    if reader.peek() == _REC:
        reader.byte()
        return reader.vector(lambda: _sub_type(reader))
    return [_sub_type(reader)]


def _sub_type(reader: BinaryReader) -> CoreFunctionType | None:
    if reader.peek() in (_SUB, _SUB_FINAL):
        reader.byte()
        reader.vector(reader.u32)
    return _composite_type(reader)


def _composite_type(reader: BinaryReader) -> CoreFunctionType | None:
    at = reader.offset
    kind = reader.byte()
    if kind == _FUNC:
        return _value_types(reader), _value_types(reader)
    if kind == _STRUCT:
        reader.vector(lambda: _field_type(reader))
    elif kind == _ARRAY:
        _field_type(reader)
    else:
        raise reader.error(f"{kind:#04x} is no core type", at)
    return None


def _value_types(reader: BinaryReader) -> tuple[str, ...]:
    return tuple(reader.vector(lambda: core_value_type(reader)))


def _field_type(reader: BinaryReader) -> None:
    if reader.peek() in _PACKED:
        reader.byte()
    else:
        core_value_type(reader)
    reader.flag("the mutability of a field")


def core_value_type(reader: BinaryReader) -> str:
    """Reads a core value type; returns its name, or ``reference``."""
    at = reader.offset
    kind = reader.byte()
    if kind in (0x63, 0x64):  # a reference with its heap type, nullable or not
        reader.s33()
        return "reference"
    if kind in _HEAPS:
        return "reference"
    if kind not in _NUMBERS:
        raise reader.error(f"{kind:#04x} is no core value type", at)
    return _NUMBERS[kind]


def _module_declaration(reader: BinaryReader) -> None:
    at = reader.offset
    kind = reader.byte()
    if kind == 0x00:
        reader.name()
        reader.name()
        _extern_type(reader)
    elif kind == 0x01:
        _definition(reader)
    elif kind == 0x02:
        reader.expect(0x10, "the sort of an alias in a module type")
        reader.expect(0x01, "the target of an alias in a module type")
        reader.u32()
        reader.u32()
    elif kind == 0x03:
        reader.name()
        _extern_type(reader)
    else:
        raise reader.error(f"{kind:#04x} is no declaration of a module type", at)


def _extern_type(reader: BinaryReader) -> None:
    at = reader.offset
    kind = reader.byte()
    if kind == 0x00:
        reader.u32()
    elif kind == 0x01:
        core_value_type(reader)
        limits(reader)
    elif kind == 0x02:
        limits(reader)
    elif kind == 0x03:
        core_value_type(reader)
        reader.byte()  # mutable, shared
    elif kind == 0x04:
        reader.byte()
        reader.u32()
    else:
        raise reader.error(f"{kind:#04x} is no core import or export", at)


def limits(reader: BinaryReader) -> Limits:
    """Reads the limits of a memory or table."""
    flags = reader.byte()
    least = reader.u64()
    most = reader.u64() if flags & 1 else None
    return flags, least, most, reader.u32() if flags & 8 else None
