"""Type definitions of a component, resolved: indices to WIT types, core types, and why some cannot cross."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest

from polycall.wasm_runtime.component import definitions as d
from polycall.wasm_runtime.component.scopes import FunctionType, Resource, Scope, Value
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import (
    PRIMITIVES,
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
    parts_of_name,
)

__all__ = ["WASI_03", "ValueDefinition", "function_type", "value_definition", "value_type"]

WASI_03 = "which is of WASI 0.3: build the component for WASI 0.2, with synchronous functions (often --sync)"
"""What ends the refusal of everything that is asynchronous."""

_MAX_PARTS = 10_000
_MAX_DEPTH = 64
_MOST_FLAT = 17  # one more than a function may have without memory

_FLAT = {"s64": ("i64",), "u64": ("i64",), "f32": ("f32",), "f64": ("f64",), "string": ("i32", "i32")}
_POINTER_AND_LENGTH = ("i32", "i32")
_PRIMITIVES = {name: Value(Primitive(name), _FLAT.get(name, ("i32",))) for name in PRIMITIVES}
_PRIMITIVES["error-context"] = Value(None, ("i32",), refusal=f"has an error-context in its type, {WASI_03}")

ValueDefinition = (
    d.Primitive
    | d.Record
    | d.Variant
    | d.List
    | d.FixedList
    | d.Tuple
    | d.Flags
    | d.Enum
    | d.Option
    | d.Result
    | d.Own
    | d.Borrow
    | d.Stream
    | d.Future
    | d.Map
)
"""The definitions of value types."""


def value_type(scope: Scope, found: d.ValueType) -> Value:
    """Returns a value type by its name or index."""
    return _PRIMITIVES[found] if isinstance(found, str) else scope.find("type", found, Value)


def _optional(scope: Scope, found: d.ValueType | None) -> Value | None:
    return None if found is None else value_type(scope, found)


def function_type(scope: Scope, found: d.FuncType) -> FunctionType:
    """Resolves the type of a function."""
    parameters = [(name, value_type(scope, each)) for name, each in found.parameters]
    result = _optional(scope, found.result)
    values = [value for _, value in parameters] + ([] if result is None else [result])
    size = sum(value.parts for value in values) + sum(parts_of_name(name) for name, _ in parameters)
    refusal = f"is an async function, {WASI_03}" if found.is_async else _refusal(values, size)
    signature = None
    if refusal is None:
        known = tuple((name, value.type) for name, value in parameters if value.type is not None)
        signature = Signature(known, None if result is None else result.type)
    flat = _sequence([value for _, value in parameters])
    return FunctionType(signature, flat, () if result is None else result.flat, refusal)


def value_definition(scope: Scope, found: ValueDefinition, name_of: Callable[[int], str]) -> Value:
    """Resolves the definition of a value type.

    Args:
        scope: The index spaces that it stands in.
        found: What it says.
        name_of: What messages call the resource type of a slot.
    """
    match found:
        case d.Primitive(name=name):
            return _PRIMITIVES[name]
        case d.Own(resource=index) | d.Borrow(resource=index):
            slot = scope.find("type", index, Resource).slot
            mode = "own" if isinstance(found, d.Own) else "borrow"
            return Value(HandleType(mode, slot, name_of(slot)), ("i32",))
        case d.Enum(labels=labels) | d.Flags(labels=labels):
            kind = EnumType if isinstance(found, d.Enum) else FlagsType
            return _compound([], lambda _: kind(labels), ("i32",), labels)
        case d.Stream() | d.Future():
            kind_name = type(found).__name__.lower()
            return Value(None, ("i32",), refusal=f"has a {kind_name} in its type, {WASI_03}")
        case d.List() | d.FixedList() | d.Map() | d.Tuple() | d.Record():
            return _product(scope, found)
    return _sum(scope, found)


def _product(scope: Scope, found: d.List | d.FixedList | d.Map | d.Tuple | d.Record) -> Value:
    match found:
        case d.List(element=element):
            return _compound([value_type(scope, element)], lambda of: ListType(of[0]), _POINTER_AND_LENGTH)
        case d.Map(key=key, value=value):
            pair = [value_type(scope, key), value_type(scope, value)]
            return _compound(pair, lambda of: MapType(*of), _POINTER_AND_LENGTH)
        case d.FixedList(element=element, length=length):
            inner = value_type(scope, element)
            flat = _sequence([inner] * min(length, _MOST_FLAT))
            return _compound([inner], lambda of: FixedListType(of[0], length), flat)
        case d.Tuple(elements=elements):
            values = [value_type(scope, each) for each in elements]
            return _compound(values, lambda of: TupleType(tuple(of)), _sequence(values))
    labels = [label for label, _ in found.fields]
    values = [value_type(scope, each) for _, each in found.fields]
    return _compound(values, lambda of: RecordType(tuple(zip(labels, of, strict=True))), _sequence(values), labels)


def _sum(scope: Scope, found: d.Option | d.Result | d.Variant) -> Value:
    match found:
        case d.Option(payload=payload):
            values = [value_type(scope, payload)]
            return _compound(values, lambda of: OptionType(of[0]), _joined(values))
        case d.Result(ok=ok, err=err):
            arms = [_optional(scope, ok), _optional(scope, err)]
            return _arms(arms, lambda of: ResultType(*of), ())
    labels = [case.label for case in found.cases]
    arms = [_optional(scope, case.payload) for case in found.cases]
    return _arms(arms, lambda of: VariantType(tuple(zip(labels, of, strict=True))), labels)


def _arms(arms: list[Value | None], build: Callable[[list[WitType | None]], WitType], labels: Sequence[str]) -> Value:
    """Returns a type with cases, some of which may have no payload."""
    values = [arm for arm in arms if arm is not None]

    def with_gaps(_: list[WitType]) -> WitType:
        return build([None if arm is None else arm.type for arm in arms])

    return _compound(values, with_gaps, _joined(values), labels)


def _compound(
    values: list[Value],
    build: Callable[[list[WitType]], WitType],
    flat: tuple[str, ...],
    labels: Sequence[str] = (),
) -> Value:
    parts = 1 + sum(value.parts for value in values) + sum(map(parts_of_name, labels))
    depth = 1 + max((value.depth for value in values), default=0)
    refusal = _refusal(values, parts)
    if refusal is None and depth > _MAX_DEPTH:
        refusal = f"has a type of more than {_MAX_DEPTH} levels"
    built = None if refusal else build([value.type for value in values if value.type is not None])
    return Value(built, flat, min(parts, _MAX_PARTS + 1), depth, refusal)


def _refusal(values: list[Value], parts: int) -> str | None:
    if parts > _MAX_PARTS:
        return f"has types of more than {_MAX_PARTS} parts"
    return next((value.refusal for value in values if value.refusal is not None), None)


def _sequence(values: Iterable[Value]) -> tuple[str, ...]:
    """Returns the core types of values one after the other."""
    flat: tuple[str, ...] = ()
    for value in values:
        if len(flat) >= _MOST_FLAT:
            break
        flat += value.flat
    return flat[:_MOST_FLAT]


def _joined(values: list[Value]) -> tuple[str, ...]:
    """Returns the core types of a discriminant, and of whatever holds any of these payloads."""
    columns = zip_longest(*{value.flat for value in values})
    return ("i32", *(_join({core for core in cores if core}) for cores in columns))[:_MOST_FLAT]


def _join(cores: set[str]) -> str:
    if len(cores) == 1:
        return next(iter(cores))
    return "i32" if cores == {"i32", "f32"} else "i64"
