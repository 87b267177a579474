"""Sizes, alignments and flat forms of WIT types in a guest's memory (specification: Component Model, Canonical ABI)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import TypeAlias

from polycall.wasm_runtime.wit.wit_types import (
    EnumType,
    FixedListType,
    FlagsType,
    HandleType,
    ListType,
    MapType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
    parts,
)

__all__ = [
    "MAX_FLAT_PARAMETERS",
    "MAX_FLAT_RESULTS",
    "CaseType",
    "align_to",
    "alignment",
    "arms",
    "case_names",
    "count_parts",
    "discriminant_size",
    "flags_size",
    "flat",
    "flat_count",
    "payload_offset",
    "size",
    "tuple_offsets",
    "values_of",
]

CaseType: TypeAlias = OptionType | ResultType | VariantType | EnumType
"""A type with a discriminant."""

MAX_FLAT_PARAMETERS = 16
"""With more core parameters than this, all go through memory and the function takes one pointer."""

MAX_FLAT_RESULTS = 1
"""With more core results than this, all go through memory and the function gives a pointer."""

_SIZES = {
    **{"bool": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "s32": 4, "u32": 4, "s64": 8, "u64": 8},
    **{"f32": 4, "f64": 8, "char": 4, "string": 8},
}
_POINTER_BYTES = 4
_FLAT = {"s64": ("i64",), "u64": ("i64",), "f32": ("f32",), "f64": ("f64",), "string": ("i32", "i32")}


def align_to(offset: int, boundary: int) -> int:
    """Returns the next multiple of `boundary` from `offset` on."""
    return -(-offset // boundary) * boundary


def arms(wit_type: CaseType) -> tuple[WitType | None, ...]:
    """Returns the payloads of the cases, by discriminant."""
    match wit_type:
        case OptionType(payload=payload):
            return None, payload
        case ResultType(ok=ok, err=err):
            return ok, err
        case VariantType(cases=cases):
            return tuple(payload for _, payload in cases)
    return (None,) * len(wit_type.names)


def case_names(wit_type: CaseType) -> tuple[str, ...]:
    """Returns the names of the cases, by discriminant, as they stand in values."""
    match wit_type:
        case OptionType():
            return "none", "some"
        case ResultType():
            return "ok", "err"
        case VariantType(cases=cases):
            return tuple(name for name, _ in cases)
    return wit_type.names


def discriminant_size(wit_type: CaseType) -> int:
    """Returns how many bytes the number of a case takes."""
    count = len(arms(wit_type))
    return 1 if count <= 2**8 else 2 if count <= 2**16 else 4


def flags_size(wit_type: FlagsType) -> int:
    """Returns how many bytes the bits of flags take; there are at most 32."""
    count = len(wit_type.names)
    return 1 if count <= 8 else 2 if count <= 16 else 4


def alignment(wit_type: WitType) -> int:
    """Returns the alignment of a type, in bytes."""
    return _extent(wit_type)[1]


def size(wit_type: WitType) -> int:
    """Returns the size of a type, in bytes."""
    return _extent(wit_type)[0]


def _extent(wit_type: WitType) -> tuple[int, int]:
    """Returns size and alignment, in one walk: types may be deep."""
    match wit_type:
        case Primitive(name="string") | ListType() | MapType():
            return 2 * _POINTER_BYTES, _POINTER_BYTES
        case HandleType():
            return _POINTER_BYTES, _POINTER_BYTES
        case Primitive(name=name):
            return _SIZES[name], _SIZES[name]
        case FixedListType(element=element, length=length):
            step, boundary = _extent(element)
            return length * step, boundary
        case TupleType(elements=elements):
            return _tuple_extent(elements)
        case RecordType(fields=fields):
            return _tuple_extent(field for _, field in fields)
        case FlagsType():
            return flags_size(wit_type), flags_size(wit_type)
        case OptionType() | ResultType() | VariantType() | EnumType():
            return _case_extent(wit_type)
    raise _unknown(wit_type)


def _tuple_extent(elements: Iterable[WitType]) -> tuple[int, int]:
    *_, whole, widest = _placed(elements)
    return whole, widest


def _case_extent(wit_type: CaseType) -> tuple[int, int]:
    number = discriminant_size(wit_type)
    largest, widest = _payload_extent(wit_type)
    return align_to(align_to(number, widest) + largest, max(number, widest)), max(number, widest)


def _payload_extent(wit_type: CaseType) -> tuple[int, int]:
    """Returns the size of the largest payload and the alignment of the most demanding one."""
    extents = [_extent(arm) for arm in arms(wit_type) if arm is not None]
    return max((size for size, _ in extents), default=0), max((boundary for _, boundary in extents), default=1)


def payload_offset(wit_type: CaseType) -> int:
    """Returns where the payload lies, behind the discriminant and its padding."""
    return align_to(discriminant_size(wit_type), _payload_extent(wit_type)[1])


def tuple_offsets(elements: Iterable[WitType]) -> list[int]:
    """Returns where each element lies, and at the end the size of the whole."""
    return _placed(elements)[:-1]


def _placed(elements: Iterable[WitType]) -> list[int]:
    """Returns where each element lies, the size of the whole, and its alignment."""
    offsets: list[int] = []
    end, widest = 0, 1
    for element in elements:
        step, boundary = _extent(element)
        offsets.append(align_to(end, boundary))
        end = offsets[-1] + step
        widest = max(widest, boundary)
    return [*offsets, align_to(end, widest), widest]


def flat(wit_type: WitType) -> tuple[str, ...]:
    """Returns the core types that a value becomes outside of memory.

    More than `MAX_FLAT_PARAMETERS` of them are cut off, so that there are too many still: what is that long goes
    through memory as a whole, and nobody asks which they would be.
    """
    match wit_type:
        case Primitive(name=name):
            return _FLAT.get(name, ("i32",))
        case ListType() | MapType():
            return ("i32", "i32")
        case FlagsType() | HandleType():
            return ("i32",)
        case FixedListType(element=element, length=length):
            return _cut(flat(element) * min(length, MAX_FLAT_PARAMETERS + 1))
        case TupleType(elements=elements):
            return _all(elements)
        case RecordType(fields=fields):
            return _all(field for _, field in fields)
        case OptionType() | ResultType() | VariantType() | EnumType():
            return _cut(("i32", *_joined(flat(arm) for arm in arms(wit_type) if arm is not None)))
    raise _unknown(wit_type)


def flat_count(wit_type: WitType) -> int:
    """Returns how many core values a value becomes, as `flat` has it."""
    return len(flat(wit_type))


def _all(elements: Iterable[WitType]) -> tuple[str, ...]:
    cores: list[str] = []
    for element in elements:
        cores += flat(element)
        if len(cores) > MAX_FLAT_PARAMETERS:
            break
    return _cut(tuple(cores))


def _cut(cores: tuple[str, ...]) -> tuple[str, ...]:
    return cores[: MAX_FLAT_PARAMETERS + 1]


def _joined(cases: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Returns the core types that hold any of these."""
    return tuple(_join({core for core in cores if core}) for cores in zip_longest(*cases))


