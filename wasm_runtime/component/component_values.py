"""Plain values as ``wasmtime_component_val_t``, and back.

wasmtime-py's own value classes are slow, wrap integers and guess the case of a variant, so the C structures are written
and read here, as bytes. A type is compiled once to a pair of functions; values are in the normal form of
`polycall.wasm_runtime.wit.check_values`, which lifting gives back.

Lowering builds an image of the value in memory of ours. The engine copies what it is given and owns nothing of it, so
there is nothing to free, on any path. Lifting reads the engine's memory; who called for the value then deletes it as a
whole.

Layout (wasmtime/component/val.h): a value is a kind byte and, 8 bytes on, its content, 32 bytes in all; a record's
entry is its name (size, address) and its value, 48 bytes; a list is a size and an address.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from ctypes import c_char, string_at
from sys import getsizeof
from typing import Any

from polycall.interop.errors import LimitError
from polycall.wasm_runtime.engine.native import Buffer
from polycall.wasm_runtime.engine.pace import AT_ONCE, Pace
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

__all__ = ["VALUE_BYTES", "Arena", "Lift", "Lower", "compile_lift", "compile_lower", "owns_memory"]

VALUE_BYTES = 32
_CONTENT = 8
_ENTRY_BYTES = 48
_ENTRY_VALUE = 16
_NAME_BYTES = 16

_SCALARS = {
    "bool": (0, "?"),
    "s8": (1, "b"),
    "u8": (2, "B"),
    "s16": (3, "h"),
    "u16": (4, "H"),
    "s32": (5, "i"),
    "u32": (6, "I"),
    "s64": (7, "q"),
    "u64": (8, "Q"),
    "f32": (9, "f"),
    "f64": (10, "d"),
}
_CHAR, _STRING, _LIST, _RECORD, _TUPLE, _VARIANT, _ENUM, _OPTION, _RESULT, _FLAGS = range(11, 21)

_SIZE_ADDRESS = struct.Struct("=QQ")
_KIND_CODE = struct.Struct("=B7xI")
_KIND_SIZE_ADDRESS = struct.Struct("=B7xQQ")
_KIND_ADDRESS = struct.Struct("=B7xQ")
_KIND_ARM_ADDRESS = struct.Struct("=B7x?7xQ")
_VARIANT_IMAGE = struct.Struct("=B7xQQQ")
_U8_KIND = bytes([2])
_MAX_PASSED_BYTES = 128 * 1024 * 1024

Lower = Callable[[Any, bytearray, int, "Arena"], None]
"""Writes a value's image to (buffer, offset); what the value points to goes into the arena."""

Lift = Callable[[bytes | bytearray, int, Pace], Any]
"""Reads the value whose image lies at (buffer, offset); says first what it builds."""


class Arena:
    """Memory for the parts of values that one call passes; reused by the next call.

    Attributes:
        pace: The call's clock.
    """

    __slots__ = ("_block", "_full", "_left", "_used", "pace")

    _BLOCK_BYTES = 1024

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._block = Buffer(self._BLOCK_BYTES)
        self._full: list[Buffer] = []
        self._left = _MAX_PASSED_BYTES
        self._used = 0

    def reserve(self, size: int) -> tuple[bytearray, int, int]:
        """Returns memory as its buffer, the offset in it (a multiple of 8) and its address.

        Raises:
            LimitError: The values of one call need more than the host is willing to copy.
        """
        at = self._used
        if at + size > len(self._block.data):
            block_bytes = max(self._BLOCK_BYTES, size)
            if block_bytes > self._left:
                raise _too_much(size)
            self._left -= block_bytes
            self._full.append(self._block)
            self._block = Buffer(block_bytes)
            at = 0
        self._used = (at + size + 7) & ~7
        return self._block.data, at, self._block.address + at

    def reset(self) -> None:
        """Makes the memory free for the next call; what was handed out must not be used any more."""
        if self._full:
            self._block = self._full[0]
            self._full.clear()
            self._left = _MAX_PASSED_BYTES
        self._used = 0


def _too_much(size: int) -> LimitError:
    return LimitError(
        f"the values for the component take more than {_MAX_PASSED_BYTES} bytes, {size} of them for one value",
        hint=f"pass less at once: an element of a list takes {VALUE_BYTES} bytes or more while it is passed, also of "
        "list<u8>; a string takes one byte a character",
    )


def owns_memory(wit_type: WitType) -> bool:
    """Whether a value of a type points to memory of the engine's, so that it must be deleted after lifting."""
    return not (isinstance(wit_type, Primitive) and wit_type.name != "string")


