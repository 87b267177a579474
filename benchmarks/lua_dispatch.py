"""What the registry adds to a Lua function: a plain lupa call against calls through polycall, in one run.

    python benchmarks/lua_dispatch.py

Prints the median of several rounds in microseconds, with the spread of the middle half. The rounds of all candidates
are interleaved, so that a slow spell of the machine hits all of them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lupa.lua54 import LuaRuntime

import polycall

CALLS = 20_000
ROUNDS = 15

PLAIN = "function(n) return n end"
INDEX = """
namespace: bench
entries:
  - name: same
    kind: function.lua
    source: "return { same = function(n) return n end }"
    method: same
  - name: loop
    kind: function.lua
    modules: [funcs]
    source: |
      local call = require("funcs").call
      return { loop = function(target, count)
        for n = 1, count do call(target, n) end
      end }
    method: loop
  - name: empty
    kind: function.lua
    source: |
      local function same(n) return n end
      return { empty = function(_, count)
        for n = 1, count do same(n) end
      end }
    method: empty
"""


def main() -> None:
    """Measures and prints."""
    lupa_call = LuaRuntime(register_eval=False).eval(PLAIN)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "_index.yaml").write_text(INDEX, encoding="utf-8")
        with polycall.load(folder) as registry:
            candidates: dict[str, Callable[[], object]] = {
                "plain lupa call of n -> n, from Python": lambda: _repeat(lupa_call),
                "polycall call of the same, from Python": lambda: _repeat(lambda n: registry.call("bench:same", n)),
                "polycall call of the same, from Lua": lambda: registry.call("bench:loop", "bench:same", CALLS),
                "the loop around it, in Lua": lambda: registry.call("bench:empty", "", CALLS),
            }
            times = _measure(candidates)
    for name, samples in times.items():
        low, middle, high = statistics.quantiles(samples, n=4)
        print(f"{name:42} {middle:6.2f} us  ({low:.2f} to {high:.2f})")
    plain, _, lua, loop = (statistics.median(samples) for samples in times.values())
    print(f"Lua -> registry -> Lua adds {lua - loop - plain:.2f} us to a plain lupa call of {plain:.2f} us")


def _repeat(call: Callable[[int], object]) -> None:
    for number in range(CALLS):
        call(number)


def _measure(candidates: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) / CALLS * 1e6)
    return times


if __name__ == "__main__":
    main()
