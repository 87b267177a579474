"""Many calls of a guest's allocator in one: each call from Python into the engine takes longer than the allocator does.

A module of ours, made by the engine like any other, calls the allocator for each of its parameters in turn. It has no
memory: what it is asked for and what it answers are parameters and results.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain

from polycall.wasm_runtime.engine.core_calls import CoreCall
from polycall.wasm_runtime.engine.native import SLOT_BYTES

__all__ = ["BATCH_SLOTS", "FEWEST", "batch_module", "run_batch"]

_MOST = 32
FEWEST = 10
"""For fewer pieces an instance of the module does not pay."""

BATCH_SLOTS = 1 + 2 * _MOST
"""How many slots a call takes: how many pieces there are, then size and alignment of each."""

_SLOT = f"I{SLOT_BYTES - 4}x"
_REQUESTS = [struct.Struct("<" + _SLOT * (1 + 2 * count)) for count in range(_MOST + 1)]
_ANSWERS = [struct.Struct("<" + _SLOT * count) for count in range(_MOST + 1)]


def batch_module() -> str:
    """Returns the text of the module; it imports the allocator, and exports a function of the name ``""``."""
    pieces = range(_MOST)
    parameters = " ".join(f"(param $size{each} i32) (param $boundary{each} i32)" for each in pieces)
    calls = " ".join(
        f"(br_if $done (i32.eq (local.get $count) (i32.const {each}))) (local.set $at{each} "
        f"(call $realloc (i32.const 0) (i32.const 0) (local.get $boundary{each}) (local.get $size{each})))"
        for each in pieces
    )
    return (
        '(module (import "" "" (func $realloc (param i32 i32 i32 i32) (result i32))) '
        f'(func (export "") (param $count i32) {parameters} (result {"i32 " * _MOST}) '
        f"{' '.join(f'(local $at{each} i32)' for each in pieces)} "
        f"(block $done {calls}) {' '.join(f'(local.get $at{each})' for each in pieces)}))"
    )


def run_batch(call: CoreCall, wanted: Sequence[tuple[int, int]]) -> list[int]:
    """Calls the allocator for each size and alignment, and returns what it answers, whatever that is.

    Raises:
        PolycallError: It trapped or was interrupted.
    """
    addresses: list[int] = []
    for start in range(0, len(wanted), _MOST):
        some = wanted[start : start + _MOST]
        count = len(some)
        _REQUESTS[count].pack_into(call.raw, 0, count, *chain.from_iterable(some))
        call.run()
        addresses += _ANSWERS[count].unpack_from(call.raw)
    return addresses
