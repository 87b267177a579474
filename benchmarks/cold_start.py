"""What the command line takes from nothing: a new process for each measurement.

The candidates take turns, so that each run of a command is compared with the Python that ran beside it.

python -m benchmarks.cold_start
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.harness import FULL, Case, Effort, Measurement, compare, show
from benchmarks.project import opened

__all__ = ["measure"]

_ROUNDS = 21


def measure(effort: Effort) -> list[Measurement]:
    """Measures commands, next to a Python that does nothing."""
    alone = "python -c pass"
    with opened() as (_, folder):
        cases = [
            Case(alone, partial(_run, folder, "-c", "pass")),
            Case("polycall list", partial(_run, folder, "-m", "polycall", "list"), alone),
            Case("polycall call, Lua", partial(_run, folder, "-m", "polycall", "call", "bench:same", "1"), alone),
            Case("polycall call, WASM", partial(_run, folder, "-m", "polycall", "call", "bench:add", "1", "2"), alone),
        ]
        return compare(cases, replace(effort, rounds=_ROUNDS if effort == FULL else effort.rounds, seconds=0.0))


def _run(folder: Path, *arguments: str) -> None:
    home = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": home, "POLYCALL_CACHE_DIR": str(folder / ".cache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed polycall is compiled; the first run sees to it here
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    show(measure(FULL))
