"""What ``isolation: process`` costs: the same calls with and without it, and the start of a worker.

python -m benchmarks.isolation
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import polycall
from benchmarks.harness import FULL, Case, Effort, Measurement, compare, show

__all__ = ["measure"]

_INDEX = """
namespace: {namespace}
entries:
  - name: same
    kind: function.lua
    isolation: {isolation}
    source: "return {{ same = function(value) return value end }}"
    method: same
  - name: ask
    kind: function.lua
    isolation: {isolation}
    modules: [funcs]
    source: |
      local call = require("funcs").call
      return {{ ask = function(target, ...) return call(target, ...) end }}
    method: ask
  - {{name: memory, kind: env.storage.memory}}
  - {{name: word, kind: env.variable, variable: {namespace}_word, storage: memory, default: word}}
  - name: read
    kind: function.lua
    isolation: {isolation}
    modules: [env]
    source: |
      local get = require("env").get
      return {{ read = function() return get("word") end }}
    method: read
  - name: add
    kind: function.wat
    isolation: {isolation}
    source: |
      (module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
    method: add
    wit: "add: func(a: s32, b: s32) -> s32"
  - name: fresh
    kind: function.lua
    isolation: {isolation}
    pool: {{type: inline}}
    source: "return {{ same = function(value) return value end }}"
    method: same
"""


def measure(effort: Effort) -> list[Measurement]:
    """Measures isolated calls against the same calls without isolation."""
    with tempfile.TemporaryDirectory() as folder:
        for namespace, isolation in (("plain", "none"), ("isolated", "process")):
            text = _INDEX.format(namespace=namespace, isolation=isolation)
            Path(folder, f"{namespace}.yaml").write_text(text, encoding="utf-8")
        with polycall.load(folder) as registry:
            fresh = replace(effort, rounds=min(effort.rounds, 5), seconds=0.0)
            return [
                *compare(_calls(registry), effort),
                *compare(_pair(registry, "a fresh instance", "fresh", 1), fresh),
            ]


def _calls(registry: polycall.Registry) -> list[Case]:
    rows: list[polycall.Value] = [{"name": f"row {number}", "value": number} for number in range(100)]
    return [
        *_pair(registry, "Lua, a number", "same", 1),
        *_pair(registry, "Lua, env.get", "read"),
        *_pair(registry, "WASM, two integers", "add", 1, 2),
        *_pair(registry, "Lua, 1 MiB of bytes", "same", bytes(range(256)) * 4096),
        *_pair(registry, "Lua, 100 records", "same", rows),
        *_pair(registry, "Lua -> Lua, both alike", "ask", "{}:same", 1),
    ]


def _pair(registry: polycall.Registry, name: str, entry: str, *arguments: polycall.Value) -> list[Case]:
    plain, isolated = (
        partial(registry.call, f"{namespace}:{entry}", *[_within(namespace, each) for each in arguments])
        for namespace in ("plain", "isolated")
    )
    return [Case(f"{name}: plain", plain), Case(f"{name}: isolated", isolated, f"{name}: plain")]


def _within(namespace: str, argument: polycall.Value) -> polycall.Value:
    return argument.format(namespace) if isinstance(argument, str) else argument


if __name__ == "__main__":
    show(measure(FULL))
