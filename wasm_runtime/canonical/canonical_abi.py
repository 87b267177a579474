"""Plain values into and out of a core module's memory and parameters (specification: Component Model, Canonical ABI).

A type is compiled once into functions; values are in the normal form of `polycall.wasm_runtime.wit.check_values`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from sys import getsizeof
from typing import Any

from polycall.interop.errors import TrapError
from polycall.interop.ids import cut
from polycall.wasm_runtime.canonical.layout import (
    CaseType,
    alignment,
    arms,
    discriminant_size,
    flags_size,
    flat,
    payload_offset,
    size,
    tuple_offsets,
)
from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.engine.pace import AT_ONCE
from polycall.wasm_runtime.wit.check_values import unwrap_some, wrap_some
from polycall.wasm_runtime.wit.wit_types import (
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
)

__all__ = [
    "Flatten",
    "LiftFlat",
    "Load",
    "Store",
    "compile_flatten",
    "compile_lift_flat",
    "compile_load",
    "compile_store",
]

Store = Callable[[Any, bytearray, int, GuestMemory], None]
"""Writes a value to (buffer, offset), an image of guest memory; what it points to is put into the guest at once."""

Load = Callable[[bytes, int, GuestMemory], Any]
"""Reads the value at (bytes, offset), a copy of guest memory."""

Flatten = Callable[[Any, GuestMemory], list[Any]]
"""Returns the core values that a value becomes; integers are unsigned."""

LiftFlat = Callable[[Any], Any]
"""Reads a value from the one core value that stands for it."""

_CODES = {
    **{"bool": "?", "s8": "b", "u8": "B", "s16": "h", "u16": "H", "s32": "i", "u32": "I", "s64": "q", "u64": "Q"},
    **{"f32": "f", "f64": "d"},
}
_PAIR = struct.Struct("<II")
_CODE = struct.Struct("<I")
_MASKS = {"i32": 2**32 - 1, "i64": 2**64 - 1}


# --- through memory ---------------------------------------------------------------------------------------------------


def compile_store(wit_type: WitType) -> Store:
    """Returns the function that writes values of a type."""
    match wit_type:
        case Primitive(name="char"):
            return lambda value, buffer, at, _memory: _CODE.pack_into(buffer, at, ord(value))
        case Primitive(name="string") | ListType():
            place = _place(wit_type)
            return lambda value, buffer, at, memory: _PAIR.pack_into(buffer, at, *place(value, memory))
        case Primitive(name=name):
            pack_into = struct.Struct(f"<{_CODES[name]}").pack_into
            return lambda value, buffer, at, _memory: pack_into(buffer, at, value)
        case TupleType(elements=elements):
            return _store_tuple(elements)
        case RecordType():
            return _store_record(wit_type)
        case FlagsType():
            return _store_flags(wit_type)
        case OptionType() | ResultType() | VariantType() | EnumType():
            return _store_case(wit_type)
    raise TypeError(f"{wit_type} cannot be stored")


def compile_load(wit_type: WitType) -> Load:
    """Returns the function that reads values of a type."""
    match wit_type:
        case Primitive(name="bool"):
            return lambda data, at, _memory: data[at] != 0
        case Primitive(name="char"):
            return lambda data, at, _memory: _character(_CODE.unpack_from(data, at)[0])
        case Primitive(name="string"):
            return _load_string
        case Primitive(name=name):
            unpack_from = struct.Struct(f"<{_CODES[name]}").unpack_from
            return lambda data, at, _memory: unpack_from(data, at)[0]
        case ListType():
            return _load_bytes if wit_type.is_bytes else _load_list(wit_type.element)
        case TupleType(elements=elements):
            return _load_tuple(elements)
        case RecordType():
            return _load_record(wit_type)
        case FlagsType():
            return _load_flags(wit_type)
        case OptionType() | ResultType() | VariantType() | EnumType():
            return _load_case(wit_type)
    raise TypeError(f"{wit_type} cannot be loaded")


def _place(wit_type: WitType) -> Callable[[Any, GuestMemory], tuple[int, int]]:
    """Returns the function that puts a string or list into the guest and tells where it lies and how long it is."""
    if not isinstance(wit_type, ListType):
        return lambda value, memory: _place_bytes(value.encode(), memory)
    if wit_type.is_bytes:
        return _place_bytes
    store, step, boundary = compile_store(wit_type.element), size(wit_type.element), alignment(wit_type.element)

    def place(value: Any, memory: GuestMemory) -> tuple[int, int]:
        address = memory.allocate(len(value) * step, boundary)
        image = bytearray(len(value) * step)
        at = 0
        for first in range(0, len(value), AT_ONCE):
            piece = value[first : first + AT_ONCE]
            memory.pace.step(len(piece))
            for item in piece:
                store(item, image, at, memory)
                at += step
        memory.write(address, image)
        return address, len(value)

    return place


def _place_bytes(data: bytes, memory: GuestMemory) -> tuple[int, int]:
    address = memory.allocate(len(data), 1)
    memory.write(address, data)
    return address, len(data)


def _load_string(data: bytes, at: int, memory: GuestMemory) -> str:
    address, length = _PAIR.unpack_from(data, at)
    try:
        text = memory.read(address, length, "a string").decode()
    except UnicodeDecodeError as error:
        raise TrapError(f"a string is not UTF-8: {error.reason} at byte {error.start}") from None
    if not text.isascii():
        memory.pace.take(0, getsizeof(text))  # one character beyond the basic plane makes all of them take 4 bytes
    return text


def _load_bytes(data: bytes, at: int, memory: GuestMemory) -> bytes:
    address, length = _PAIR.unpack_from(data, at)
    return memory.read(address, length, "a list")


def _load_list(element: WitType) -> Load:
    load, step, boundary = compile_load(element), size(element), alignment(element)
    stride = step * AT_ONCE

    def load_list(data: bytes, at: int, memory: GuestMemory) -> list[Any]:
        address, length = _PAIR.unpack_from(data, at)
        content = memory.read(address, length * step, "a list", boundary, length)
        items: list[Any] = []
        for first in range(0, len(content), stride):
            last = min(first + stride, len(content))
            memory.pace.step((last - first) // step)
            items += [load(content, at, memory) for at in range(first, last, step)]
        return items

    return load_list


def _load_tuple(elements: tuple[WitType, ...]) -> Load:
    placed = list(zip(map(compile_load, elements), tuple_offsets(elements), strict=False))
    count = len(placed)

    def load_tuple(data: bytes, at: int, memory: GuestMemory) -> list[Any]:
        memory.pace.step(count)
        memory.pace.take(count - 1)  # the tuple itself stands in for its first
        return [load(data, at + offset, memory) for load, offset in placed]

    return load_tuple


def _store_tuple(elements: tuple[WitType, ...]) -> Store:
    placed = list(zip(map(compile_store, elements), tuple_offsets(elements), strict=False))

    def store(value: Any, buffer: bytearray, at: int, memory: GuestMemory) -> None:
        memory.pace.step(len(placed))
        for (store_element, offset), item in zip(placed, value, strict=True):
            store_element(item, buffer, at + offset, memory)

    return store


def _store_record(wit_type: RecordType) -> Store:
    store_values = _store_tuple(tuple(field for _, field in wit_type.fields))
    # The normal form has all fields in their order.
    return lambda value, buffer, at, memory: store_values(value.values(), buffer, at, memory)


def _load_record(wit_type: RecordType) -> Load:
    names = [name for name, _ in wit_type.fields]
    load_values = _load_tuple(tuple(field for _, field in wit_type.fields))

    def load(data: bytes, at: int, memory: GuestMemory) -> dict[str, Any]:
        memory.pace.take(2)
        return dict(zip(names, load_values(data, at, memory), strict=True))

    return load


def _flag_bits(wit_type: FlagsType) -> Callable[[Any], int]:
    bits = {name: 1 << index for index, name in enumerate(wit_type.names)}
    return lambda value: sum(bits[name] for name in value)


def _flag_names(wit_type: FlagsType) -> Callable[[int], list[str]]:
    # Bits that have no name say nothing and are dropped.
    return lambda bits: [name for index, name in enumerate(wit_type.names) if bits >> index & 1]


def _store_flags(wit_type: FlagsType) -> Store:
    width, bits_of = flags_size(wit_type), _flag_bits(wit_type)

    def store(value: Any, buffer: bytearray, at: int, _memory: GuestMemory) -> None:
        buffer[at : at + width] = bits_of(value).to_bytes(width, "little")

    return store


def _load_flags(wit_type: FlagsType) -> Load:
    width, names_of = flags_size(wit_type), _flag_names(wit_type)

    def load(data: bytes, at: int, memory: GuestMemory) -> list[str]:
        memory.pace.take(2)
        return names_of(int.from_bytes(data[at : at + width], "little"))

    return load


def _store_case(wit_type: CaseType) -> Store:
    stores = [None if arm is None else compile_store(arm) for arm in arms(wit_type)]
    select, offset, width = _select(wit_type), payload_offset(wit_type), discriminant_size(wit_type)

    def store(value: Any, buffer: bytearray, at: int, memory: GuestMemory) -> None:
        case, payload = select(value)
        buffer[at : at + width] = case.to_bytes(width, "little")
        store_payload = stores[case]
        if store_payload is not None:
            store_payload(payload, buffer, at + offset, memory)

    return store


def _load_case(wit_type: CaseType) -> Load:
    loads = [None if arm is None else compile_load(arm) for arm in arms(wit_type)]
    restore, offset, width = _restore(wit_type), payload_offset(wit_type), discriminant_size(wit_type)
    bare = isinstance(wit_type, EnumType) or (
        isinstance(wit_type, OptionType) and not isinstance(wit_type.payload, OptionType)
    )
    built = 0 if bare else 2  # a dict of one key

    def load(data: bytes, at: int, memory: GuestMemory) -> Any:
        memory.pace.take(built)
        case = _discriminant(int.from_bytes(data[at : at + width], "little"), len(loads), wit_type)
        load_payload = loads[case]
        return restore(case, True if load_payload is None else load_payload(data, at + offset, memory))

    return load


def _discriminant(found: int, count: int, wit_type: WitType) -> int:
    if found >= count:
        raise TrapError(f"a discriminant is {found}, and {cut(str(wit_type))} has the cases 0 to {count - 1}")
    return found


def _select(wit_type: CaseType) -> Callable[[Any], tuple[int, Any]]:
    """Returns the function that takes a normal form apart: discriminant and payload."""
    if isinstance(wit_type, VariantType):
        numbers = {name: number for number, (name, _) in enumerate(wit_type.cases)}
        return lambda value: next((numbers[name], payload) for name, payload in value.items())
    if isinstance(wit_type, EnumType):
        numbers = {name: number for number, name in enumerate(wit_type.names)}
        return lambda value: (numbers[value], None)
    if isinstance(wit_type, ResultType):
        return lambda value: (0, value["ok"]) if "ok" in value else (1, value["err"])
    if isinstance(wit_type.payload, OptionType):
        return lambda value: (0, None) if value is None else (1, unwrap_some(value))
    return lambda value: (0, None) if value is None else (1, value)


def _restore(wit_type: CaseType) -> Callable[[int, Any], Any]:
    """Returns the reverse of `_select`."""
    if isinstance(wit_type, VariantType):
        cases = [name for name, _ in wit_type.cases]
        return lambda case, payload: {cases[case]: payload}
    if isinstance(wit_type, EnumType):
        names = wit_type.names
        return lambda case, _payload: names[case]
    if isinstance(wit_type, ResultType):
        return lambda case, payload: {"err" if case else "ok": payload}
    if isinstance(wit_type.payload, OptionType):
        return lambda case, payload: wrap_some(payload) if case else None
    return lambda case, payload: payload if case else None


def _character(code: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise TrapError(f"a char is {code:#x}, which is no Unicode scalar value")
    return chr(code)


# --- as parameters and results ----------------------------------------------------------------------------------------


def compile_flatten(wit_type: WitType) -> Flatten:
    """Returns the function that makes core values of values of a type."""
    match wit_type:
        case Primitive(name="char"):
            return lambda value, _memory: [ord(value)]
        case Primitive(name="string") | ListType():
            place = _place(wit_type)
            return lambda value, memory: list(place(value, memory))
        case Primitive(name="f32" | "f64"):
            return lambda value, _memory: [value]
        case Primitive():
            mask = _MASKS[flat(wit_type)[0]]
            return lambda value, _memory: [value & mask]
        case TupleType(elements=elements):
            flattens = [compile_flatten(element) for element in elements]
            return lambda value, memory: [
                core for flatten, item in zip(flattens, value, strict=True) for core in flatten(item, memory)
            ]
        case RecordType(fields=fields):
            flatten_values = compile_flatten(TupleType(tuple(field for _, field in fields)))
            return lambda value, memory: flatten_values(value.values(), memory)
        case FlagsType():
            bits_of = _flag_bits(wit_type)
            return lambda value, _memory: [bits_of(value)]
        case OptionType() | ResultType() | VariantType() | EnumType():
            return _flatten_case(wit_type)
    raise TypeError(f"{wit_type} cannot be flattened")


def _flatten_case(wit_type: CaseType) -> Flatten:
    slots = flat(wit_type)[1:]
    select = _select(wit_type)
    payloads = [None if arm is None else (compile_flatten(arm), flat(arm)) for arm in arms(wit_type)]

    def flatten(value: Any, memory: GuestMemory) -> list[Any]:
        case, payload = select(value)
        found = payloads[case]
        cores: list[Any] = []
        if found is not None:
            flatten_payload, own = found
            cores = [_coerced(*each) for each in zip(flatten_payload(payload, memory), own, slots, strict=False)]
        return [case, *cores, *(0 for _ in slots[len(cores) :])]

    return flatten


def _coerced(value: Any, own: str, slot: str) -> Any:
    """Makes a core value fit a slot that cases of different types share: floats go as their bits."""
    if own in (slot, "i32"):
        return value
    return int.from_bytes(struct.pack("<f" if own == "f32" else "<d", value), "little")


def compile_lift_flat(wit_type: WitType) -> LiftFlat:
    """Returns the function that reads values of a type whose flat form is one core value."""
    match wit_type:
        case Primitive(name="bool"):
            return lambda core: core != 0
        case Primitive(name="char"):
            return _character
        case Primitive(name="f32" | "f64"):
            return lambda core: core
        case Primitive(name=name):
            own = struct.Struct(f"<{_CODES[name]}")
            # The upper bits of a narrow integer's i32 say nothing and are dropped.
            return lambda core: own.unpack_from(core.to_bytes(8, "little"))[0]
        case TupleType(elements=(element,)):
            lift = compile_lift_flat(element)
            return lambda core: [lift(core)]
        case RecordType(fields=((name, field),)):
            lift_field = compile_lift_flat(field)
            return lambda core: {name: lift_field(core)}
        case FlagsType():
            return _flag_names(wit_type)
        case OptionType() | ResultType() | VariantType() | EnumType():  # without payloads, or it were more core values
            restore, count = _restore(wit_type), len(arms(wit_type))
            return lambda core: restore(_discriminant(core, count, wit_type), True)
    raise TypeError(f"{wit_type} is not one core value")