def compile_lower(wit_type: WitType) -> Lower:
    """Returns the function that writes values of a type."""
    match wit_type:
        case Primitive(name="char"):
            return lambda value, buffer, at, _arena: _KIND_CODE.pack_into(buffer, at, _CHAR, ord(value))
        case Primitive(name="string"):
            return _lower_string
        case Primitive(name=name):
            return _lower_scalar(*_SCALARS[name])
        case ListType(element=element):
            return _lower_bytes if wit_type.is_bytes else _lower_list(compile_lower(element))
        case TupleType(elements=elements):
            return _lower_tuple([compile_lower(element) for element in elements])
        case RecordType(fields=fields):
            return _lower_record([(name, compile_lower(field)) for name, field in fields])
        case VariantType(cases=cases):
            return _lower_variant({name: _lower_arm(payload) for name, payload in cases})
        case ResultType(ok=ok, err=err):
            return _lower_result(_lower_arm(ok), _lower_arm(err))
        case EnumType(names=names):
            return _lower_enum(names)
        case FlagsType(names=names):
            return _lower_flags(names)
        case OptionType(payload=payload):
            return _lower_option(compile_lower(payload), isinstance(payload, OptionType))
    raise TypeError(f"{wit_type} cannot be lowered")


def compile_lift(wit_type: WitType) -> Lift:
    """Returns the function that reads values of a type."""
    match wit_type:
        case Primitive(name="char"):
            return lambda buffer, at, _pace: chr(_KIND_CODE.unpack_from(buffer, at)[1])
        case Primitive(name="string"):
            return _lift_string
        case Primitive(name=name):
            return _lift_scalar(_SCALARS[name][1])
        case ListType(element=element):
            return _lift_bytes if wit_type.is_bytes else _lift_list(compile_lift(element))
        case TupleType(elements=elements):
            return _lift_tuple([compile_lift(element) for element in elements])
        case RecordType(fields=fields):
            return _lift_record([(name, compile_lift(field)) for name, field in fields])
        case VariantType(cases=cases):
            return _lift_variant({name: _lift_arm(payload) for name, payload in cases})
        case ResultType(ok=ok, err=err):
            return _lift_result(_lift_arm(ok), _lift_arm(err))
        case EnumType(names=names):
            known = {name: name for name in names}  # one string for all: names may be long
            return lambda buffer, at, _pace: known[_text(buffer, at + _CONTENT)]
        case FlagsType(names=names):
            return _lift_flags(names)
        case OptionType(payload=payload):
            return _lift_option(compile_lift(payload), isinstance(payload, OptionType))
    raise TypeError(f"{wit_type} cannot be lifted")


# --- scalars and strings ----------------------------------------------------------------------------------------------


def _lower_scalar(kind: int, code: str) -> Lower:
    pack_into = struct.Struct(f"=B7x{code}").pack_into

    def lower(value: Any, buffer: bytearray, at: int, _arena: Arena) -> None:
        pack_into(buffer, at, kind, value)

    return lower


def _lift_scalar(code: str) -> Lift:
    unpack_from = struct.Struct(f"={code}").unpack_from
    return lambda buffer, at, _pace: unpack_from(buffer, at + _CONTENT)[0]


def _lower_string(value: Any, buffer: bytearray, at: int, arena: Arena) -> None:
    data = value.encode()
    size = len(data)
    block, start, address = arena.reserve(size)
    block[start : start + size] = data
    _KIND_SIZE_ADDRESS.pack_into(buffer, at, _STRING, size, address)


def _text(buffer: bytes | bytearray, at: int) -> str:
    size, address = _SIZE_ADDRESS.unpack_from(buffer, at)
    return string_at(address, size).decode() if size else ""


def _lift_string(buffer: bytes | bytearray, at: int, pace: Pace) -> str:
    size, _ = _SIZE_ADDRESS.unpack_from(buffer, at + _CONTENT)
    pace.take(0, size)
    text = _text(buffer, at + _CONTENT)
    if not text.isascii():
        pace.take(0, getsizeof(text))  # one character beyond the basic plane makes all of them take 4 bytes
    return text


class _Name:
    """A case's or field's name where the engine can read it, for as long as the compiled type lives."""

    __slots__ = ("_memory", "image")

    def __init__(self, name: str) -> None:
        data = name.encode()
        self._memory = Buffer(len(data))
        self._memory.data[:] = data
        self.image = len(data), self._memory.address


# --- lists and tuples -------------------------------------------------------------------------------------------------


def _lower_bytes(value: Any, buffer: bytearray, at: int, arena: Arena) -> None:
    size = len(value)
    block, start, address = arena.reserve(size * VALUE_BYTES)
    end = start + size * VALUE_BYTES
    if size:  # every 32nd byte; what lies between is padding
        block[start:end:VALUE_BYTES] = _U8_KIND * size
        block[start + _CONTENT : end : VALUE_BYTES] = value
    _KIND_SIZE_ADDRESS.pack_into(buffer, at, _LIST, size, address)


