"""What ``isolation: sandbox`` costs: Lua inside of WebAssembly next to Lua in the host's engine, and to plain lupa.

python -m benchmarks.sandbox
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import polycall
from benchmarks import plain
from benchmarks.harness import FULL, Case, Effort, Measurement, compare, show
from benchmarks.project import GUESTS

__all__ = ["measure", "measure_memory"]

_INDEX = """
namespace: {namespace}
isolation: {isolation}
entries:
  - {{name: same, kind: function.lua, method: same, source: "return {{ same = function(n) return n end }}",
     pool: {{type: lazy}}}}
  - {{name: fresh, kind: function.lua, method: same, source: "return {{ same = function(n) return n end }}",
     pool: {{type: inline}}}}
  - name: loop
    kind: function.lua
    modules: [funcs]
    pool: {{type: lazy}}
    source: |
      local call = require("funcs").call
      return {{ loop = function(target, count) for _ = 1, count do assert(call(target, 1)) end end }}
    method: loop
  - {{name: spin, kind: function.lua, source: file://spin.lua, method: spin, pool: {{type: lazy}}}}
  - {{name: words, kind: function.lua, source: file://words.lua, method: words, pool: {{type: lazy}}}}
  - {{name: sorted, kind: function.lua, source: file://words.lua, method: sorted, pool: {{type: lazy}}}}
"""
_PLACES = {"plain": "none", "sandboxed": "sandbox"}
_LOOP = 100
_LOOP_ROUNDS = 1_000_000
_TIMEOUT_SECONDS = 60.0
_INSTANCES = 1_000
_MAX_ROUNDS = 5

_SCRIPT = """
import json, re, sys
import polycall
from polycall.interop.context import CallContext

def held():
    return int(re.search(r"RssAnon:\\s*([0-9]+) kB", open("/proc/self/status").read())[1]) * 1024

with polycall.load(sys.argv[1]) as registry:
    function, count, kept = registry.prepare("sandboxed:same"), int(sys.argv[2]), []
    def one():
        kept.append(function.instantiate())
        assert kept[-1].call([1], CallContext("sandboxed:same", "lua")) == 1
    one()
    before = held()
    for _ in range(count):
        one()
    print(json.dumps((held() - before) / count))
"""


def measure(effort: Effort) -> list[Measurement]:
    """Measures sandboxed calls against the same calls in the host's engine, and loops against plain lupa."""
    rounds = _LOOP_ROUNDS // effort.scale
    data = bytes(range(256)) * (4096 // effort.scale)
    with _project() as folder, polycall.load(folder) as registry:
        return compare(
            [
                *_pair(registry, "a number", "same", 1),
                *_pair(registry, "a fresh instance", "fresh", 1),
                *_pair(registry, "1 MiB of bytes", "same", data),
                *_hops(registry),
                *_loops(registry, rounds),
                *_pair(registry, "gmatch of words", "words"),
                *_pair(registry, "sort of 100,000 numbers", "sorted"),
            ],
            effort,
        )


def measure_memory(effort: Effort) -> tuple[float, ...]:
    """Returns the bytes that an instance needs which has served a call, one value for each round; Linux only."""
    count = str(_INSTANCES // effort.scale)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    with _project() as folder:
        command = [sys.executable, "-c", _SCRIPT, str(folder), count]
        run = partial(subprocess.run, command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        return tuple(json.loads(run().stdout) for _ in range(min(effort.rounds, _MAX_ROUNDS)))


@contextmanager
def _project() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("spin.lua", "words.lua"):
            (folder / name).write_bytes((GUESTS / name).read_bytes())
        for namespace, isolation in _PLACES.items():
            text = _INDEX.format(namespace=namespace, isolation=isolation)
            (folder / f"{namespace}.yaml").write_text(text, encoding="utf-8")
        yield folder


def _pair(registry: polycall.Registry, name: str, entry: str, *arguments: polycall.Value) -> list[Case]:
    alone, inside = (partial(registry.call, f"{place}:{entry}", *arguments) for place in _PLACES)
    return [Case(f"{name}: plain", alone), Case(f"{name}: sandboxed", inside, f"{name}: plain")]


def _hops(registry: polycall.Registry) -> list[Case]:
    """Returns calls from a loop inside of a guest; what is called is in the host's engine, but for the last one."""
    first = "Lua -> Lua and back: plain"
    return [
        Case(first, partial(registry.call, "plain:loop", "plain:same", _LOOP), calls=_LOOP),
        Case(
            "Lua -> Lua and back: sandboxed",
            partial(registry.call, "sandboxed:loop", "plain:same", _LOOP),
            first,
            _LOOP,
        ),
        Case("both of them sandboxed", partial(registry.call, "sandboxed:loop", "sandboxed:same", _LOOP), first, _LOOP),
    ]


def _loops(registry: polycall.Registry, rounds: int) -> list[Case]:
    alone, inside = "tight loop: plain lupa", partial(registry.call, "sandboxed:spin", rounds)
    return [
        Case(alone, partial(plain.lua_spin(), rounds)),
        Case("tight loop: sandboxed", inside, alone),
        Case("tight loop: sandboxed, with a deadline", partial(inside, timeout=_TIMEOUT_SECONDS), alone),
    ]


if __name__ == "__main__":
    show(measure(FULL))
    for size in measure_memory(FULL):
        print(f"{size / 1e6:.3f} MB for an instance")
