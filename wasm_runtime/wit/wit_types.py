"""The types of WIT, as values: what a component declares, or what the ``wit`` of a core module says.

Specification: the Component Model's WIT, "Types". `str()` gives a type as WIT writes it; records, variants, enums and
flags, which have no inline form there, in the notation of their declarations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from polycall.interop.records import record

__all__ = [
    "INTEGER_RANGES",
    "PRIMITIVES",
    "AsyncType",
    "EnumType",
    "FixedListType",
    "FlagsType",
    "HandleType",
    "ListType",
    "MapType",
    "OptionType",
    "Primitive",
    "RecordType",
    "ResultType",
    "TupleType",
    "VariantType",
    "WitType",
    "parts",
    "parts_of_name",
    "unsupported_part",
]

INTEGER_RANGES = {
    **{f"s{bits}": range(-(2 ** (bits - 1)), 2 ** (bits - 1)) for bits in (8, 16, 32, 64)},
    **{f"u{bits}": range(2**bits) for bits in (8, 16, 32, 64)},
}
"""Integer type to the values it holds."""

PRIMITIVES = frozenset({"bool", "f32", "f64", "char", "string", *INTEGER_RANGES})
"""The names of the types that have no parts."""

_NAME_CHARACTERS = 256


@record
class Primitive:
    """``bool``, an integer, ``f32``, ``f64``, ``char`` or ``string``."""

    name: str

    def __str__(self) -> str:
        """Returns the name."""
        return self.name


@record
class ListType:
    """``list<T>``."""

    element: WitType

    def __str__(self) -> str:
        """Returns ``list<T>``."""
        return f"list<{self.element}>"

    @property
    def is_bytes(self) -> bool:
        """Whether it is ``list<u8>``, which travels as bytes."""
        return self.element == Primitive("u8")


@record
class TupleType:
    """``tuple<A, B>``."""

    elements: tuple[WitType, ...]

    def __str__(self) -> str:
        """Returns ``tuple<A, B>``."""
        return f"tuple<{', '.join(map(str, self.elements))}>"


@record
class RecordType:
    """A record: named fields, in order."""

    fields: tuple[tuple[str, WitType], ...]

    def __str__(self) -> str:
        """Returns ``record {id: u32, name: string}``."""
        return f"record {{{', '.join(f'{name}: {field}' for name, field in self.fields)}}}"


@record
class VariantType:
    """A variant: named cases, each with or without a payload."""

    cases: tuple[tuple[str, WitType | None], ...]

    def __str__(self) -> str:
        """Returns ``variant {all, some(u32)}``."""
        cases = (name if payload is None else f"{name}({payload})" for name, payload in self.cases)
        return f"variant {{{', '.join(cases)}}}"


@record
class EnumType:
    """An enum: one of its names."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        """Returns ``enum {red, green}``."""
        return f"enum {{{', '.join(self.names)}}}"


@record
class FlagsType:
    """Flags: a set of its names."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        """Returns ``flags {read, write}``."""
        return f"flags {{{', '.join(self.names)}}}"


@record
class OptionType:
    """``option<T>``."""

    payload: WitType

    def __str__(self) -> str:
        """Returns ``option<T>``."""
        return f"option<{self.payload}>"


@record
class ResultType:
    """``result<T, E>``; either may be missing."""

    ok: WitType | None
    err: WitType | None

    def __str__(self) -> str:
        """Returns ``result``, ``result<T>``, ``result<_, E>`` or ``result<T, E>``."""
        if self.err is None:
            return "result" if self.ok is None else f"result<{self.ok}>"
        return f"result<{'_' if self.ok is None else self.ok}, {self.err}>"


@record
class FixedListType:
    """``list<T, N>``: so many elements, in place."""

    element: WitType
    length: int

    def __str__(self) -> str:
        """Returns ``list<T, N>``."""
        return f"list<{self.element}, {self.length}>"


@record
class MapType:
    """``map<K, V>``; it crosses like ``list<tuple<K, V>>``."""

    key: WitType
    value: WitType

    def __str__(self) -> str:
        """Returns ``map<K, V>``."""
        return f"map<{self.key}, {self.value}>"


@record
class HandleType:
    """``own<R>`` or ``borrow<R>``: a handle to a resource.

    Attributes:
        mode: ``own`` or ``borrow``.
        resource: Which resource type: its slot in the plan of the component.
        name: What messages call it.
    """

    mode: str
    resource: int
    name: str = "resource"

    def __str__(self) -> str:
        """Returns ``own<name>`` or ``borrow<name>``."""
        return f"{self.mode}<{self.name}>"


@record
class AsyncType:
    """``stream<T>``, ``future<T>`` or ``error-context``: types of WASI 0.3, which cannot cross."""

    name: str

    def __str__(self) -> str:
        """Returns the name."""
        return self.name


WitType: TypeAlias = (
    Primitive
    | ListType
    | TupleType
    | RecordType
    | VariantType
    | EnumType
    | FlagsType
    | OptionType
    | ResultType
    | FixedListType
    | MapType
    | HandleType
    | AsyncType
)


def parts(wit_type: WitType) -> Iterator[WitType | None]:
    """Yields the types that a type consists of; None for a case without payload."""
    match wit_type:
        case ListType(element=part) | OptionType(payload=part) | FixedListType(element=part):
            yield part
        case MapType(key=key, value=value):
            yield from (key, value)
        case TupleType(elements=elements):
            yield from elements
        case RecordType(fields=named) | VariantType(cases=named):
            yield from (part for _, part in named)
        case ResultType(ok=ok, err=err):
            yield from (ok, err)


def parts_of_name(name: str) -> int:
    """Returns how many parts of a type the name of a field or case counts as, where parts are bounded."""
    return 1 + len(name) // _NAME_CHARACTERS


def unsupported_part(wit_type: WitType) -> HandleType | None:
    """Returns the first part of a type that has no plain form, itself included: a handle. None if there is none."""
    if isinstance(wit_type, HandleType):
        return wit_type
    found = (unsupported_part(part) for part in parts(wit_type) if part is not None)
    return next((part for part in found if part is not None), None)
