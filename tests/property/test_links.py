"""For any WIT type: what a component passes through a link to an entry and back is what it was given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echo_components import values_of, wit_types
from effort import times
from linked_guests import TAX, relay_of
from polycall.interop.context import CallContext
from polycall.interop.source import SourceText
from polycall.interop.values import Value
from polycall.wasm_runtime.runtime import WasmRuntime
from polycall.wasm_runtime.spec import WasmProgram
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_types import ResultType, WitType
from wasm_guests import NobodyToCall, call, open_runtime


class _Echo(NobodyToCall):
    def __init__(self) -> None:
        self.seen: list[list[Value]] = []

    def call_linked(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        self.seen.append(list(arguments))
        return arguments[0]


@pytest.fixture(scope="module")
def echo() -> _Echo:
    return _Echo()


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory, echo: _Echo) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache")), echo) as runtime:
        yield runtime


def cases() -> st.SearchStrategy[tuple[WitType, Value]]:
    types = wit_types().filter(lambda each: not isinstance(each, ResultType))  # there, plain values are the ok
    return types.flatmap(lambda wit_type: st.tuples(st.just(wit_type), values_of(wit_type)))


@settings(max_examples=times(60, 20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_a_value_of_any_type_goes_through_a_link_and_back(
    runtime: WasmRuntime, echo: _Echo, case: tuple[WitType, Value]
) -> None:
    wit_type, value = case
    guest = relay_of({"f": Signature((("v", wit_type),), wit_type)})
    program = WasmProgram("app:guest", SourceText(guest, "guest.wat"), "f", links={TAX: "app.rules"})
    echo.seen.clear()
    instance = runtime.prepare(program).instantiate()
    assert call(instance, value) == value
    assert echo.seen == [[value]]
    instance.close()
