"""Reads the types of a component's binary."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from polycall.wasm_runtime.component.core_types import core_type, core_value_type
from polycall.wasm_runtime.component.definitions import (
    AliasCoreExport,
    AliasExport,
    AliasOuter,
    Borrow,
    Case,
    ComponentType,
    Enum,
    Export,
    ExternType,
    FixedList,
    Flags,
    FuncType,
    Future,
    Import,
    InstanceType,
    List,
    Map,
    Option,
    Own,
    Primitive,
    Record,
    ResourceType,
    Result,
    Stream,
    Tuple,
    Type,
    TypeDeclaration,
    ValueType,
    Variant,
)
from polycall.wasm_runtime.component.reader import BinaryReader

__all__ = ["alias", "extern_name", "extern_type", "named_type", "result_list", "sort", "type_definition"]

_PRIMITIVES = {
    0x7F: "bool",
    0x7E: "s8",
    0x7D: "u8",
    0x7C: "s16",
    0x7B: "u16",
    0x7A: "s32",
    0x79: "u32",
    0x78: "s64",
    0x77: "u64",
    0x76: "f32",
    0x75: "f64",
    0x74: "char",
    0x73: "string",
    0x64: "error-context",
}
_CORE_SORTS = {
    0x00: "core func",
    0x01: "core table",
    0x02: "core memory",
    0x03: "core global",
    0x04: "core tag",
    0x10: "core type",
    0x11: "core module",
    0x12: "core instance",
}
_SORTS = {0x01: "func", 0x03: "type", 0x04: "component", 0x05: "instance"}
_Item = TypeVar("_Item")
_VALUES = "values that cross when a component starts are not supported"


def sort(reader: BinaryReader) -> str:
    """Reads which index space is meant."""
    at = reader.offset
    kind = reader.byte()
    if kind == 0x00:
        kind = reader.byte()
        if kind in _CORE_SORTS:
            return _CORE_SORTS[kind]
    elif kind == 0x02:
        raise reader.error(_VALUES, at)
    elif kind in _SORTS:
        return _SORTS[kind]
    raise reader.error(f"{kind:#04x} is no sort of definitions", at)


def alias(reader: BinaryReader) -> AliasExport | AliasCoreExport | AliasOuter:
    """Reads an alias."""
    of = sort(reader)
    at = reader.offset
    kind = reader.byte()
    if kind == 0x00:
        return AliasExport(of, reader.u32(), reader.name())
    if kind == 0x01:
        return AliasCoreExport(of, reader.u32(), reader.name())
    if kind == 0x02:
        return AliasOuter(of, reader.u32(), reader.u32())
    raise reader.error(f"{kind:#04x} is no target of an alias", at)


def extern_name(reader: BinaryReader) -> str:
    """Reads the name of an import or export; its attributes are for people and registries."""
    at = reader.offset
    kind = reader.byte()
    if kind > 0x02:
        raise reader.error(f"{kind:#04x} is no form of a name", at)
    name = reader.name()
    if kind == 0x02:
        reader.vector(lambda: _attribute(reader))
    return name


def _attribute(reader: BinaryReader) -> None:
    at = reader.offset
    kind = reader.byte()
    if kind > 0x02:
        raise reader.error(f"{kind:#04x} is no attribute of a name", at)
    reader.name()


def extern_type(reader: BinaryReader) -> ExternType:
    """Reads what an import must be, or an export is."""
    at = reader.offset
    kind = reader.byte()
    if kind == 0x00:
        reader.expect(0x11, "the sort of a core import")
        return ExternType("core module", reader.u32())
    if kind == 0x02:
        raise reader.error(_VALUES, at)
    if kind == 0x03:
        fresh = reader.flag("the bound of a type")
        return ExternType("type", None if fresh else reader.u32())
    if kind in _SORTS:
        return ExternType(_SORTS[kind], reader.u32())
    raise reader.error(f"{kind:#04x} is no kind of import or export", at)


def value_type(reader: BinaryReader) -> ValueType:
    """Reads a value type: an index, or the code of a primitive type."""
    at = reader.offset
    code = reader.s33()
    if code >= 0:
        return code
    name = _PRIMITIVES.get(code & 0x7F) if code >= -0x40 else None
    if name is None:
        raise reader.error(f"{code & 0x7F:#04x} is no value type", at)
    return name


def named_type(reader: BinaryReader) -> tuple[str, ValueType]:
    """Reads a label and the type that it has."""
    return reader.name(), value_type(reader)


def result_list(reader: BinaryReader) -> ValueType | None:
    """Reads what a function gives."""
    if reader.flag("the result of a function"):
        reader.expect(0x00, "the number of results")
        return None
    return value_type(reader)


def type_definition(reader: BinaryReader) -> Type:
    """Reads the definition of a type."""
    at = reader.offset
    kind = reader.byte()
    if kind in _PRIMITIVES:
        return Primitive(_PRIMITIVES[kind])
    read = _DEFINITIONS.get(kind)
    if read is None:
        raise reader.error(f"{kind:#04x} is no type", at)
    return read(reader)


def _optional_type(reader: BinaryReader) -> ValueType | None:
    return reader.optional(lambda: value_type(reader), "whether a type follows")


def _case(reader: BinaryReader) -> Case:
    case = Case(reader.name(), _optional_type(reader))
    reader.expect(0x00, "the end of a case")
    return case


def _some(reader: BinaryReader, items: list[_Item], what: str) -> tuple[_Item, ...]:
    if not items:
        raise reader.error(f"a {what} has nothing in it")
    return tuple(items)


def _record(reader: BinaryReader) -> Type:
    return Record(_some(reader, reader.vector(lambda: named_type(reader)), "record"))


def _variant(reader: BinaryReader) -> Type:
    return Variant(_some(reader, reader.vector(lambda: _case(reader)), "variant"))


def _tuple(reader: BinaryReader) -> Type:
    return Tuple(_some(reader, reader.vector(lambda: value_type(reader)), "tuple"))


def _flags(reader: BinaryReader) -> Type:
    labels = _some(reader, reader.vector(reader.name), "set of flags")
    if len(labels) > 32:
        raise reader.error(f"a set of {len(labels)} flags, of which 32 are allowed")
    return Flags(labels)


def _fixed_list(reader: BinaryReader) -> Type:
    element, length = value_type(reader), reader.u32()
    if length == 0:
        raise reader.error("a list of the fixed length 0")
    return FixedList(element, length)


def _resource(reader: BinaryReader) -> Type:
    at = reader.offset
    if core_value_type(reader) != "i32":
        raise reader.error("a resource is not represented by an i32", at)
    return ResourceType(reader.optional(reader.u32, "whether a destructor follows"))


def _function(reader: BinaryReader, *, is_async: bool) -> Type:
    return FuncType(tuple(reader.vector(lambda: named_type(reader))), result_list(reader), is_async)


def _component(reader: BinaryReader) -> Type:
    return ComponentType(tuple(reader.nested(lambda: reader.vector(lambda: _declaration(reader, imports=True)))))


def _instance(reader: BinaryReader) -> Type:
    return InstanceType(tuple(reader.nested(lambda: reader.vector(lambda: _declaration(reader, imports=False)))))


def _declaration(reader: BinaryReader, *, imports: bool) -> TypeDeclaration:
    at = reader.offset
    kind = reader.byte()
    if kind == 0x00:
        return core_type(reader)
    if kind == 0x01:
        return type_definition(reader)
    if kind == 0x02:
        return alias(reader)
    if kind == 0x03 and imports:
        return Import(extern_name(reader), extern_type(reader))
    if kind == 0x04:
        return Export(extern_name(reader), None, extern_type(reader))
    raise reader.error(f"{kind:#04x} is no declaration of a type", at)


_DEFINITIONS: dict[int, Callable[[BinaryReader], Type]] = {
    0x72: _record,
    0x71: _variant,
    0x70: lambda reader: List(value_type(reader)),
    0x67: _fixed_list,
    0x6F: _tuple,
    0x6E: _flags,
    0x6D: lambda reader: Enum(_some(reader, reader.vector(reader.name), "enum")),
    0x6B: lambda reader: Option(value_type(reader)),
    0x6A: lambda reader: Result(_optional_type(reader), _optional_type(reader)),
    0x69: lambda reader: Own(reader.u32()),
    0x68: lambda reader: Borrow(reader.u32()),
    0x66: lambda reader: Stream(_optional_type(reader)),
    0x65: lambda reader: Future(_optional_type(reader)),
    0x63: lambda reader: Map(value_type(reader), value_type(reader)),
    0x40: lambda reader: _function(reader, is_async=False),
    0x43: lambda reader: _function(reader, is_async=True),
    0x41: _component,
    0x42: _instance,
    0x3F: _resource,
}
