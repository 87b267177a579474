"""What ``isolation: process`` costs: the same calls with and without it, in one run, and the start of a worker.

    python benchmarks/isolation.py

Prints the median of several rounds, with the spread of the middle half. The rounds of all candidates are interleaved,
so that a slow spell of the machine hits all of them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polycall

CALLS = 1_000
ROUNDS = 15
STARTS = 10

INDEX = """
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


def main() -> None:
    """Measures and prints."""
    rows = [{"name": f"row {number}", "value": number} for number in range(100)]
    calls: dict[str, tuple[object, ...]] = {
        "Lua, a number": ("same", 1),
        "WebAssembly, two integers": ("add", 1, 2),
        "Lua, 1 MiB of bytes": ("same", bytes(range(256)) * 4096),
        "Lua, 100 records": ("same", rows),
        "Lua -> Lua, both alike": ("ask", "NAMESPACE:same", 1),
    }
    with tempfile.TemporaryDirectory() as folder:
        for namespace, isolation in (("plain", "none"), ("isolated", "process")):
            text = INDEX.format(namespace=namespace, isolation=isolation)
            Path(folder, f"{namespace}.yaml").write_text(text, encoding="utf-8")
        with polycall.load(folder) as registry:
            for name, call in calls.items():
                count = CALLS // 20 if "MiB" in name or "records" in name else CALLS
                _compare(registry, name, call, count)
            _compare(registry, "a fresh instance each", ("fresh", 1), 1, STARTS)


def _caller(registry: polycall.Registry, namespace: str, call: tuple[object, ...]) -> Callable[[], object]:
    name, *arguments = call
    said = [each.replace("NAMESPACE", namespace) if isinstance(each, str) else each for each in arguments]
    return lambda: registry.call(f"{namespace}:{name}", *said)


def _compare(
    registry: polycall.Registry, name: str, call: tuple[object, ...], count: int, rounds: int = ROUNDS
) -> None:
    plain, isolated = (_caller(registry, namespace, call) for namespace in ("plain", "isolated"))
    plain()
    isolated()
    samples: dict[Callable[[], object], list[float]] = {plain: [], isolated: []}
    for _ in range(rounds):
        for run, times in samples.items():
            start = time.perf_counter()
            for _ in range(count):
                run()
            times.append((time.perf_counter() - start) / count * 1e6)
    print(f"{name:28} plain {_shown(samples[plain])}   isolated {_shown(samples[isolated])}")


def _shown(times: list[float]) -> str:
    low, middle, high = statistics.quantiles(times, n=4)
    return f"{middle:8.1f} us ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    main()
