"""Compositions drawn by chance give the same in this engine and in wasmtime's own for components."""

from __future__ import annotations

from random import Random

from component_oracle import TRAP, ComponentOracle, our_outcomes
from component_structures import drawn_composition
from effort import times
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

CASES = times(200, 60)


def test_compositions_give_the_same_as_in_wasmtimes_engine() -> None:
    engine, oracle = WasmEngine(), ComponentOracle()
    traps = 0
    for number in range(CASES):
        text, functions = drawn_composition(Random(number))
        expected = oracle.outcomes(text, functions)
        assert our_outcomes(engine, text, functions) == expected, f"composition {number}:\n{text}"
        traps += TRAP in expected
    assert 0 < traps < CASES // 2, "hardly anything was compared"
