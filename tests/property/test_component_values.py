"""Values lie in a guest exactly as wasmtime's own engine for components puts them there: each byte and each address."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from component_oracle import DUMPED, ComponentOracle, NotToldApartError, our_dump
from echo_components import values_of, wit_types
from effort import times
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

_SETTINGS = settings(deadline=None, max_examples=times(60, 15), suppress_health_check=list(HealthCheck))


@pytest.fixture(name="engines", scope="module")
def _engines() -> tuple[WasmEngine, ComponentOracle]:
    return WasmEngine(), ComponentOracle()


@_SETTINGS
@given(data=st.data())
def test_arguments_lie_in_the_guest_as_wasmtime_puts_them(
    engines: tuple[WasmEngine, ComponentOracle], data: st.DataObject
) -> None:
    wit_type = data.draw(wit_types(), label="type")
    value = data.draw(values_of(wit_type), label="value")
    ours, theirs = engines
    (found,) = our_dump(ours, wit_type, [value])
    (expected,) = theirs.dumps(wit_type, [value])
    if isinstance(expected, NotToldApartError):
        reject()
    assert len(found) == DUMPED
    assert found == expected