def _join(cores: set[str]) -> str:
    if len(cores) == 1:
        return next(iter(cores))
    return "i32" if cores == {"i32", "f32"} else "i64"


def count_parts(wit_type: WitType, most: int) -> int:
    """Returns how many types a type is made of, itself included; something above `most` if they are more.

    The elements of a fixed list count each.
    """
    count = 1
    times = wit_type.length if isinstance(wit_type, FixedListType) else 1
    for part in parts(wit_type):
        if part is not None and count <= most:
            count += times * count_parts(part, most - count)
    return count


def values_of(wit_type: WitType) -> int:
    """Returns how many values of Python one value becomes at most, without what its lists hold: a dict counts two."""
    match wit_type:
        case TupleType(elements=elements):
            return sum(map(values_of, elements))
        case RecordType(fields=fields):
            return 2 + sum(values_of(field) for _, field in fields)
        case FlagsType():
            return 3
        case FixedListType(element=element, length=length):
            return 1 if element == Primitive("u8") else length * values_of(element)  # bytes are one value
        case OptionType(payload=payload):
            return values_of(payload) + 2 * isinstance(payload, OptionType)  # which may need its wrapper
        case ResultType() | VariantType():
            return 2 + max((values_of(arm) for arm in arms(wit_type) if arm is not None), default=1)
    return 1


def _unknown(wit_type: WitType) -> TypeError:
    return TypeError(f"{wit_type} has no layout here")