def _lift_bytes(buffer: bytes | bytearray, at: int, pace: Pace) -> bytes:
    size, address = _SIZE_ADDRESS.unpack_from(buffer, at + _CONTENT)
    pace.take(0, size)
    if not size:
        return b""
    # A stepped slice of the array where it lies: its 32 bytes an element are never copied as a whole.
    content: bytes = (c_char * (size * VALUE_BYTES)).from_address(address)[_CONTENT::VALUE_BYTES]
    return content


def _lower_list(lower_element: Lower) -> Lower:
    def lower(value: Any, buffer: bytearray, at: int, arena: Arena) -> None:
        block, start, address = arena.reserve(len(value) * VALUE_BYTES)
        _KIND_SIZE_ADDRESS.pack_into(buffer, at, _LIST, len(value), address)
        for first in range(0, len(value), AT_ONCE):
            piece = value[first : first + AT_ONCE]
            arena.pace.step(len(piece))
            for item in piece:
                lower_element(item, block, start, arena)
                start += VALUE_BYTES

    return lower


def _lift_list(lift_element: Lift) -> Lift:
    def lift(buffer: bytes | bytearray, at: int, pace: Pace) -> list[Any]:
        size, address = _SIZE_ADDRESS.unpack_from(buffer, at + _CONTENT)
        pace.take(size)
        items: list[Any] = []
        for first in range(0, size, AT_ONCE):
            count = min(AT_ONCE, size - first)
            pace.step(count)
            block = string_at(address + first * VALUE_BYTES, count * VALUE_BYTES)
            items += [lift_element(block, start, pace) for start in range(0, count * VALUE_BYTES, VALUE_BYTES)]
        return items

    return lift


def _lower_tuple(lowers: list[Lower]) -> Lower:
    size = len(lowers) * VALUE_BYTES

    def lower(value: Any, buffer: bytearray, at: int, arena: Arena) -> None:
        arena.pace.step(len(lowers))
        block, start, address = arena.reserve(size)
        _KIND_SIZE_ADDRESS.pack_into(buffer, at, _TUPLE, len(lowers), address)
        for lower_element, item in zip(lowers, value, strict=True):
            lower_element(item, block, start, arena)
            start += VALUE_BYTES

    return lower


def _lift_tuple(lifts: list[Lift]) -> Lift:
    placed = [(lift, index * VALUE_BYTES) for index, lift in enumerate(lifts)]

    def lift(buffer: bytes | bytearray, at: int, pace: Pace) -> list[Any]:
        pace.step(len(placed))
        pace.take(len(placed) - 1)  # the tuple itself stands in for its first
        _, address = _SIZE_ADDRESS.unpack_from(buffer, at + _CONTENT)
        block = string_at(address, len(placed) * VALUE_BYTES)
        return [lift_element(block, start, pace) for lift_element, start in placed]

    return lift


# --- records and flags ------------------------------------------------------------------------------------------------


def _lower_record(fields: list[tuple[str, Lower]]) -> Lower:
    size = len(fields) * _ENTRY_BYTES
    names = [_Name(name) for name, _ in fields]
    template = b"".join(_SIZE_ADDRESS.pack(*name.image) + bytes(VALUE_BYTES) for name in names)

    # The template holds addresses of the names, and nothing else keeps these alive.
    def lower(value: Any, buffer: bytearray, at: int, arena: Arena, _alive: list[_Name] = names) -> None:
        arena.pace.step(len(fields))
        block, start, address = arena.reserve(size)
        block[start : start + size] = template
        _KIND_SIZE_ADDRESS.pack_into(buffer, at, _RECORD, len(fields), address)
        start += _ENTRY_VALUE
        for name, lower_field in fields:
            lower_field(value[name], block, start, arena)
            start += _ENTRY_BYTES

    return lower


def _lift_record(fields: list[tuple[str, Lift]]) -> Lift:
    placed = [(name, lift, index * _ENTRY_BYTES + _ENTRY_VALUE) for index, (name, lift) in enumerate(fields)]

    def lift(buffer: bytes | bytearray, at: int, pace: Pace) -> dict[str, Any]:
        pace.step(len(placed))
        pace.take(len(placed) + 1)
        _, address = _SIZE_ADDRESS.unpack_from(buffer, at + _CONTENT)
        block = string_at(address, len(placed) * _ENTRY_BYTES)
        return {name: lift_field(block, start, pace) for name, lift_field, start in placed}

    return lift


