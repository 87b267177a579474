"""Compositions drawn by chance give the same in this engine and in wasmtime's own for components."""

from __future__ import annotations

import os
from random import Random
from typing import Any

import wasmtime
import wasmtime.component

from component_structures import drawn_composition
from hosted import Hosted, link
from polycall.interop.errors import TrapError
from polycall.wasm_runtime.engine.stores import WasmEngine

CASES = int(os.environ.get("POLYCALL_STRUCTURES", "200"))
FIRST = int(os.environ.get("POLYCALL_FIRST", "0"))
ARGUMENTS = (0, 5, 2**32 - 1)
TRAP = "a trap"


class Oracle:
    """wasmtime's own engine."""

    def __init__(self) -> None:
        config = wasmtime.Config()
        config.parallel_compilation = False
        self._engine = wasmtime.Engine(config)
        self._linker = wasmtime.component.Linker(self._engine)

    def outcomes(self, text: str, functions: tuple[str, ...]) -> list[Any]:
        """Returns what each function gives for each argument: all in one instance, until something traps."""
        component = wasmtime.component.Component(self._engine, wasmtime.wat2wasm(text))
        store = wasmtime.Store(self._engine)
        instance = self._linker.instantiate(store, component)
        found: list[Any] = []
        for name, argument in _calls(functions):
            inside, _, function = name.rpartition("#")
            outer = instance.get_export_index(store, inside) if inside else None
            index = instance.get_export_index(store, function, outer)
            assert index is not None
            called = instance.get_func(store, index)
            assert called is not None
            try:
                found.append(called(store, argument))
                called.post_return(store)
            except (wasmtime.Trap, wasmtime.WasmtimeError):
                return [*found, TRAP]
        return found


def ours(engine: WasmEngine, text: str, functions: tuple[str, ...]) -> list[Any]:
    """Returns the same of this engine."""
    instance = Hosted(link(engine, text))
    found: list[Any] = []
    try:
        for name, argument in _calls(functions):
            found.append(instance.call(name, argument))
    except TrapError:
        found.append(TRAP)
    finally:
        instance.close()
    return found


def _calls(functions: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(name, argument) for argument in ARGUMENTS for name in functions]


def test_compositions_give_the_same_as_in_wasmtimes_engine() -> None:
    engine, oracle = WasmEngine(), Oracle()
    traps = 0
    for number in range(FIRST, FIRST + CASES):
        text, functions = drawn_composition(Random(number))
        expected = oracle.outcomes(text, functions)
        assert ours(engine, text, functions) == expected, f"composition {number}:\n{text}"
        traps += TRAP in expected
    assert 0 < traps < CASES // 2, "hardly anything was compared"
