"""Binaries that nobody would write, through decoding, planning and the skeleton: only errors of polycall's come out."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import wasmtime

from component_bytes import changed, drawn_component
from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.plan import Plan
from polycall.wasm_runtime.component.planner import make_plan
from polycall.wasm_runtime.component.skeleton import skeleton
from polycall.wasm_runtime.component.writer import COMPONENT_HEADER

ROOT = Path(__file__).parents[2]
GUESTS = sorted([*(ROOT / "tests/guests/bin").glob("*.wasm"), *(ROOT / "examples").rglob("*.wasm")])
TIMES = 500
MOST_SECONDS = 5
RESOURCES = """(component
  (import "a:b/c@1.0.0" (instance $i (export "r" (type $r (sub resource)))
    (export "[method]r.m" (func (param "self" (borrow $r)) (param "x" string) (result (list u8))))))
  (component $c (type $r' (resource (rep i32))) (export $r "r" (type $r')) (core func $d (canon resource.drop $r))
    (core module $m (memory (export "m") 1) (func (export "f") (result i32) i32.const 1))
    (core instance $m (instantiate $m))
    (func $f (result (own $r)) (canon lift (core func $m "f"))) (export "f" (func $f)))
  (instance $x (instantiate $c)) (instance $y (instantiate $c))
  (export "x" (instance $x)) (export "y" (instance $y)))"""


@pytest.fixture(scope="module")
def seeds() -> list[bytes]:
    binaries = [path.read_bytes() for path in GUESTS]
    skeletons = [skeleton(decode(each), each) for each in binaries if each.startswith(COMPONENT_HEADER)]
    return [each for each in skeletons if each is not None] + [bytes(wasmtime.wat2wasm(RESOURCES))] * 3


def planned(binary: bytes) -> Plan | None:
    """Returns the plan; None for what is refused. Anything but a refusal comes out."""
    try:
        component = decode(binary)
        skeleton(component, binary)
        return make_plan(component, binary)
    except PreparationError:
        return None


def _plans(binaries: Iterator[bytes]) -> int:
    count = 0
    for binary in binaries:
        began = time.perf_counter()
        plan = planned(binary)
        assert time.perf_counter() - began < MOST_SECONDS
        if plan is not None:
            count += 1
            if count % 10 == 0:
                assert pickle.loads(pickle.dumps(plan)) == plan
    return count


def test_changed_binaries(seeds: list[bytes]) -> None:
    made = _plans(changed(seeds, Random(number)) for number in range(TIMES))
    assert 0 < made < TIMES


def test_drawn_structures() -> None:
    made = _plans(drawn_component(Random(number)) for number in range(TIMES))
    assert TIMES // 4 < made < TIMES


def test_what_begins_like_a_component() -> None:
    random = Random(7)
    assert _plans(COMPONENT_HEADER + random.randbytes(random.randrange(80)) for _ in range(TIMES)) < TIMES
