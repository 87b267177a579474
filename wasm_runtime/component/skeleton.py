"""A component with hollow core modules: what the engine's validator must see, and hardly anything to compile.

The engine validates a component only by compiling it whole: seconds for a guest that carries a language's engine. All
that its rules for components ask of a core module is what it imports and exports. So each core module is replaced by
one that has the same types, imports and exports, and whose functions do nothing but trap. Bodies, data and elements are
validated all the same: each module that an instance needs is compiled on its own.
"""

from __future__ import annotations

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component import definitions as d
from polycall.wasm_runtime.component.core_module import Declared, ModuleDeclarations, read_declarations
from polycall.wasm_runtime.component.reader import BinaryReader
from polycall.wasm_runtime.component.writer import CORE_HEADER, section, unsigned, vector

__all__ = ["skeleton"]

_CUSTOM, _CORE_MODULE, _COMPONENT = 0, 1, 4
_HEADER_BYTES = 8
_TYPE, _IMPORT, _FUNCTION, _TABLE, _MEMORY, _GLOBAL, _EXPORT, _CODE, _TAG = 1, 2, 3, 4, 5, 6, 7, 10, 13
_UNREACHABLE = b"\x03\x00\x00\x0b"  # its length, no locals, the instruction, the end
_KINDS = {"func": 0, "table": 1, "memory": 2, "global": 3, "tag": 4}
_OTHERS = {"table": _TABLE, "memory": _MEMORY, "global": _GLOBAL, "tag": _TAG}
_ZEROS = {
    0x7F: b"\x41\x00\x0b",  # i32.const 0
    0x7E: b"\x42\x00\x0b",
    0x7D: b"\x43" + bytes(4) + b"\x0b",
    0x7C: b"\x44" + bytes(8) + b"\x0b",
    0x7B: b"\xfd\x0c" + bytes(16) + b"\x0b",
}
_NULLABLE = 0x63
_NOT_NULLABLE = 0x64


class _NoSkeletonError(Exception):
    """Something is exported that cannot be had without what is left out."""


def skeleton(component: d.Component, binary: bytes) -> bytes | None:
    """Returns what stands for a component before the validator.

    Args:
        component: Its definitions.
        binary: Its bytes.

    Returns:
        A component that is valid exactly if the whole one is, code aside; None where none can be made.
    """
    try:
        return _component(BinaryReader(binary, component.start, component.end))
    except (_NoSkeletonError, PreparationError):
        return None


def _component(reader: BinaryReader) -> bytes:
    made = [reader.data[reader.offset : reader.skip(_HEADER_BYTES, "a header")]]
    while reader.offset < reader.end:
        number, length = reader.byte(), reader.u32()
        start = reader.offset
        end = reader.skip(length, "a section")
        if number == _CORE_MODULE:
            made.append(section(number, _core_module(read_declarations(reader.data, start, end), reader.data)))
        elif number == _COMPONENT:
            made.append(section(number, _component(BinaryReader(reader.data, start, end))))
        elif number != _CUSTOM:
            made.append(section(number, reader.data[start:end]))
    return b"".join(made)


def _core_module(found: ModuleDeclarations, data: bytes) -> bytes:
    exported = {kind: _exported(found, kind) for kind in _KINDS}
    functions = [found.functions[index] for index in exported["func"]]
    sections = [
        _copied(found, _TYPE, data),
        _copied(found, _IMPORT, data),
        _vector(_FUNCTION, [unsigned(index) for index in functions]),
        *(_others(found, kind, exported[kind], data) for kind in ("table", "memory", "tag", "global")),
        _vector(_EXPORT, [_export(found, exported, each) for each in found.exports]),
        _vector(_CODE, [_UNREACHABLE] * len(functions)),
    ]
    return CORE_HEADER + b"".join(sections)


def _exported(found: ModuleDeclarations, kind: str) -> dict[int, int]:
    """Returns the module's own things of a kind that are exported: their place among these, to the new one."""
    imported = len(found.imported(kind))
    count = len(found.functions) if kind == "func" else len(found.own(kind))
    chosen = sorted({index - imported for _, each, index in found.exports if each == kind and index >= imported})
    if chosen and chosen[-1] >= count:
        raise _NoSkeletonError
    return {index: place for place, index in enumerate(chosen)}


def _export(found: ModuleDeclarations, exported: dict[str, dict[int, int]], export: tuple[str, str, int]) -> bytes:
    name, kind, index = export
    imported = len(found.imported(kind))
    encoded = name.encode()
    place = index if index < imported else imported + exported[kind][index - imported]
    return unsigned(len(encoded)) + encoded + bytes([_KINDS[kind]]) + unsigned(place)


def _others(found: ModuleDeclarations, kind: str, chosen: dict[int, int], data: bytes) -> bytes:
    own = found.own(kind)
    return _vector(_OTHERS[kind], [_definition(kind, own[index], data) for index in chosen])


def _definition(kind: str, declared: Declared, data: bytes) -> bytes:
    """Returns a memory, table, global or tag of the same type that starts with nothing in it."""
    found = data[declared.start : declared.end]
    if kind in ("table", "global") and found[0] == _NOT_NULLABLE:
        raise _NoSkeletonError  # it has no value that everybody has
    return found + _zero(found) if kind == "global" else found


def _zero(global_type: bytes) -> bytes:
    kind = global_type[0]
    if kind in _ZEROS:
        return _ZEROS[kind]
    heap = global_type[1:-1] if kind == _NULLABLE else global_type[:1]
    return b"\xd0" + heap + b"\x0b"  # ref.null


def _copied(found: ModuleDeclarations, number: int, data: bytes) -> bytes:
    if number not in found.spans:
        return b""
    start, end = found.spans[number]
    return section(number, data[start:end])


def _vector(number: int, items: list[bytes]) -> bytes:
    return section(number, vector(items)) if items else b""
