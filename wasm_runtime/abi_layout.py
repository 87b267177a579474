"""Sizes, alignments and flat forms of WIT types in a guest's memory (specification: Component Model, Canonical ABI).

For the types that the ``wit`` of a core module can name.
"""

from __future__ import annotations

from collections.abc import Iterable

from polycall.wasm_runtime.wit_types import ListType, OptionType, Primitive, ResultType, TupleType, WitType

__all__ = ["MAX_FLAT_PARAMETERS", "align_to", "alignment", "arms", "flat", "payload_offset", "size", "tuple_offsets"]

MAX_FLAT_PARAMETERS = 16
"""With more core parameters than this, all go through memory and the function takes one pointer."""

_SIZES = {
    **{"bool": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "s32": 4, "u32": 4, "s64": 8, "u64": 8},
    **{"f32": 4, "f64": 8, "char": 4, "string": 8},
}
_POINTER_BYTES = 4
_FLAT = {"s64": ("i64",), "u64": ("i64",), "f32": ("f32",), "f64": ("f64",), "string": ("i32", "i32")}


def align_to(offset: int, boundary: int) -> int:
    """Returns the next multiple of `boundary` from `offset` on."""
    return -(-offset // boundary) * boundary


def arms(wit_type: OptionType | ResultType) -> tuple[WitType | None, WitType | None]:
    """Returns the payloads of the two cases, by discriminant."""
    return (None, wit_type.payload) if isinstance(wit_type, OptionType) else (wit_type.ok, wit_type.err)


def alignment(wit_type: WitType) -> int:
    """Returns the alignment of a type, in bytes."""
    match wit_type:
        case Primitive(name="string") | ListType():
            return _POINTER_BYTES
        case Primitive(name=name):
            return _SIZES[name]
        case TupleType(elements=elements):
            return max(map(alignment, elements))
        case OptionType() | ResultType():
            return max((alignment(arm) for arm in arms(wit_type) if arm is not None), default=1)
    raise _unknown(wit_type)


def size(wit_type: WitType) -> int:
    """Returns the size of a type, in bytes."""
    match wit_type:
        case Primitive(name=name):
            return _SIZES[name]
        case ListType():
            return 2 * _POINTER_BYTES
        case TupleType(elements=elements):
            return tuple_offsets(elements)[-1]
        case OptionType() | ResultType():
            largest = max((size(arm) for arm in arms(wit_type) if arm is not None), default=0)
            return align_to(payload_offset(wit_type) + largest, alignment(wit_type))
    raise _unknown(wit_type)


def payload_offset(wit_type: OptionType | ResultType) -> int:
    """Returns where the payload lies, behind the discriminant byte and its padding."""
    return alignment(wit_type)


def tuple_offsets(elements: Iterable[WitType]) -> list[int]:
    """Returns where each element lies, and at the end the size of the whole."""
    offsets: list[int] = []
    end = 0
    widest = 1
    for element in elements:
        boundary = alignment(element)
        widest = max(widest, boundary)
        offsets.append(align_to(end, boundary))
        end = offsets[-1] + size(element)
    return [*offsets, align_to(end, widest)]


def flat(wit_type: WitType) -> tuple[str, ...]:
    """Returns the core types that a value becomes outside of memory."""
    match wit_type:
        case Primitive(name=name):
            return _FLAT.get(name, ("i32",))
        case ListType():
            return ("i32", "i32")
        case TupleType(elements=elements):
            return tuple(core for element in elements for core in flat(element))
        case OptionType() | ResultType():
            return ("i32", *_joined(*(flat(arm) if arm is not None else () for arm in arms(wit_type))))
    raise _unknown(wit_type)


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    if len(first) < len(second):
        first, second = second, first
    both = tuple(_join(a, b) for a, b in zip(first, second, strict=False))
    return both + first[len(both) :]


def _join(first: str, second: str) -> str:
    if first == second:
        return first
    return "i32" if {first, second} == {"i32", "f32"} else "i64"


def _unknown(wit_type: WitType) -> TypeError:
    return TypeError(f"{wit_type} has no layout here")
