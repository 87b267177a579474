"""A component's binary to its definitions (specification: Component Model, Binary.md).

Decoding is complete for what toolchains emit for WASI 0.2, and for what they only define and never call. What polycall
cannot run is refused by its name; what is malformed, with its offset. Nothing is resolved or validated here: the
engine's validator does that. But everything is bounded, before the engine sees a byte.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from polycall.wasm_runtime.component.core_types import core_type, core_value_type
from polycall.wasm_runtime.component.definitions import (
    AsyncBuiltin,
    Canon,
    CanonOptions,
    Component,
    CoreInlineExports,
    CoreInstantiate,
    CoreModule,
    Definition,
    Export,
    Import,
    InlineExports,
    Instantiate,
    Item,
    Lift,
    Lower,
    ResourceBuiltin,
)
from polycall.wasm_runtime.component.reader import BinaryReader
from polycall.wasm_runtime.component.types import (
    alias,
    extern_name,
    extern_type,
    result_list,
    sort,
    type_definition,
)
from polycall.wasm_runtime.component.writer import COMPONENT_HEADER, CORE_HEADER

__all__ = ["decode"]


def decode(data: bytes) -> Component:
    """Returns the definitions of a component.

    Args:
        data: The whole binary.

    Raises:
        PreparationError: It is malformed, too large, or wants what polycall does not have; with the offset.
    """
    return _component(BinaryReader(data))


def _component(reader: BinaryReader) -> Component:
    start = reader.offset
    for byte in COMPONENT_HEADER:
        reader.expect(byte, "a byte of the header")
    definitions: list[Definition] = []
    while reader.offset < reader.end:
        definitions += _section(reader)
    return Component(tuple(definitions), start, reader.end)


def _section(reader: BinaryReader) -> list[Definition]:
    at = reader.offset
    number = reader.byte()
    length = reader.u32()
    if number == 0:  # custom: names, producers and the like
        reader.within(length, "a custom section", lambda: _custom(reader))
        return []
    if number == 1:
        return [_core_module(reader, length)]
    if number == 4:
        nested: Component = reader.within(length, "a component", lambda: reader.nested(lambda: _component(reader)))
        return [nested]
    if number in (9, 12):
        raise reader.error("start functions and values of components are not supported", at)
    read = _SECTIONS.get(number)
    if read is None:
        raise reader.error(f"there is no section {number}", at)
    return reader.within(length, f"section {number}", lambda: reader.vector(partial(read, reader)))


def _custom(reader: BinaryReader) -> None:
    reader.name()
    reader.offset = reader.end


def _core_module(reader: BinaryReader, length: int) -> CoreModule:
    start = reader.offset
    end = reader.skip(length, "a core module")
    if reader.data[start : start + len(CORE_HEADER)] != CORE_HEADER:
        raise reader.error("a core module has another header", start)
    return CoreModule(start, end)


def _item(reader: BinaryReader) -> Item:
    return Item(sort(reader), reader.u32())


def _core_item(reader: BinaryReader) -> Item:
    at = reader.offset
    of = _CORE_SORTS.get(reader.byte())
    if of is None:
        raise reader.error(f"{reader.data[at]:#04x} is no sort of core definitions", at)
    return Item(of, reader.u32())


_CORE_SORTS = {0x00: "core func", 0x01: "core table", 0x02: "core memory", 0x03: "core global", 0x04: "core tag"}


def _core_argument(reader: BinaryReader) -> tuple[str, int]:
    name = reader.name()
    reader.expect(0x12, "the sort of an argument of a core module")
    return name, reader.u32()


def _core_instance(reader: BinaryReader) -> Definition:
    if reader.flag("the form of a core instance"):
        return CoreInlineExports(tuple(reader.vector(lambda: (reader.name(), _core_item(reader)))))
    return CoreInstantiate(reader.u32(), tuple(reader.vector(lambda: _core_argument(reader))))


def _instance(reader: BinaryReader) -> Definition:
    if reader.flag("the form of an instance"):
        return InlineExports(tuple(reader.vector(lambda: (extern_name(reader), _item(reader)))))
    return Instantiate(reader.u32(), tuple(reader.vector(lambda: (reader.name(), _item(reader)))))


def _import(reader: BinaryReader) -> Definition:
    return Import(extern_name(reader), extern_type(reader))


def _export(reader: BinaryReader) -> Definition:
    name, item = extern_name(reader), _item(reader)
    return Export(name, item, reader.optional(lambda: extern_type(reader), "whether a type follows"))


# Canonical definitions ----------------------------------------------------------------------------------------------


def _options(reader: BinaryReader) -> CanonOptions:
    said: dict[str, str | int | bool] = {}
    key: str
    value: str | int | bool
    for _ in range(reader.count()):
        at = reader.offset
        kind = reader.byte()
        if kind in _ENCODINGS:
            key, value = "encoding", _ENCODINGS[kind]
        elif kind == 0x06:
            key, value = "is_async", True
        elif kind in _INDEXED:
            key, value = _INDEXED[kind], reader.u32()
        else:
            raise reader.error(f"{kind:#04x} is no canonical option", at)
        if key in said:
            raise reader.error(f"the canonical option {key.replace('_', '-')} is said twice", at)
        said[key] = value
    return CanonOptions(**said)  # type: ignore[arg-type]  # each key got a value of its own type above


_ENCODINGS = {0x00: "utf8", 0x01: "utf16", 0x02: "latin1+utf16"}
_INDEXED = {0x03: "memory", 0x04: "realloc", 0x05: "post_return", 0x07: "callback"}


def _canon(reader: BinaryReader) -> Canon:
    at = reader.offset
    kind = reader.byte()
    if kind == 0x00:
        reader.expect(0x00, "the sort of what is lifted")
        core, options = reader.u32(), _options(reader)
        return Lift(core, options, reader.u32())
    if kind == 0x01:
        reader.expect(0x00, "the sort of what is lowered")
        return Lower(reader.u32(), _options(reader))
    if kind in _RESOURCES:
        return ResourceBuiltin(_RESOURCES[kind], reader.u32())
    if kind == _TASK_RETURN:
        result, _ = result_list(reader), _options(reader)
        return AsyncBuiltin("task.return", (), result)
    if kind in _THREADS:
        raise reader.error(f"threads are not supported ({_THREADS[kind]})", at)
    if kind not in _ASYNC:
        raise reader.error(f"{kind:#04x} is no canonical definition", at)
    name, immediates = _ASYNC[kind]
    return AsyncBuiltin(name, tuple(immediate(reader) for immediate in immediates))


def _index(reader: BinaryReader) -> int:
    return reader.u32()


def _switch(reader: BinaryReader) -> int:
    return int(reader.flag("an option of a built-in"))


def _dropped_options(reader: BinaryReader) -> int:
    _options(reader)
    return 0


def _slot_type(reader: BinaryReader) -> int:
    at = reader.offset
    name = core_value_type(reader)
    if name not in ("i32", "i64"):
        raise reader.error(f"a context slot of the type {name}", at)
    return 4 if name == "i32" else 8


_TASK_RETURN = 0x09
_RESOURCES = {0x02: "resource.new", 0x03: "resource.drop", 0x04: "resource.rep"}
_THREADS = {
    0x26: "thread.index",
    0x27: "thread.new-indirect",
    0x28: "thread.resume-later",
    0x29: "thread.suspend",
    0x2A: "thread.suspend-then-resume",
    0x2B: "thread.yield-then-resume",
    0x2C: "thread.suspend-then-promote",
    0x2D: "thread.yield-then-promote",
    0x40: "thread.spawn-ref",
    0x41: "thread.spawn-indirect",
    0x42: "thread.available-parallelism",
}
_Immediates = tuple[Callable[[BinaryReader], int], ...]
_ASYNC: dict[int, tuple[str, _Immediates]] = {
    0x05: ("task.cancel", ()),
    0x06: ("subtask.cancel", (_switch,)),
    0x0A: ("context.get", (_slot_type, _index)),
    0x0B: ("context.set", (_slot_type, _index)),
    0x0C: ("thread.yield", (_switch,)),
    0x0D: ("subtask.drop", ()),
    0x0E: ("stream.new", (_index,)),
    0x0F: ("stream.read", (_index, _dropped_options)),
    0x10: ("stream.write", (_index, _dropped_options)),
    0x11: ("stream.cancel-read", (_index, _switch)),
    0x12: ("stream.cancel-write", (_index, _switch)),
    0x13: ("stream.drop-readable", (_index,)),
    0x14: ("stream.drop-writable", (_index,)),
    0x15: ("future.new", (_index,)),
    0x16: ("future.read", (_index, _dropped_options)),
    0x17: ("future.write", (_index, _dropped_options)),
    0x18: ("future.cancel-read", (_index, _switch)),
    0x19: ("future.cancel-write", (_index, _switch)),
    0x1A: ("future.drop-readable", (_index,)),
    0x1B: ("future.drop-writable", (_index,)),
    0x1C: ("error-context.new", (_dropped_options,)),
    0x1D: ("error-context.debug-message", (_dropped_options,)),
    0x1E: ("error-context.drop", ()),
    0x1F: ("waitable-set.new", ()),
    0x20: ("waitable-set.wait", (_switch, _index)),
    0x21: ("waitable-set.poll", (_switch, _index)),
    0x22: ("waitable-set.drop", ()),
    0x23: ("waitable.join", ()),
    0x24: ("backpressure.inc", ()),
    0x25: ("backpressure.dec", ()),
}
_SECTIONS: dict[int, Callable[[BinaryReader], Definition]] = {
    2: _core_instance,
    3: core_type,
    5: _instance,
    6: alias,
    7: type_definition,
    8: _canon,
    10: _import,
    11: _export,
}
