"""Every WIT type, through an echo component and through an echo core module."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from echo_components import PADDING, core_echo_wat, core_echo_wit, echo_component_wat
from polycall.interop.values import Value
from polycall.wasm_runtime.runtime import WasmRuntime
from polycall.wasm_runtime.wit.wit_types import Primitive, WitType
from wasm_guests import call, open_runtime, prepare
from wit_examples import INLINE, NAMED


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


@pytest.mark.parametrize(("wit_type", "given", "expected"), [*INLINE, *NAMED], ids=str)
def test_a_component_gives_back_the_value(
    runtime: WasmRuntime, wit_type: WitType, given: Value, expected: Value
) -> None:
    instance = prepare(runtime, echo_component_wat(wit_type), "echo").instantiate()
    answer = call(instance, given, *PADDING)
    assert answer == expected
    assert type(answer) is type(expected)


@pytest.mark.parametrize(("wit_type", "given", "expected"), [*INLINE, *NAMED], ids=str)
def test_a_core_module_gives_back_the_value(
    runtime: WasmRuntime, wit_type: WitType, given: Value, expected: Value
) -> None:
    instance = prepare(runtime, core_echo_wat(wit_type), "echo", core_echo_wit(wit_type)).instantiate()
    answer = call(instance, given, *PADDING)
    assert answer == expected
    assert type(answer) is type(expected)


@pytest.mark.parametrize("wit_type", [Primitive("f32"), Primitive("f64")], ids=str)
def test_not_a_number_stays_not_a_number(runtime: WasmRuntime, wit_type: WitType) -> None:
    component = prepare(runtime, echo_component_wat(wit_type), "echo").instantiate()
    core = prepare(runtime, core_echo_wat(wit_type), "echo", core_echo_wit(wit_type)).instantiate()
    for instance in (component, core):
        answer = call(instance, math.nan, *PADDING)
        assert isinstance(answer, float)
        assert math.isnan(answer)
