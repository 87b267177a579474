"""What a core module's binary declares: types, imports, exports, memories, tables; and of its code, nothing.

Specification: WebAssembly core 3.0, "Modules" in the binary format. It is read before the engine has seen it, so that
everything may be wrong in it; what matters to nobody here is passed over unread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, TypeAlias

from polycall.interop.records import record
from polycall.wasm_runtime.component.core_types import core_value_type, limits, recursive_types
from polycall.wasm_runtime.component.plan import CoreFunctionType
from polycall.wasm_runtime.component.reader import BinaryReader
from polycall.wasm_runtime.component.writer import CORE_HEADER
from polycall.wasm_runtime.engine.footprint import Footprint, Table

__all__ = [
    "CoreImport",
    "CoreMemory",
    "CoreModuleShape",
    "CoreTable",
    "CoreThing",
    "Declared",
    "ModuleDeclarations",
    "read_core_module",
    "read_declarations",
]

_CUSTOM, _TYPE, _IMPORT, _FUNCTION, _TABLE, _MEMORY, _GLOBAL, _EXPORT, _START, _ELEMENT = range(10)
_DATA, _TAG = 11, 13
_KINDS = ("func", "table", "memory", "global", "tag")
_MOST_FUNCTIONS = 1_000_000  # what every engine has as its limit
_NUMBER = re.compile(rb"[\x80-\xff]{0,4}[\x00-\x7f]", re.DOTALL)
_GC_OPCODES = b"\xfb"
_CONSTANTS = (_TABLE, _GLOBAL, _ELEMENT)
"""What is evaluated when an instance is made: the offsets of data are as well, but do not count."""
_PAGE_LOG2 = 16
_SHARED, _IS_64 = 2, 4


class CoreMemory(NamedTuple):
    """The type of a memory: its size in pages, and what pages and addresses are."""

    least: int
    most: int | None
    is_64: bool
    shared: bool
    page_log2: int


class CoreTable(NamedTuple):
    """The type of a table: its size in elements, and what they are: ``reference``."""

    least: int
    most: int | None
    is_64: bool
    element: str


CoreThing: TypeAlias = CoreFunctionType | CoreMemory | CoreTable | None
"""The type of an import or export; None where nobody asks: of globals, tags, and functions of unknown types."""


class CoreImport(NamedTuple):
    """An import of a core module; its kind is ``func``, ``table``, ``memory``, ``global`` or ``tag``."""

    module: str
    name: str
    kind: str
    type: CoreThing


class Declared(NamedTuple):
    """A definition: its type, where the bytes of the type are, and those of how it begins (tables, globals)."""

    type: CoreThing
    start: int
    end: int
    value_end: int


@dataclass(slots=True)
class ModuleDeclarations:
    """The declarations of a core module, in its order.

    Attributes:
        types: Function types; None for others.
        spans: Where the content of each section is.
        imports: What it imports.
        functions: The types of its own functions, by index.
        tables: Its own tables.
        memories: Its own memories.
        globals: Its own globals.
        tags: Its own tags.
        exports: Name, kind, and the index in the space of that kind, where what is imported comes first.
    """

    types: list[CoreFunctionType | None] = field(default_factory=list)
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    imports: list[CoreImport] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    tables: list[Declared] = field(default_factory=list)
    memories: list[Declared] = field(default_factory=list)
    globals: list[Declared] = field(default_factory=list)
    tags: list[Declared] = field(default_factory=list)
    exports: list[tuple[str, str, int]] = field(default_factory=list)

    def function_type(self, index: int) -> CoreFunctionType | None:
        """Returns a type by its index; None where it is not there or no function."""
        return self.types[index] if index < len(self.types) else None

    def imported(self, kind: str) -> list[CoreThing]:
        """Returns the types of what is imported of a kind."""
        return [each.type for each in self.imports if each.kind == kind]

    def own(self, kind: str) -> list[Declared]:
        """Returns what the module itself has of a kind, other than functions."""
        return {"table": self.tables, "memory": self.memories, "global": self.globals, "tag": self.tags}[kind]


@record
class CoreModuleShape:
    """What others see of a core module, and what its instances take.

    Attributes:
        imports: In its order, for this is how the engine wants them.
        exports: Name to kind and type.
        footprint: The memory that an instance takes.
    """

    imports: tuple[CoreImport, ...]
    exports: Mapping[str, tuple[str, CoreThing]]
    footprint: Footprint


def read_core_module(binary: bytes, start: int = 0, end: int | None = None) -> CoreModuleShape:
    """Returns the shape of a core module.

    Args:
        binary: What it stands in.
        start: Where it begins.
        end: Where it ends; by default where the binary ends.

    Raises:
        PreparationError: It is malformed; with the offset.
    """
    found = read_declarations(binary, start, end)
    return CoreModuleShape(tuple(found.imports), _exports(found), _footprint(found, binary))


def _footprint(found: ModuleDeclarations, binary: bytes) -> Footprint:
    memories = (each.type for each in found.memories)
    tables = [each.type for each in found.tables if isinstance(each.type, CoreTable)]
    constants = [found.spans.get(section, (0, 0)) for section in _CONSTANTS]
    data_start, data_end = found.spans.get(_DATA, (0, 0))
    copied = data_end - data_start + sum(each.least for each in tables)
    return Footprint(
        tuple(each.least << each.page_log2 for each in memories if isinstance(each, CoreMemory)),
        tuple(Table(each.least, each.most) for each in tables),
        has_gc=bool(found.tags) or None in found.types,
        busy_at_start=_START in found.spans or any(binary.find(_GC_OPCODES, *span) >= 0 for span in constants),
        is_exact=True,
        filling=sum(end - start for start, end in constants) + copied // 16,
    )


def _exports(found: ModuleDeclarations) -> dict[str, tuple[str, CoreThing]]:
    spaces: dict[str, list[CoreThing]] = {kind: found.imported(kind) for kind in _KINDS}
    spaces["func"] += [found.function_type(index) for index in found.functions]
    for kind in _KINDS[1:]:
        spaces[kind] += [each.type for each in found.own(kind)]
    return {
        name: (kind, spaces[kind][index] if index < len(spaces[kind]) else None) for name, kind, index in found.exports
    }


def read_declarations(binary: bytes, start: int = 0, end: int | None = None) -> ModuleDeclarations:
    """Returns the declarations of a core module.

    Raises:
        PreparationError: It is malformed; with the offset.
    """
    reader = BinaryReader(binary, start, end)
    for byte in CORE_HEADER:
        reader.expect(byte, "a byte of the header of a core module")
    found = ModuleDeclarations()
    while reader.offset < reader.end:
        _section(reader, found)
    return found


def _section(reader: BinaryReader, found: ModuleDeclarations) -> None:
    at = reader.offset
    number, length = reader.byte(), reader.u32()
    start = reader.offset
    read = _SECTIONS.get(number)
    if number != _CUSTOM:
        if number in found.spans:
            raise reader.error(f"a core module has section {number} twice", at)
        found.spans[number] = start, start + length
    if number == _CUSTOM:
        reader.within(length, "a custom section of a core module", lambda: _custom(reader))
    elif read is None:
        reader.skip(length, "a section of a core module")
    else:
        reader.within(length, f"section {number} of a core module", lambda: read(reader, found))


def _custom(reader: BinaryReader) -> None:
    reader.name()
    reader.offset = reader.end


def _types(reader: BinaryReader, found: ModuleDeclarations) -> None:
    for _ in range(reader.count()):
        found.types += recursive_types(reader)


def _imports(reader: BinaryReader, found: ModuleDeclarations) -> None:
    for _ in range(reader.count()):
        module, name = reader.name(), reader.name()
        kind = _kind(reader)
        found.imports.append(CoreImport(module, name, kind, _READ_TYPE[kind](reader, found)))


def _kind(reader: BinaryReader) -> str:
    at = reader.offset
    kind = reader.byte()
    if kind >= len(_KINDS):
        raise reader.error(f"{kind:#04x} is no kind of core import or export", at)
    return _KINDS[kind]


def _functions(reader: BinaryReader, found: ModuleDeclarations) -> None:
    at = reader.offset
    count = reader.u32()
    if count > _MOST_FUNCTIONS:
        raise reader.error(f"a core module has more than {_MOST_FUNCTIONS} functions", at)
    # Tens of thousands of numbers are the rule: they are cut in C, and most are a single byte.
    numbers = [each[0] for each in islice(_NUMBER.finditer(reader.data, reader.offset, reader.end), count)]
    found.functions = [each[0] if len(each) == 1 else _number(each) for each in numbers]
    reader.skip(sum(map(len, numbers)), "the functions of a core module")
    if len(numbers) < count:
        raise reader.error("it ends in the middle of a definition")


def _number(encoded: bytes) -> int:
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(encoded))


def _own(kind: str) -> Callable[[BinaryReader, ModuleDeclarations], None]:
    def read(reader: BinaryReader, found: ModuleDeclarations) -> None:
        own = found.own(kind)
        for _ in range(reader.count()):
            own.append(_declared(reader, found, kind))

    return read


def _declared(reader: BinaryReader, found: ModuleDeclarations, kind: str) -> Declared:
    with_value = kind == "global"
    if kind == "table" and reader.peek() == 0x40:
        with_value = True
        reader.byte()
        reader.expect(0x00, "what follows the mark of a table with a value")
    start = reader.offset
    declared = _READ_TYPE[kind](reader, found)
    end = reader.offset
    if with_value:
        _constant(reader)
    return Declared(declared, start, end, reader.offset)


def _exported(reader: BinaryReader, found: ModuleDeclarations) -> None:
    for _ in range(reader.count()):
        found.exports.append((reader.name(), _kind(reader), reader.u32()))


# Types of imports and definitions -----------------------------------------------------------------------------------


def _function_type(reader: BinaryReader, found: ModuleDeclarations) -> CoreThing:
    return found.function_type(reader.u32())


def _table_type(reader: BinaryReader, _found: ModuleDeclarations) -> CoreThing:
    element = core_value_type(reader)
    flags, least, most, *_ = limits(reader)
    return CoreTable(least, most, bool(flags & _IS_64), element)


def _memory_type(reader: BinaryReader, _: ModuleDeclarations) -> CoreThing:
    at = reader.offset
    flags, least, most, said = limits(reader)
    page_log2 = _PAGE_LOG2 if said is None else said
    if page_log2 > _PAGE_LOG2:
        raise reader.error("a memory has pages of more than 64 KiB", at)
    return CoreMemory(least, most, bool(flags & _IS_64), bool(flags & _SHARED), page_log2)


def _global_type(reader: BinaryReader, _: ModuleDeclarations) -> CoreThing:
    core_value_type(reader)
    reader.byte()  # mutable, shared
    return None


def _tag_type(reader: BinaryReader, _: ModuleDeclarations) -> CoreThing:
    reader.byte()
    reader.u32()
    return None


_READ_TYPE: dict[str, Callable[[BinaryReader, ModuleDeclarations], CoreThing]] = {
    "func": _function_type,
    "table": _table_type,
    "memory": _memory_type,
    "global": _global_type,
    "tag": _tag_type,
}


# Constant expressions -----------------------------------------------------------------------------------------------


def _constant(reader: BinaryReader) -> None:
    """Passes over a constant expression, its end included."""
    while True:
        at = reader.offset
        opcode = reader.byte()
        if opcode == 0x0B:
            return
        skip = _OPERANDS.get(opcode)
        if skip is None:
            raise reader.error(f"{opcode:#04x} is no instruction of a constant expression", at)
        skip(reader)


def _nothing(_: BinaryReader) -> None:
    pass


def _integer(reader: BinaryReader) -> None:
    for _ in range(10):  # bytes of a signed number of 64 bits
        if reader.byte() < 0x80:
            return
    raise reader.error("a number has more than 64 bits")


def _bytes(count: int) -> Callable[[BinaryReader], None]:
    def skip(reader: BinaryReader) -> None:
        reader.skip(count, "a number")

    return skip


def _vector(reader: BinaryReader) -> None:
    reader.u32()  # v128.const is the only one
    reader.skip(16, "a vector")


def _gc(reader: BinaryReader) -> None:
    for _ in range(_GC_OPERANDS.get(reader.u32(), 0)):
        reader.u32()


_GC_OPERANDS = {0x00: 1, 0x01: 1, 0x06: 1, 0x07: 1, 0x08: 2}  # struct.new, array.new; others have none
_OPERANDS: dict[int, Callable[[BinaryReader], None]] = {
    0x23: _integer,  # global.get
    0x41: _integer,
    0x42: _integer,
    0x43: _bytes(4),
    0x44: _bytes(8),
    **dict.fromkeys((0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E), _nothing),  # sums, differences, products
    0xD0: _integer,  # ref.null
    0xD2: _integer,  # ref.func
    0xFB: _gc,
    0xFD: _vector,
}
_SECTIONS: dict[int, Callable[[BinaryReader, ModuleDeclarations], None]] = {
    _TYPE: _types,
    _IMPORT: _imports,
    _FUNCTION: _functions,
    _TABLE: _own("table"),
    _MEMORY: _own("memory"),
    _GLOBAL: _own("global"),
    _EXPORT: _exported,
    _TAG: _own("tag"),
}
