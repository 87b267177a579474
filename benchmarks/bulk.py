"""What many calls cost: lines through the command line next to a loop in Python, and workers next to one.

python -m benchmarks.bulk
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from dataclasses import replace
from functools import partial
from pathlib import Path

import polycall
from benchmarks.harness import FULL, Case, Effort, Measurement, compare, show
from benchmarks.project import opened

__all__ = ["measure"]

_LINES = 10_000
_ROUNDS = 7
_SPIN_ROUNDS = {"Lua": ("bench:spin_lua", 1_000_000), "WASM": ("bench:spin", 30_000_000)}
_SPINS = 8
_LOOP = """
import json, sys, polycall
with polycall.load(".") as registry:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(registry.call("bench:total", json.loads(line))) + "\\n")
"""


def measure(effort: Effort) -> list[Measurement]:
    """Measures lines of JSON, from a file to nowhere, in a process of their own; and workers of `registry.map`."""
    count = _LINES // effort.scale
    few = replace(effort, rounds=min(effort.rounds, _ROUNDS), seconds=0.0)
    with opened() as (registry, folder):
        lines = folder / "orders.jsonl"
        lines.write_text("".join(map(_order, range(count))), encoding="utf-8")
        each = ("-m", "polycall", "call", "bench:total", "--each")
        loop = "a loop over registry.call, 10,000 lines"
        cases = [
            Case(loop, partial(_run, lines, "-c", _LOOP), None, count),
            Case("polycall call --each, 10,000 lines", partial(_run, lines, *each), loop, count),
            Case(
                "polycall call --each --jobs 2, 10,000 lines", partial(_run, lines, *each, "--jobs", "2"), loop, count
            ),
        ]
        for name, (target, rounds) in _SPIN_ROUNDS.items():
            one = f"registry.map, {name} that computes: 1 worker"
            spin = partial(_spin, registry, target, rounds // effort.scale)
            cases.append(Case(one, partial(spin, 1), None, _SPINS))
            cases.append(Case(one.replace("1 worker", "2 workers"), partial(spin, 2), one, _SPINS))
        return compare(cases, few)


def _order(number: int) -> str:
    items = [{"sku": "tea", "price": 4.5, "count": number % 7}, {"sku": "pot", "price": 79.0, "count": 1}]
    return json.dumps({"id": number, "customer": "Ana Maria", "items": items}) + "\n"


def _run(lines: Path, *arguments: str) -> None:
    home = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": home}
    with lines.open("rb") as given:
        subprocess.run(
            [sys.executable, *arguments], cwd=lines.parent, env=environment, check=True,
            stdin=given, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def _spin(registry: polycall.Registry, target: str, rounds: int, workers: int) -> None:
    deque(registry.map(target, [rounds] * _SPINS, workers=workers), maxlen=0)


if __name__ == "__main__":
    show(measure(FULL))