def _lower_flags(names: tuple[str, ...]) -> Lower:
    known = {name: _Name(name) for name in names}

    def lower(value: Any, buffer: bytearray, at: int, arena: Arena) -> None:
        arena.pace.step(len(value))
        block, start, address = arena.reserve(len(value) * _NAME_BYTES)
        _KIND_SIZE_ADDRESS.pack_into(buffer, at, _FLAGS, len(value), address)
        for name in value:
            _SIZE_ADDRESS.pack_into(block, start, *known[name].image)
            start += _NAME_BYTES

    return lower


def _lift_flags(names: tuple[str, ...]) -> Lift:
    def lift(buffer: bytes | bytearray, at: int, pace: Pace) -> list[str]:
        pace.step(len(names))
        pace.take(1 + len(names) // 10)  # the names are there already
        size, address = _SIZE_ADDRESS.unpack_from(buffer, at + _CONTENT)
        block = string_at(address, size * _NAME_BYTES)
        given = {_text(block, start) for start in range(0, size * _NAME_BYTES, _NAME_BYTES)}
        return [name for name in names if name in given]

    return lift


# --- variants, results, enums and options -----------------------------------------------------------------------------


def _lower_arm(payload: WitType | None) -> Lower | None:
    return None if payload is None else compile_lower(payload)


def _lift_arm(payload: WitType | None) -> Lift | None:
    return None if payload is None else compile_lift(payload)


def _lower_payload(lower: Lower | None, value: Any, arena: Arena) -> int:
    """Returns the address of the payload's image; 0 stands for no payload."""
    if lower is None:
        return 0
    block, start, address = arena.reserve(VALUE_BYTES)
    lower(value, block, start, arena)
    return address


def _lift_payload(lift: Lift | None, address: int, pace: Pace) -> Any:
    return True if lift is None else lift(string_at(address, VALUE_BYTES), 0, pace)


_CASE_COST = 2
"""A dict of one key takes twice what a value does."""


def _lower_variant(arms: dict[str, Lower | None]) -> Lower:
    names = {name: _Name(name) for name in arms}

    def lower(value: Any, buffer: bytearray, at: int, arena: Arena) -> None:
        ((name, payload),) = value.items()
        _VARIANT_IMAGE.pack_into(buffer, at, _VARIANT, *names[name].image, _lower_payload(arms[name], payload, arena))

    return lower


def _lift_variant(arms: dict[str, Lift | None]) -> Lift:
    known = {name: name for name in arms}

    def lift(buffer: bytes | bytearray, at: int, pace: Pace) -> dict[str, Any]:
        pace.take(_CASE_COST)
        address = _VARIANT_IMAGE.unpack_from(buffer, at)[3]
        name = known[_text(buffer, at + _CONTENT)]  # one string for all: names may be long
        return {name: _lift_payload(arms[name], address, pace)}

    return lift


def _lower_result(ok: Lower | None, err: Lower | None) -> Lower:
    def lower(value: Any, buffer: bytearray, at: int, arena: Arena) -> None:
        ((arm, payload),) = value.items()
        is_ok = arm == "ok"
        address = _lower_payload(ok if is_ok else err, payload, arena)
        _KIND_ARM_ADDRESS.pack_into(buffer, at, _RESULT, is_ok, address)

    return lower


def _lift_result(ok: Lift | None, err: Lift | None) -> Lift:
    def lift(buffer: bytes | bytearray, at: int, pace: Pace) -> dict[str, Any]:
        pace.take(_CASE_COST)
        _, is_ok, address = _KIND_ARM_ADDRESS.unpack_from(buffer, at)
        return {"ok": _lift_payload(ok, address, pace)} if is_ok else {"err": _lift_payload(err, address, pace)}

    return lift


def _lower_enum(names: tuple[str, ...]) -> Lower:
    known = {name: _Name(name) for name in names}

    def lower(value: Any, buffer: bytearray, at: int, _arena: Arena) -> None:
        _KIND_SIZE_ADDRESS.pack_into(buffer, at, _ENUM, *known[value].image)

    return lower


def _lower_option(payload: Lower, nested: bool) -> Lower:
    def lower(value: Any, buffer: bytearray, at: int, arena: Arena) -> None:
        address = 0
        if value is not None:
            address = _lower_payload(payload, unwrap_some(value) if nested else value, arena)
        _KIND_ADDRESS.pack_into(buffer, at, _OPTION, address)

    return lower


def _lift_option(payload: Lift, nested: bool) -> Lift:
    def lift(buffer: bytes | bytearray, at: int, pace: Pace) -> Any:
        address = _KIND_ADDRESS.unpack_from(buffer, at)[1]
        if not address:
            return None
        value = _lift_payload(payload, address, pace)
        if not nested:
            return value
        pace.take(_CASE_COST)
        return wrap_some(value)

    return lift
