"""Values lie in a guest exactly as wasmtime's own engine for components puts them there: each byte and each address."""

from __future__ import annotations

import os
from typing import Any

import pytest
import wasmtime
import wasmtime.component
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from wasmtime.component import Record, Variant

from echo_components import PADDING, echo_component_wat, values_of, wit_types
from hosted import Hosted, link
from polycall.wasm_runtime.engine.stores import WasmEngine
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

_CASES = int(os.environ.get("POLYCALL_CASES", "60"))
_SETTINGS = settings(deadline=None, max_examples=_CASES, suppress_health_check=list(HealthCheck))
_DUMPED = 4096


@pytest.fixture(name="engines", scope="module")
def _engines() -> tuple[WasmEngine, wasmtime.Engine]:
    config = wasmtime.Config()
    config.parallel_compilation = False  # for small modules, threads take longer
    return WasmEngine(), wasmtime.Engine(config)


def dumping(wit_type: WitType) -> str:
    """Returns a component like the echo, whose function gives what is in its memory instead: bytes."""
    text = echo_component_wat(wit_type)
    core, _, exported = text.partition('(func (export "echo") (param i32)')
    core_body_end = exported.index("(core instance")
    dump = (
        f'(func (export "echo") (param i32) (result i32) (i32.store (i32.const {_DUMPED - 4}) (local.get 0)) '
        f"(i32.store (i32.const 8) (i32.const 16)) (i32.store (i32.const 12) (i32.const {_DUMPED - 16})) "
        "(i32.const 8)))"
    )
    rest = exported[core_body_end:]
    before, _, after = rest.rpartition("(result ")
    depth, at = 1, 0
    while depth:
        depth += {"(": 1, ")": -1}.get(after[at], 0)
        at += 1
    return f"{core}{dump}\n  {before}(result (list u8)){after[at:]}"


def as_wasmtime_has_it(wit_type: WitType, theirs: Any, value: Any) -> Any:
    """Returns a plain value as wasmtime-py takes it."""
    match wit_type:
        case ListType(element=Primitive(name="u8")):
            return value
        case ListType(element=element):
            return [as_wasmtime_has_it(element, theirs.element, each) for each in value]
        case TupleType(elements=elements):
            parts = zip(elements, theirs.elements, value, strict=True)
            return tuple(as_wasmtime_has_it(*each) for each in parts)
        case RecordType(fields=fields):
            record, types = Record(), dict(theirs.fields)
            for name, field in fields:
                setattr(record, name, as_wasmtime_has_it(field, types[name], value[name]))
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
    converted = None if held is None else as_wasmtime_has_it(held, types[name], inner)
    return Variant(name, converted) if theirs._tagged() else converted


@_SETTINGS
@given(data=st.data())
def test_arguments_lie_in_the_guest_as_wasmtime_puts_them(
    engines: tuple[WasmEngine, wasmtime.Engine], data: st.DataObject
) -> None:
    wit_type = data.draw(wit_types(), label="type")
    value = data.draw(values_of(wit_type), label="value")
    text, (ours, theirs) = dumping(wit_type), engines
    instance = Hosted(link(ours, text))
    found = instance.call("echo", value, *PADDING)
    instance.close()
    store = wasmtime.Store(theirs)
    component = wasmtime.component.Component(theirs, wasmtime.wat2wasm(text))
    function = wasmtime.component.Linker(theirs).instantiate(store, component).get_func(store, "echo")
    assert function is not None
    given_type = function.type(store).params[0][1]
    try:
        expected = function(store, as_wasmtime_has_it(wit_type, given_type, value), *PADDING)
    except (TypeError, ValueError):  # wasmtime-py does not tell some cases of a variant apart
        reject()
    assert len(found) == _DUMPED - 16
    assert found == expected
