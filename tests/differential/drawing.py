"""Types and values drawn by a generator of random numbers: a number gives the same ones each time, and fast.

Hypothesis (`echo_components.py`) makes failures small; this makes many cases.
"""

from __future__ import annotations

import struct
from random import Random
from typing import Any

from polycall.wasm_runtime.wit.check_values import wrap_some
from polycall.wasm_runtime.wit.wit_types import (
    INTEGER_RANGES,
    PRIMITIVES,
    EnumType,
    FixedListType,
    FlagsType,
    ListType,
    MapType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
)

__all__ = ["drawn_type", "drawn_value"]

_LONGEST = 4_000
"""Of a type as text: wider ones are refused."""

_LABELS = ("a", "b", "some", "ok", "err", "tag-count", "x1", "none")
_PRIMITIVES = tuple(sorted(PRIMITIVES))
_KEYS = ("string", "u8", "s32", "u64", "char", "bool")
_CHARACTERS = (
    "a",
    "\0",
    "z",
    "\x7f",
    "\x80",
    "é",
    "\xff",
    "\u0100",
    "漢",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "🎉",
    "\U0010ffff",
)
_FLOATS = (0.0, -0.0, 1.0, -1.5, 0.1, float("inf"), float("-inf"), 5e-324, 1.7e308, 3.4028234663852886e38, 1e-45)


def drawn_type(random: Random, *, newer: bool) -> WitType:
    """Draws a type; `newer`: whether fixed-length lists and maps are among them."""
    while True:
        drawn = _type(random, newer, 3)
        if len(str(drawn)) <= _LONGEST:
            return drawn


def _type(random: Random, newer: bool, levels: int) -> WitType:
    inner = random.random() < 0.6 and levels > 0
    if not inner:
        return _leaf(random)
    draws = [_list, _option, _tuple, _result, _record, _variant, _wide, *([_fixed, _map] if newer else [])]
    return random.choice(draws)(random, newer, levels - 1)


def _leaf(random: Random) -> WitType:
    pick = random.randrange(8)
    if pick == 0:
        # Around 256 cases, discriminants get another size.
        count = random.choice((1, 2, 5, 32, 255, 256, 257, 300))
        return EnumType(tuple(f"n{index}" for index in range(count)))
    if pick == 1:
        return FlagsType(tuple(f"n{index}" for index in range(random.randint(1, 32))))
    return Primitive(random.choice(_PRIMITIVES))


def _arm(random: Random, newer: bool, levels: int) -> WitType | None:
    return None if random.random() < 0.3 else _type(random, newer, levels)


def _list(random: Random, newer: bool, levels: int) -> WitType:
    return ListType(_type(random, newer, levels))


def _option(random: Random, newer: bool, levels: int) -> WitType:
    return OptionType(_type(random, newer, levels))


def _tuple(random: Random, newer: bool, levels: int) -> WitType:
    return TupleType(tuple(_type(random, newer, levels) for _ in range(random.randint(1, 4))))


def _result(random: Random, newer: bool, levels: int) -> WitType:
    return ResultType(_arm(random, newer, levels), _arm(random, newer, levels))


def _record(random: Random, newer: bool, levels: int) -> WitType:
    names = random.sample(_LABELS, random.randint(1, 5))
    return RecordType(tuple((name, _type(random, newer, levels)) for name in names))


def _variant(random: Random, newer: bool, levels: int) -> WitType:
    names = random.sample(_LABELS, random.randint(1, 5))
    return VariantType(tuple((name, _arm(random, newer, levels)) for name in names))


def _wide(random: Random, newer: bool, _levels: int) -> WitType:
    one = _type(random, newer, 1)
    if random.random() < 0.5:
        return TupleType((one,) * random.choice((15, 16, 17, 20)))
    return VariantType(tuple((f"c{n}", one if n % 3 else None) for n in range(18)))


def _fixed(random: Random, newer: bool, levels: int) -> WitType:
    return FixedListType(_type(random, newer, levels), random.choice((1, 2, 3, 16, 17, 20)))


def _map(random: Random, newer: bool, levels: int) -> WitType:
    return MapType(Primitive(random.choice(_KEYS)), _type(random, newer, levels))


def drawn_value(random: Random, wit_type: WitType) -> Any:
    """Draws a value of a type, in its normal form; never NaN, which is not equal to itself."""
    match wit_type:
        case Primitive(name=name):
            return _primitive(random, name)
        case ListType(element=element):
            count = random.choice((0, 1, 1, 2, 3, 4))
            items = [drawn_value(random, element) for _ in range(count)]
            return bytes(items) if wit_type.is_bytes else items
        case FixedListType(element=element, length=length):
            items = [drawn_value(random, element) for _ in range(length)]
            return bytes(items) if element == Primitive("u8") else items
        case MapType(key=key, value=value):
            return [[drawn_value(random, key), drawn_value(random, value)] for _ in range(random.randrange(4))]
        case TupleType(elements=elements):
            return [drawn_value(random, each) for each in elements]
        case RecordType(fields=fields):
            return {name: drawn_value(random, each) for name, each in fields}
        case EnumType(names=names):
            return random.choice((names[0], names[-1], random.choice(names)))
        case FlagsType(names=names):
            bits = random.choice((0, 2**32 - 1, random.getrandbits(32)))
            return [name for index, name in enumerate(names) if bits >> index & 1]
        case OptionType(payload=payload):
            if random.random() < 0.4:
                return None
            some = drawn_value(random, payload)
            return wrap_some(some) if isinstance(payload, OptionType) else some
        case VariantType(cases=cases):
            return _case(random, *random.choice(cases))
        case ResultType(ok=ok, err=err):
            return _case(random, *random.choice((("ok", ok), ("err", err))))
    raise TypeError(wit_type)


def _case(random: Random, name: str, payload: WitType | None) -> dict[str, Any]:
    return {name: True if payload is None else drawn_value(random, payload)}


def _primitive(random: Random, name: str) -> Any:
    if name in INTEGER_RANGES:
        values = INTEGER_RANGES[name]
        edge = random.choice((values.start, values.stop - 1, 0, 1, values.stop // 2))
        return edge if random.random() < 0.4 else random.randrange(values.start, values.stop)
    match name:
        case "bool":
            return random.random() < 0.5
        case "char":
            return random.choice(_CHARACTERS)
        case "string":
            some = random.sample(_CHARACTERS, random.randint(1, 4))  # of one kind more often than of all
            return "".join(random.choices(some, k=random.choice((0, 1, 2, 7, 30))))
        case "f32":
            return _rounded(random.choice((random.choice(_FLOATS), random.gauss(0, 1e6))))
    return random.choice((random.choice(_FLOATS), random.gauss(0, 1e9)))


def _rounded(number: float) -> float:
    try:
        found: float = struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return 0.0
    return found
