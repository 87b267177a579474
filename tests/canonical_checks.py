"""What polycall's lifting and lowering and the specification's own must agree on, for any types and values."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from canonical_oracle import Oracle
from crossings import FakeGuest, signature
from polycall.interop.errors import LimitError, TrapError
from polycall.wasm_runtime.canonical.codec import Codec, codec
from polycall.wasm_runtime.canonical.layout import alignment, size
from polycall.wasm_runtime.engine.native import SLOT_BYTES
from polycall.wasm_runtime.wit.wit_types import WitType

__all__ = [
    "DAMAGE",
    "check_damaged",
    "check_layout",
    "check_lifting",
    "check_lowering",
    "cores_of",
    "memory_of",
]

DAMAGE = (0, 1, 2, 3, 0x41, 0x7F, 0x80, 0xC3, 0xD8, 0xFF)
"""Bytes with which values are changed: small numbers, and what encodings look at."""

_CORE_IMAGES = {"i32": "<I", "i64": "<Q", "f32": "<f", "f64": "<d"}
_RESULT_AT = 1024
_FREE = 32 * 1024


def check_layout(oracle: Oracle, types: Sequence[WitType], result: WitType | None, encoding: str) -> None:
    """Checks core types of functions, sizes and alignments."""
    how = codec(signature(*types, result=result), encoding)
    assert how.lifted_core_type == oracle.core_type(list(types), result, "lift")
    assert how.lowered_core_type == oracle.core_type(list(types), result, "lower")
    for each in types:
        assert (size(each), alignment(each)) == oracle.extent(each)


def check_lowering(oracle: Oracle, guest: FakeGuest, types: list[WitType], values: list[Any], encoding: str) -> None:
    """Checks that the specification lifts what polycall lowers: parameters, and the first of them as a result."""
    how = codec(signature(*types), encoding)
    guest.fresh()
    raw = guest.lower(how, values)
    context = oracle.open(memory_of(guest), 0, {})
    assert oracle.lift(context, cores_of(raw, how.lifted_core_type[0]), types, 16) == values
    how = codec(signature(result=types[0]), encoding)
    guest.fresh()
    raw = guest.lower_result(how, values[0], _RESULT_AT)
    cores: list[int | float] = [_RESULT_AT]
    if not how.returns_pointer:
        cores = cores_of(raw, how.lowered_core_type[1])
    context = oracle.open(memory_of(guest), 0, {})
    assert oracle.lift(context, cores, types[:1], 1) == values[:1]


def check_lifting(oracle: Oracle, guest: FakeGuest, types: list[WitType], values: list[Any], encoding: str) -> None:
    """Checks that polycall lifts what the specification lowers: parameters, and the first of them as a result."""
    how = codec(signature(*types, result=types[0]), encoding)
    memory = memory_of(guest)
    cores = oracle.lower(oracle.open(memory, _FREE, {}), values, types, 16)
    guest.write(0, bytes(memory))
    guest.fresh()
    assert how.lift_parameters(_slots(cores, how.lifted_core_type[0]), guest) == values
    pointer = _RESULT_AT if how.returns_pointer else None
    cores = oracle.lower(oracle.open(memory, _FREE, {}), values[:1], types[:1], 1, pointer)
    guest.write(0, bytes(memory))
    cores = [_RESULT_AT] if how.returns_pointer else cores
    assert how.lift_result(_slots(cores, how.lifted_core_type[1]), guest) == values[0]


def check_damaged(
    oracle: Oracle,
    guest: FakeGuest,
    types: list[WitType],
    values: list[Any],
    encoding: str,
    *,
    changes: Sequence[tuple[bool, int, int]],
) -> None:
    """Checks that both say the same of lowered values that have been changed, or that both trap.

    Args:
        oracle: The specification.
        guest: Where the values lie.
        types: Of the parameters.
        values: Theirs.
        encoding: Of strings.
        changes: Whether a core value changes, or the memory; which byte of it, a number that is taken modulo; to what.
    """
    how = codec(signature(*types), encoding)
    guest.fresh()
    raw = guest.lower(how, values)
    for in_core, where, byte in changes:
        if in_core:
            raw[where % (SLOT_BYTES * max(1, len(how.lifted_core_type[0])))] = byte
        else:
            guest.write(_FREE + where % max(1, guest.free - _FREE), bytes([byte]))
    memory = memory_of(guest)
    guest.pace.begin(None)
    ours = _lifted(how, raw, guest)
    context = oracle.open(memory, 0, {})
    try:
        theirs: Any = repr(oracle.lift(context, cores_of(raw, how.lifted_core_type[0]), types, 16))
    except oracle.trap:
        theirs = TrapError
    assert ours in (theirs, LimitError)


def _lifted(how: Codec, raw: bytearray, guest: FakeGuest) -> Any:
    try:
        return repr(how.lift_parameters(raw, guest))  # by their text: NaN is not equal to itself
    except TrapError:
        return TrapError
    except LimitError:
        return LimitError


def cores_of(raw: bytearray, types: tuple[str, ...]) -> list[int | float]:
    """Returns the core values in slots."""
    return [struct.unpack_from(_CORE_IMAGES[core], raw, SLOT_BYTES * n)[0] for n, core in enumerate(types)]


def _slots(cores: list[int | float], types: tuple[str, ...]) -> bytearray:
    raw = bytearray(SLOT_BYTES * 20)
    for n, (core, value) in enumerate(zip(types, cores, strict=True)):
        struct.pack_into(_CORE_IMAGES[core], raw, SLOT_BYTES * n, value)
    return raw


def memory_of(guest: FakeGuest) -> bytearray:
    """Returns a copy of a guest's memory."""
    return bytearray(guest.read(0, guest.size))
