"""What wasmtime says of a component's imports and exports, as types of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import wasmtime
from polycall.wasm_runtime.import_links import ImportedInterface, is_our_funcs
from wasmtime import component as api

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.engine.guest_text import shown
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import (
    PRIMITIVES,
    EnumType,
    FlagsType,
    HandleType,
    ListType,
    OptionType,
    Primitive,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
    parts_of_name,
)

__all__ = ["exported_functions", "imported_interfaces", "nested_instances", "signature_of"]

_MAX_PARTS = 10_000


def imported_interfaces(component: api.Component, engine: wasmtime.Engine) -> list[ImportedInterface]:
    """Returns what a component imports, in its order.

    Raises:
        PreparationError: It imports a module or a component, which no host can stand in for.
    """
    imports = _items(component.type.imports(engine))
    return [_imported(name, item, engine) for name, item in imports.items()]


def _imported(name: str, item: api.ComponentItem, engine: wasmtime.Engine) -> ImportedInterface:
    if isinstance(item, api.FuncType):
        return ImportedInterface(name, {"": None})
    if isinstance(item, api.ComponentInstanceType):
        items = _items(item.exports(engine))
        ours = is_our_funcs(name)  # the types of others matter to nobody: a call of them is refused
        functions = {
            inner: signature_of(found) if ours else None
            for inner, found in items.items()
            if isinstance(found, api.FuncType)
        }
        resources = any(isinstance(found, api.ResourceType) for found in items.values())
        return ImportedInterface(name, functions, resources)
    if isinstance(item, (api.ComponentType, api.ModuleType)):
        raise PreparationError(
            f'the component imports "{shown(name)}", a whole module or component: link it in when building'
        )
    return ImportedInterface(name, {}, isinstance(item, api.ResourceType))


def exported_functions(component: api.Component, engine: wasmtime.Engine) -> dict[str, api.FuncType]:
    """Returns the functions a component exports: ``name``, or ``interface#name`` for those of an interface."""
    functions: dict[str, api.FuncType] = {}
    for name, item in _items(component.type.exports(engine)).items():
        if isinstance(item, api.FuncType):
            functions[name] = item
        elif isinstance(item, api.ComponentInstanceType):
            inner = _items(item.exports(engine)).items()
            functions |= {f"{name}#{key}": found for key, found in inner if isinstance(found, api.FuncType)}
    return functions


def nested_instances(component: api.Component, engine: wasmtime.Engine) -> list[str]:
    """Returns the instances that a component exports inside of instances, as ``outer#inner``."""
    outer = _items(component.type.exports(engine)).items()
    return [
        f"{name}#{inner}"
        for name, item in outer
        if isinstance(item, api.ComponentInstanceType)
        for inner, found in _items(item.exports(engine)).items()
        if isinstance(found, api.ComponentInstanceType)
    ]


def _items(externs: Mapping[str, api._types.ComponentExtern]) -> dict[str, api.ComponentItem]:
    return {name: extern.ty for name, extern in externs.items()}


def signature_of(function: api.FuncType) -> Signature:
    """Returns a function's signature.

    Raises:
        PreparationError: Its types are larger than anybody needs: a type may name another twice, level by level.
    """
    return _Types().signature(function)


class _Types:
    """Reads the types of one function, and counts their parts and names: a message may show all of them."""

    def __init__(self) -> None:
        self._left = _MAX_PARTS

    def signature(self, function: api.FuncType) -> Signature:
        parameters = tuple((name, self._type(found)) for name, found in function.params)
        result = function.result
        return Signature(parameters, None if result is None else self._type(result))

    def _type(self, found: api.ValType) -> WitType:
        self._take(1)
        return _wit_type(found, self._type, self._name)

    def _name(self, name: str) -> str:
        self._take(parts_of_name(name))
        return name

    def _take(self, parts: int) -> None:
        self._left -= parts
        if self._left < 0:
            raise PreparationError(f"the types of a function have more than {_MAX_PARTS} parts")


def _wit_type(found: api.ValType, read: Callable[[api.ValType], WitType], named: Callable[[str], str]) -> WitType:
    name = type(found).__name__.lower()
    if name in PRIMITIVES:
        return Primitive(name)
    match found:
        case api.ListType():
            return ListType(read(found.element))
        case api.TupleType():
            return TupleType(tuple(read(element) for element in found.elements))
        case api.RecordType():
            return RecordType(tuple((named(key), read(field)) for key, field in found.fields))
        case api.VariantType():
            return VariantType(tuple((named(key), _optional(payload, read)) for key, payload in found.cases))
        case api.EnumType():
            return EnumType(tuple(map(named, found.names)))
        case api.FlagsType():
            return FlagsType(tuple(map(named, found.names)))
        case api.OptionType():
            return OptionType(read(found.payload))
        case api.ResultType():
            return ResultType(_optional(found.ok, read), _optional(found.err, read))
    # Nothing else compiles: streams, futures and the like need features that our engine has not switched on.
    return HandleType("borrow" if isinstance(found, api.BorrowType) else "own", 0)


def _optional(found: api.ValType | None, read: Callable[[api.ValType], WitType]) -> WitType | None:
    return None if found is None else read(found)
