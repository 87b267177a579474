"""What a limit costs: the same calls with and without a deadline, and tight loops under it.

python -m benchmarks.limits
"""

from __future__ import annotations

from functools import partial

import polycall
from benchmarks import plain
from benchmarks.harness import FULL, Case, Effort, Measurement, compare, show
from benchmarks.project import opened

__all__ = ["measure"]

_LOOP_ROUNDS = 1_000_000
_TIMEOUT_SECONDS = 60.0


def measure(effort: Effort) -> list[Measurement]:
    """Measures guarded calls against unguarded ones, and those against the engines alone."""
    rounds = _LOOP_ROUNDS // effort.scale
    with opened() as (registry, _):
        cases = [
            *_calls(registry),
            *_lua_loops(registry, rounds),
            *_lua_library(registry),
            *_wasm_loops(registry, rounds),
        ]
        return compare(cases, effort)


def _guarded(name: str, against: str, registry: polycall.Registry, *call: int | str) -> Case:
    entry_id, *arguments = call
    return Case(name, partial(registry.call, str(entry_id), *arguments, timeout=_TIMEOUT_SECONDS), against)


def _calls(registry: polycall.Registry) -> list[Case]:
    lua, wasm = "Lua call", "WASM call"
    return [
        Case(lua, partial(registry.call, "bench:same", 1)),
        _guarded("Lua call with a deadline", lua, registry, "bench:same", 1),
        Case(wasm, partial(registry.call, "bench:add", 1, 2)),
        _guarded("WASM call with a deadline", wasm, registry, "bench:add", 1, 2),
    ]


def _lua_loops(registry: polycall.Registry, rounds: int) -> list[Case]:
    alone = "tight Lua loop, plain lupa"
    return [
        Case(alone, partial(plain.lua_spin(), rounds)),
        Case("tight Lua loop", partial(registry.call, "bench:spin_lua", rounds), alone),
        _guarded("tight Lua loop with a deadline", alone, registry, "bench:spin_lua", rounds),
    ]


def _lua_library(registry: polycall.Registry) -> list[Case]:
    entries = {
        "gmatch of words": "bench:words",
        "gsub of spaces": "bench:spaces",
        "gmatch of pairs": "bench:pairs",
        "sort of 100,000 numbers": "bench:sorted",
    }
    cases: list[Case] = []
    for name, entry_id in entries.items():
        cases += [
            Case(name, partial(registry.call, entry_id)),
            _guarded(f"{name} with a deadline", name, registry, entry_id),
        ]
    return cases


def _wasm_loops(registry: polycall.Registry, rounds: int) -> list[Case]:
    alone = "tight WASM loop, plain wasmtime without epochs"
    return [
        Case(alone, partial(plain.module_call("spin.wat", "spin"), rounds)),
        Case("tight WASM loop", partial(registry.call, "bench:spin", rounds), alone),
        _guarded("tight WASM loop with a deadline", alone, registry, "bench:spin", rounds),
    ]


if __name__ == "__main__":
    show(measure(FULL))
