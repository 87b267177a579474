"""For any type, value and bytes: lowering and lifting agree with each other, and with the specification's own."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canonical_oracle import CHECKOUT, Oracle
from crossings import ENCODINGS, PAGE, FakeGuest, open_guest, signature
from echo_components import all_types, values_of
from polycall.interop.errors import LimitError, TrapError
from polycall.wasm_runtime.canonical.codec import Codec, codec
from polycall.wasm_runtime.canonical.layout import alignment, size
from polycall.wasm_runtime.engine.native import SLOT_BYTES
from polycall.wasm_runtime.wit.check_values import compile_check
from polycall.wasm_runtime.wit.wit_types import WitType

_CASES = int(os.environ.get("POLYCALL_CASES", "30"))
_SETTINGS = settings(deadline=None, max_examples=_CASES, suppress_health_check=list(HealthCheck))
_ENCODING = st.sampled_from(ENCODINGS)
_CORE_IMAGES = {"i32": "<I", "i64": "<Q", "f32": "<f", "f64": "<d"}
_RESULT_AT = 1024

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


def _cores(raw: bytearray, types: tuple[str, ...]) -> list[int | float]:
    return [struct.unpack_from(_CORE_IMAGES[core], raw, SLOT_BYTES * n)[0] for n, core in enumerate(types)]


def _slots(cores: list[int | float], types: tuple[str, ...]) -> bytearray:
    raw = bytearray(SLOT_BYTES * 20)
    for n, (core, value) in enumerate(zip(types, cores, strict=True)):
        struct.pack_into(_CORE_IMAGES[core], raw, SLOT_BYTES * n, value)
    return raw


def _drawn(data: st.DataObject) -> tuple[list[WitType], list[Any]]:
    types = data.draw(st.lists(all_types(with_handles=False), min_size=1, max_size=4), label="types")
    return types, [data.draw(values_of(each), label="value") for each in types]


def _oracle(encoding: str) -> Oracle:
    assert CHECKOUT is not None
    return Oracle(CHECKOUT, encoding)


def _memory(guest: FakeGuest) -> bytearray:
    return bytearray(guest.read(0, guest.size))


@needs_checkout
@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_types_lie_as_the_specification_has_it(data: st.DataObject, encoding: str) -> None:
    oracle = _oracle(encoding)
    types = data.draw(st.lists(all_types(with_handles=False), max_size=5))
    result = data.draw(st.none() | all_types(with_handles=False))
    how = codec(signature(*types, result=result), encoding)
    assert how.lifted_core_type == oracle.core_type(types, result, "lift")
    assert how.lowered_core_type == oracle.core_type(types, result, "lower")
    for each in types:
        assert (size(each), alignment(each)) == oracle.extent(each)


@needs_checkout
@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_the_specification_lifts_what_is_lowered(guest: FakeGuest, data: st.DataObject, encoding: str) -> None:
    oracle = _oracle(encoding)
    types, values = _drawn(data)
    how = codec(signature(*types), encoding)
    guest.fresh()
    raw = guest.lower(how, values)
    context = oracle.open(_memory(guest), 0, {})
    assert oracle.lift(context, _cores(raw, how.lifted_core_type[0]), types, 16) == values
    _check_result(oracle, guest, codec(signature(result=types[0]), encoding), values[0])


def _check_result(oracle: Oracle, guest: FakeGuest, how: Codec, value: Any) -> None:
    wit_type = how.signature.result
    assert wit_type is not None
    guest.fresh()
    raw = guest.lower_result(how, value, _RESULT_AT)
    cores: list[int | float] = [_RESULT_AT]
    if not how.returns_pointer:
        cores = _cores(raw, how.lowered_core_type[1])
    context = oracle.open(_memory(guest), 0, {})
    assert oracle.lift(context, cores, [wit_type], 1) == [value]


@needs_checkout
@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_what_the_specification_lowers_is_lifted(guest: FakeGuest, data: st.DataObject, encoding: str) -> None:
    oracle = _oracle(encoding)
    types, values = _drawn(data)
    how = codec(signature(*types, result=types[0]), encoding)
    memory = _memory(guest)
    cores = oracle.lower(oracle.open(memory, 32_768, {}), values, types, 16)
    guest.write(0, bytes(memory))
    guest.fresh()
    assert how.lift_parameters(_slots(cores, how.lifted_core_type[0]), guest) == values
    pointer = _RESULT_AT if how.returns_pointer else None
    cores = oracle.lower(oracle.open(memory, 32_768, {}), values[:1], types[:1], 1, pointer)
    guest.write(0, bytes(memory))
    cores = [_RESULT_AT] if how.returns_pointer else cores
    assert how.lift_result(_slots(cores, how.lifted_core_type[1]), guest) == values[0]


@needs_checkout
@_SETTINGS
@given(data=st.data(), encoding=_ENCODING)
def test_damaged_values_are_to_both_the_same(guest: FakeGuest, data: st.DataObject, encoding: str) -> None:
    """A value is lowered, then bytes of it and of the core values are changed: both say the same, or both trap."""
    oracle = _oracle(encoding)
    types, values = _drawn(data)
    how = codec(signature(*types), encoding)
    guest.fresh()
    raw = guest.lower(how, values)
    for _ in range(data.draw(st.integers(1, 6))):
        with_new = data.draw(st.sampled_from([0, 1, 2, 3, 0x41, 0x7F, 0x80, 0xC3, 0xD8, 0xFF]))
        if data.draw(st.booleans()):
            slot = data.draw(st.integers(0, max(0, len(how.lifted_core_type[0]) - 1)))
            raw[SLOT_BYTES * slot + data.draw(st.integers(0, 7))] = with_new
        else:
            guest.write(32_768 + data.draw(st.integers(0, max(0, guest.free - 32_769))), bytes([with_new]))
    memory = _memory(guest)
    guest.pace.begin(None)
    try:
        ours: Any = repr(how.lift_parameters(raw, guest))
    except TrapError:
        ours = TrapError
    except LimitError:
        return
    context = oracle.open(memory, 0, {})
    try:
        theirs: Any = repr(oracle.lift(context, _cores(raw, how.lifted_core_type[0]), types, 16))
    except oracle.trap:
        theirs = TrapError
    assert ours == theirs


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
        context = oracle.open(_memory(guest), 0, guest.handles)
        assert oracle.lift(context, _cores(raw, how.lifted_core_type[0]), types, 16) == values
        assert how.lift_parameters(raw, guest) == values
        assert list(context.inst.handles) == [] == list(guest.handles)
