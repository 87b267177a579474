from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lua_guests import FakeInvoker, body, program
from polycall.interop.context import CallContext
from polycall.interop.json_text import decode_json
from polycall.interop.values import Value
from polycall.lua_runtime.instance import LuaInstance
from polycall.lua_runtime.runtime import LuaRuntime
from polycall.registry.services.guest_yaml import GuestYaml

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT | st.binary()
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=8) | st.dictionaries(TEXT, inner, max_size=8), max_leaves=40
)


def as_lua_holds_it(value: Any) -> Any:
    """Returns what must come back, with the losses that `polycall.lua_runtime.values` documents."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, list):
        return [as_lua_holds_it(item) for item in value]
    if isinstance(value, dict):
        return {key: as_lua_holds_it(item) for key, item in sorted(value.items())}
    return value


def shape(value: Any) -> Any:
    """Returns a value with its types, so that 1, 1.0 and True differ."""
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    return (type(value), repr(value))


@pytest.fixture(scope="module")
def echo() -> Iterator[LuaInstance]:
    with closing(_instance("return (...)")) as instance:
        yield instance


@pytest.fixture(scope="module")
def through_host() -> Iterator[LuaInstance]:
    with closing(_instance("return require('funcs').call('app:echo', (...))")) as instance:
        yield instance


def _instance(text: str) -> LuaInstance:
    invoker = FakeInvoker({"app:echo": lambda arguments, _frame: arguments[0]})
    return LuaRuntime(invoker, GuestYaml()).prepare(program(body(text))).instantiate()


def _check(instance: LuaInstance, value: Value) -> None:
    assert shape(instance.call([value], CallContext("app:main", "lua"))) == shape(as_lua_holds_it(value))


@given(value=VALUES)
def test_lower_then_lift_gives_the_value_back(echo: LuaInstance, value: Value) -> None:
    _check(echo, value)


@given(value=VALUES)
def test_lift_then_lower_in_a_host_function_gives_the_value_back(through_host: LuaInstance, value: Value) -> None:
    _check(through_host, value)


@given(arguments=st.lists(SCALARS, max_size=6))
def test_any_number_of_scalars_keeps_its_order_and_number(arguments: list[Value]) -> None:
    with closing(_instance("local t = { n = select('#', ...), ... } return require('json').encode(t.n)")) as instance:
        assert decode_json(str(instance.call(arguments, CallContext("app:main", "lua")))) == len(arguments)
