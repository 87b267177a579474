"""How a load grows with the number of entries: time and memory, each in a new process.

python -m benchmarks.project_size
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import FULL, Effort, Spread

__all__ = ["Load", "measure"]

_SIZES = (10, 1_000, 10_000)
_PER_FILE = 100
_MAX_ROUNDS = 5

_LUA = (
    '  - {{name: f{0}, kind: function.lua, method: f, meta: {{comment: Entry {0}}}, source: "return {{f = print}}"}}\n'
)
_WAT = '  - {{name: f{0}, kind: function.wat, method: f, imports: [funcs], source: "(component)"}}\n'

# VmHWM, because ru_maxrss begins with what the parent had.
_SCRIPT = """
import json, re, sys, time
import polycall
start = time.perf_counter()
registry = polycall.load(sys.argv[1])
seconds = time.perf_counter() - start
peak = re.search(r"VmHWM:\\s*([0-9]+) kB", open("/proc/self/status").read())
print(json.dumps({"seconds": seconds, "bytes": int(peak[1]) * 1024}))
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What loading took.

    Attributes:
        entries: How many entries there were.
        seconds: One value for each round.
        peak_bytes: The most memory that the whole process had, one value for each round.
    """

    entries: int
    seconds: tuple[float, ...]
    peak_bytes: tuple[float, ...]


def measure(effort: Effort) -> list[Load]:
    """Loads projects of growing size; Linux only, for the memory."""
    with tempfile.TemporaryDirectory() as name:
        sizes = [size // effort.scale for size in _SIZES]
        for size in sizes:
            _write(Path(name, str(size)), size)
        rounds = [[_load(Path(name, str(size))) for size in sizes] for _ in range(min(effort.rounds, _MAX_ROUNDS))]
    return [
        Load(size, tuple(each["seconds"] for each in found), tuple(each["bytes"] for each in found))
        for size, found in zip(sizes, zip(*rounds, strict=True), strict=True)
    ]


def _write(folder: Path, size: int) -> None:
    folder.mkdir()
    for first in range(0, size, _PER_FILE):
        lines = [(_LUA if n % 2 else _WAT).format(n) for n in range(first, min(first + _PER_FILE, size))]
        text = f"namespace: part{first}\nentries:\n" + "".join(lines)
        (folder / f"part{first}.yaml").write_text(text, encoding="utf-8")


def _load(folder: Path) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    command = [sys.executable, "-c", _SCRIPT, str(folder)]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(output)
    return found


if __name__ == "__main__":
    for load in measure(FULL):
        time, peak = Spread.of(load.seconds), Spread.of(load.peak_bytes)
        spread = f"{time.median:.3f} s ({time.low:.3f} to {time.high:.3f})"
        print(f"{load.entries:6} entries  {spread}  {peak.median / 1e6:.0f} MB")
