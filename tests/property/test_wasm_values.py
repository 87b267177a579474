"""For any WIT type and any value of it, lowering into a real guest and lifting back is identity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echo_components import (
    PADDING,
    core_echo_wat,
    core_echo_wit,
    echo_component_wat,
    inline_types,
    values_of,
    wit_types,
)
from effort import times
from polycall.interop.source import SourceText
from polycall.wasm_runtime import WasmProgram
from polycall.wasm_runtime.runtime import WasmRuntime
from polycall.wasm_runtime.wit.check_values import compile_check
from polycall.wasm_runtime.wit.wit_parser import parse_wit
from wasm_guests import NobodyToCall, call

_SETTINGS = settings(deadline=None, max_examples=times(60, 15), suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    runtime = WasmRuntime(NobodyToCall(), Path(tmp_path_factory.mktemp("cache")))
    yield runtime
    runtime.close()


@_SETTINGS
@given(data=st.data())
def test_a_value_comes_back_from_a_component_as_it_went(runtime: WasmRuntime, data: st.DataObject) -> None:
    wit_type = data.draw(wit_types(), label="type")
    program = WasmProgram("app:echo", SourceText(echo_component_wat(wit_type), "echo.wat"), "echo")
    instance = runtime.prepare(program).instantiate()
    for value in data.draw(st.lists(values_of(wit_type), min_size=1, max_size=5), label="values"):
        assert call(instance, value, *PADDING) == value
    instance.close()


@_SETTINGS
@given(data=st.data())
def test_a_value_comes_back_from_a_core_module_as_it_went(runtime: WasmRuntime, data: st.DataObject) -> None:
    wit_type = data.draw(wit_types(), label="type")
    source = SourceText(core_echo_wat(wit_type), "echo.wat")
    instance = runtime.prepare(WasmProgram("app:echo", source, "echo", core_echo_wit(wit_type))).instantiate()
    for value in data.draw(st.lists(values_of(wit_type), min_size=1, max_size=5), label="values"):
        assert call(instance, value, *PADDING) == value
    instance.close()


@_SETTINGS
@given(data=st.data())
def test_the_normal_form_of_a_value_is_its_own_normal_form(data: st.DataObject) -> None:
    wit_type = data.draw(wit_types())
    value = data.draw(values_of(wit_type))
    assert compile_check(wit_type)(value) == value


@_SETTINGS
@given(inline_types())
def test_a_type_written_as_wit_is_read_back_as_itself(wit_type: object) -> None:
    assert parse_wit(f"f: func(v: {wit_type})")["f"].params == (("v", wit_type),)
