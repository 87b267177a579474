"""wasmtime's own engine for components, as a second opinion: what compositions give, and where values lie."""

from __future__ import annotations

from typing import Any

import wasmtime
import wasmtime.component
from wasmtime.component import Record, Variant

from echo_components import PADDING, echo_component_wat
from hosted import Hosted, link
from polycall.interop.errors import TrapError
from polycall.interop.values import Value
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine
from polycall.wasm_runtime.wit.wit_types import (
    INTEGER_RANGES,
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

__all__ = ["DUMPED", "TRAP", "ComponentOracle", "NotToldApartError", "our_dump", "our_outcomes"]

DUMPED = 4096 - 16
"""How many bytes of a guest's memory are compared."""

TRAP = "a trap"
_ARGUMENTS = (0, 5, 2**32 - 1)


class NotToldApartError(Exception):
    """wasmtime-py does not tell some cases of a variant apart, and so does not take their values."""


class ComponentOracle:
    """What wasmtime's own engine says."""

    def __init__(self) -> None:
        config = wasmtime.Config()
        config.parallel_compilation = False  # for small modules, threads take longer
        self._engine = wasmtime.Engine(config)
        self._linker = wasmtime.component.Linker(self._engine)

    def outcomes(self, text: str, functions: tuple[str, ...]) -> list[Any]:
        """Returns what each function gives for each argument: all in one instance, until something traps."""
        component = wasmtime.component.Component(self._engine, wasmtime.wat2wasm(text))
        store = wasmtime.Store(self._engine)
        instance = self._linker.instantiate(store, component)
        found: list[Any] = []
        for name, argument in _calls(functions):
            inside, _, function = name.rpartition("#")
            outer = instance.get_export_index(store, inside) if inside else None
            index = instance.get_export_index(store, function, outer)
            assert index is not None
            called = instance.get_func(store, index)
            assert called is not None
            try:
                found.append(called(store, argument))
                called.post_return(store)
            except (wasmtime.Trap, wasmtime.WasmtimeError):
                return [*found, TRAP]
        return found

    def dumps(self, wit_type: WitType, values: list[Value]) -> list[Any]:
        """Returns the memory of a guest that was given a value, for each of them; the error for one not taken."""
        component = wasmtime.component.Component(self._engine, wasmtime.wat2wasm(_dumping(wit_type)))
        return [self._dump(component, wit_type, value) for value in values]

    def _dump(self, component: wasmtime.component.Component, wit_type: WitType, value: Value) -> Any:
        store = wasmtime.Store(self._engine)
        function = self._linker.instantiate(store, component).get_func(store, "echo")
        assert function is not None
        theirs = function.type(store).params[0][1]
        try:
            return function(store, _as_wasmtime_has_it(wit_type, theirs, value), *PADDING)
        except (TypeError, ValueError) as error:
            return NotToldApartError(str(error))


def our_outcomes(engine: WasmEngine, text: str, functions: tuple[str, ...]) -> list[Any]:
    """Returns what `ComponentOracle.outcomes` does, of polycall's engine."""
    instance = Hosted(link(engine, text))
    found: list[Any] = []
    try:
        for name, argument in _calls(functions):
            found.append(instance.call(name, argument))
    except TrapError:
        found.append(TRAP)
    finally:
        instance.close()
    return found


def our_dump(engine: WasmEngine, wit_type: WitType, values: list[Value]) -> list[Any]:
    """Returns what `ComponentOracle.dumps` does, of polycall's engine."""
    linked = link(engine, _dumping(wit_type))
    found = []
    for value in values:
        instance = Hosted(linked)
        found.append(instance.call("echo", value, *PADDING))
        instance.close()
    return found


def _calls(functions: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(name, argument) for argument in _ARGUMENTS for name in functions]


def _dumping(wit_type: WitType) -> str:
    """Returns a component like the echo, whose function gives what is in its memory instead: bytes."""
    text = echo_component_wat(wit_type)
    core, _, exported = text.partition('(func (export "echo") (param i32)')
    core_body_end = exported.index("(core instance")
    dump = (
        f'(func (export "echo") (param i32) (result i32) (i32.store (i32.const {DUMPED + 12}) (local.get 0)) '
        f"(i32.store (i32.const 8) (i32.const 16)) (i32.store (i32.const 12) (i32.const {DUMPED})) "
        "(i32.const 8)))"
    )
    rest = exported[core_body_end:]
    before, _, after = rest.rpartition("(result ")
    depth, at = 1, 0
    while depth:
        depth += {"(": 1, ")": -1}.get(after[at], 0)
        at += 1
    return f"{core}{dump}\n  {before}(result (list u8)){after[at:]}"


def _as_wasmtime_has_it(wit_type: WitType, theirs: Any, value: Any) -> Any:
    """Returns a plain value as wasmtime-py takes it."""
    match wit_type:
        case ListType(element=Primitive(name="u8")):
            return value
        case ListType(element=element):
            return [_as_wasmtime_has_it(element, theirs.element, each) for each in value]
        case TupleType(elements=elements):
            parts = zip(elements, theirs.elements, value, strict=True)
            return tuple(_as_wasmtime_has_it(*each) for each in parts)
        case RecordType(fields=fields):
            record, types = Record(), dict(theirs.fields)
            for name, field in fields:
                setattr(record, name, _as_wasmtime_has_it(field, types[name], value[name]))
            return record
        case FlagsType():
            return set(value)
        case Primitive() | EnumType():
            return value
    return _case(wit_type, theirs, value)


def _case(wit_type: WitType, theirs: Any, value: Any) -> Any:
    match wit_type:
        case OptionType(payload=payload):
            if isinstance(payload, OptionType) and isinstance(value, dict) and list(value) == ["some"]:
                value = value["some"]
                name, inner = "some", value
            else:
                name, inner = ("none", None) if value is None else ("some", value)
            payloads: dict[str, WitType | None] = {"none": None, "some": payload}
        case ResultType(ok=ok, err=err):
            ((name, inner),) = value.items()
            payloads = {"ok": ok, "err": err}
        case VariantType(cases=cases):
            ((name, inner),) = value.items()
            payloads = dict(cases)
        case _:
            raise TypeError(wit_type)
    held, types = payloads[name], dict(theirs._cases())
    converted = None if held is None else _as_wasmtime_has_it(held, types[name], inner)
    if theirs._tagged():
        return Variant(name, converted)
    others = " ".join(str(each) for each in payloads.values())
    if isinstance(converted, bool) and any(each in others for each in INTEGER_RANGES):
        raise TypeError("wasmtime-py may take a bool for the integer of another case")
    return converted
