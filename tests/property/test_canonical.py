"""For any type, value and bytes: lowering and lifting agree with each other, and with the specification's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canonical_checks import (
    DAMAGE,
    check_damaged,
    check_layout,
    check_lifting,
    check_lowering,
    cores_of,
    memory_of,
)
from canonical_oracle import CHECKOUT, Oracle
from crossings import ENCODINGS, PAGE, FakeGuest, open_guest, signature
from echo_components import all_types, values_of
from effort import times
from polycall.interop.errors import LimitError, TrapError
from polycall.wasm_runtime.canonical.codec import codec
from polycall.wasm_runtime.engine.native import SLOT_BYTES
from polycall.wasm_runtime.wit.check_values import compile_check
from polycall.wasm_runtime.wit.wit_types import WitType

_SETTINGS = settings(deadline=None, max_examples=times(30, 8), suppress_health_check=list(HealthCheck))
_ENCODING = st.sampled_from(ENCODINGS)

needs_checkout = pytest.mark.skipif(CHECKOUT is None, reason="POLYCALL_COMPONENT_MODEL names no checkout")


@pytest.fixture(name="guest", scope="module")
def _guest() -> Iterator[FakeGuest]:
    with open_guest() as guest:
        guest.grow(3)
        yield guest


@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_a_value_comes_back_as_it_went(guest: FakeGuest, data: st.DataObject, encoding: str) -> None:
    wit_type = data.draw(all_types(), label="type")
    value = data.draw(values_of(wit_type), label="value")
    assert guest.through_parameters(wit_type, value, encoding) == value
    assert guest.through_result(wit_type, value, encoding) == value
    assert compile_check(wit_type)(value) == value


@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_several_parameters_come_back_as_they_went(guest: FakeGuest, data: st.DataObject, encoding: str) -> None:
    types = data.draw(st.lists(all_types(), max_size=6), label="types")
    values = [data.draw(values_of(each)) for each in types]
    how = codec(signature(*types), encoding)
    guest.fresh()
    assert how.lift_parameters(guest.lower(how, values), guest) == values


@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_any_bytes_are_a_value_or_a_trap(guest: FakeGuest, data: st.DataObject, encoding: str) -> None:
    wit_type = data.draw(all_types(), label="type")
    guest.write(0, data.draw(st.binary(min_size=1, max_size=64)) * (PAGE // 64))
    raw = bytearray(data.draw(st.binary(min_size=16, max_size=SLOT_BYTES * 17)).ljust(SLOT_BYTES * 17, b"\1"))
    as_result = codec(signature(result=wit_type), encoding).lift_result
    as_parameter = codec(signature(wit_type), encoding).lift_parameters
    for lift in (as_result, lambda slots, crossing: as_parameter(slots, crossing)[0]):
        guest.fresh()
        try:
            value = lift(raw, guest)
        except (TrapError, LimitError):
            continue
        assert repr(compile_check(wit_type)(value)) == repr(value)  # by their text: NaN is not equal to itself


# --- the specification's own ------------------------------------------------------------------------------------------


def _drawn(data: st.DataObject) -> tuple[list[WitType], list[Any]]:
    types = data.draw(st.lists(all_types(with_handles=False), min_size=1, max_size=4), label="types")
    return types, [data.draw(values_of(each), label="value") for each in types]


def _oracle(encoding: str) -> Oracle:
    assert CHECKOUT is not None
    return Oracle(CHECKOUT, encoding)


@needs_checkout
@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_types_lie_as_the_specification_has_it(data: st.DataObject, encoding: str) -> None:
    types = data.draw(st.lists(all_types(with_handles=False), max_size=5))
    check_layout(_oracle(encoding), types, data.draw(st.none() | all_types(with_handles=False)), encoding)


@needs_checkout
@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_the_specification_lifts_what_is_lowered(guest: FakeGuest, data: st.DataObject, encoding: str) -> None:
    check_lowering(_oracle(encoding), guest, *_drawn(data), encoding)


@needs_checkout
@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_what_the_specification_lowers_is_lifted(guest: FakeGuest, data: st.DataObject, encoding: str) -> None:
    check_lifting(_oracle(encoding), guest, *_drawn(data), encoding)


@needs_checkout
@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_damaged_values_are_to_both_the_same(guest: FakeGuest, data: st.DataObject, encoding: str) -> None:
    """A value is lowered, then bytes of it and of the core values are changed: both say the same, or both trap."""
    changes = st.tuples(st.booleans(), st.integers(0, 255), st.sampled_from(DAMAGE))
    types, values = _drawn(data)
    drawn = data.draw(st.lists(changes, min_size=1, max_size=6), label="changes")
    check_damaged(_oracle(encoding), guest, types, values, encoding, changes=drawn)


@needs_checkout
@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_what_is_owned_moves_as_the_specification_has_it(encoding: str, data: st.DataObject) -> None:
    oracle = _oracle(encoding)
    own = all_types().filter(lambda each: "borrow" not in str(each))
    types = data.draw(st.lists(own, min_size=1, max_size=3), label="types")
    values = [data.draw(values_of(each)) for each in types]
    how = codec(signature(*types), encoding)
    with open_guest() as guest:
        guest.fresh()
        raw = guest.lower(how, values)
        context = oracle.open(memory_of(guest), 0, guest.handles)
        assert oracle.lift(context, cores_of(raw, how.lifted_core_type[0]), types, 16) == values
        assert how.lift_parameters(raw, guest) == values
        assert list(context.inst.handles) == [] == list(guest.handles)
