"""What a call costs: the engines alone, Extism, and polycall.

python -m benchmarks.calls
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import polycall
from benchmarks import plain
from benchmarks.extism_plugins import extism_cases
from benchmarks.harness import FULL, Case, Effort, Measurement, compare, show
from benchmarks.project import opened

__all__ = ["measure"]

TEXT = "sixteen bytes...".ljust(16)
DATA = bytes(range(256)) * 4096
NUMBERS = list(range(1_000))
ROWS = [{"name": f"row {number}", "value": number} for number in range(100)]
_LOOP = 100
_LONG_ROUNDS = 3  # wasmtime-py takes seconds for one


def measure(effort: Effort) -> list[Measurement]:
    """Measures the calls that a guest answers at once."""
    data = DATA[: len(DATA) // effort.scale]
    long = replace(effort, rounds=min(effort.rounds, _LONG_ROUNDS))
    with opened() as (registry, _):
        short = [*_lua(registry), *_wasm(registry), *_echoes(registry), *_crossing(registry)]
        return [*compare(short, effort), *compare(_long_echoes(registry, data), long)]


def _lua(registry: polycall.Registry) -> list[Case]:
    number, fresh = "lupa: a number", "lupa: a fresh state each call"
    return [
        Case(number, partial(plain.lua_same(), 1)),
        Case("polycall: a number to Lua", partial(registry.call, "bench:same", 1), number),
        Case(fresh, plain.fresh_lua_call()),
        Case("polycall: a fresh Lua instance each call", partial(registry.call, "bench:fresh", 1), fresh),
    ]


def _wasm(registry: polycall.Registry) -> list[Case]:
    add, module = "wasmtime-py: two integers", "wasmtime-py: two integers, core module"
    fresh = "wasmtime-py: a fresh component each call"
    return [
        Case(add, partial(plain.component_call("add.wat", "add"), 1, 2)),
        Case("polycall: two integers", partial(registry.call, "bench:add", 1, 2), add),
        Case(module, partial(plain.module_call("add_core.wat", "add"), 1, 2)),
        Case("polycall: two integers, core module", partial(registry.call, "bench:add_core", 1, 2), module),
        Case(fresh, plain.fresh_component_call("add.wat", "add", 1, 2)),
        Case("polycall: a fresh component each call", partial(registry.call, "bench:add_fresh", 1, 2), fresh),
        *_fresh_guest(registry, "C", "caller.wasm", "bench:c_fresh"),
        *_fresh_guest(registry, "JavaScript", "js-caller.wasm", "bench:js_fresh"),
    ]


def _fresh_guest(registry: polycall.Registry, language: str, guest: str, target: str) -> list[Case]:
    alone = f"wasmtime-py: a fresh {language} guest each call"
    return [
        Case(alone, plain.fresh_guest_call(guest, "test:caller/math@1.0.0", "add", 1, 2)),
        Case(f"polycall: a fresh {language} guest each call", partial(registry.call, target, 1, 2), alone),
    ]


def _echoes(registry: polycall.Registry) -> list[Case]:
    text, rows = "wasmtime-py: echo of 16 bytes of text", "wasmtime-py: echo of 100 records"
    numbers = "wasmtime-py: echo of 1,000 integers"
    records = [_Row(name=f"row {number}", value=number) for number in range(100)]
    return [
        Case(text, partial(plain.component_call("echo.wat", "echo-text"), TEXT)),
        *extism_cases({"noop": ("noop", b""), "echo of 16 bytes of text": ("echo", TEXT)}, text),
        Case("polycall: echo of 16 bytes of text", partial(registry.call, "bench:echo_text", TEXT), text),
        Case(numbers, partial(plain.component_call("echo.wat", "echo-numbers"), NUMBERS)),
        Case("polycall: echo of 1,000 integers", partial(registry.call, "bench:echo_numbers", NUMBERS), numbers),
        Case(rows, partial(plain.component_call("echo.wat", "echo-rows"), records)),
        Case("polycall: echo of 100 records", partial(registry.call, "bench:echo_rows", ROWS), rows),
    ]


def _long_echoes(registry: polycall.Registry, data: bytes) -> list[Case]:
    alone = "wasmtime-py: echo of 1 MiB of bytes"
    return [
        Case(alone, partial(plain.component_call("echo.wat", "echo-bytes"), data)),
        *extism_cases({"echo of 1 MiB of bytes": ("echo", data)}, alone),
        Case("polycall: echo of 1 MiB of bytes", partial(registry.call, "bench:echo_bytes", data), alone),
        Case("polycall: echo of 1 MiB, core module", partial(registry.call, "bench:echo_core", data), alone),
    ]


class _Row:
    """A record as wasmtime-py wants it: an object with attributes."""

    def __init__(self, name: str, value: int) -> None:
        self.name = name
        self.value = value


def _crossing(registry: polycall.Registry) -> list[Case]:
    loop = partial(registry.call, "bench:loop")
    return [
        Case("polycall: Lua -> Lua", partial(loop, "bench:same", _LOOP, 1), calls=_LOOP),
        Case("polycall: the loop around it", partial(registry.call, "bench:empty", "", _LOOP), calls=_LOOP),
        Case("polycall: Lua -> WASM", partial(loop, "bench:add", _LOOP, 1, 2), calls=_LOOP),
        Case("polycall: WASM -> Lua and back", partial(registry.call, "bench:hops", _LOOP), calls=_LOOP),
        Case("polycall: WASM -> Lua -> WASM", partial(registry.call, "bench:relay", TEXT)),
    ]


if __name__ == "__main__":
    show(measure(FULL))
