"""Soaks polycall: many threads, every pool, every way a call can end, reloads and killed workers, for minutes.

    make soak

Every call carries a tag and knows how it must end; nothing else is right. At the end, memory, threads, file
descriptors and processes must be what they were. Exit code 1, with what went wrong, if anything did.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import math
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import polycall
from polycall.interop.io_thread import io_thread
from soak import wasi
from soak.calls import WEIGHTS
from soak.figures import Figures
from soak.machine import Resources, list_workers, measure
from soak.project import write_project
from soak.run import Soak
from wasi.servers import http_server

__all__ = ["main"]

_SAMPLE_SECONDS = 10.0
_JUDGED_SECONDS = 60.0
"""How late hostile calls end is judged in longer runs only."""

_SETTLED_SECONDS = 120.0
"""By then every pool has been full once, and the allocators have what they keep: of 600 s it grew in the first 120."""

_MEMORY_JUDGED_SECONDS = 2 * _SETTLED_SECONDS
"""The memory of a shorter run is printed, not judged."""

_MOST_OVER_SECONDS = 0.5
"""How long after its deadline a hostile call may end, with all the other threads at work."""

_GROWTH_MIB = 20.0
_GROWTH_SHARE = 0.05


def main() -> int:
    """Runs the soak that the command line asks for and returns the exit code."""
    options = _options()
    print(f"seed {options.seed}: {options.threads} threads for {options.seconds:g} s", flush=True)
    list_workers()
    _ = io_thread().loop  # lives as long as the process
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = _soak(folder, options.seed, threads=4, seconds=1.0, every=1.0)  # starts the threads that engines keep
        start = _settled()
        print(f"start: {start}", flush=True)
        figures = _soak(
            folder, options.seed, options.threads, options.seconds, min(_SAMPLE_SECONDS, options.seconds / 4)
        )
        end = _settled()
    _print_counts(figures, options.seconds)
    print(f"end: {end}")
    failures = [*first.failures, *figures.failures, *_missing(figures), *_left_over(start, end), *_growth(figures)]
    for failure in failures:
        print(f"FAILED (seed {options.seed}): {failure}")
    print(
        f"{figures.failed} wrong calls of {sum(figures.counts.values())}; {'FAILED' if failures else 'passed'}",
        flush=True,
    )
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description="Mixes calls of every kind and outcome for a while.")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long (300)")
    parser.add_argument("--threads", type=int, default=16, help="how many threads call (16)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="what decides which calls are made")
    return parser.parse_args()


def _soak(folder: Path, seed: int, threads: int, seconds: float, every: float) -> Figures:
    write_project(folder)
    with http_server() as wasi.SERVER.port, polycall.load(folder) as registry:
        over = _MOST_OVER_SECONDS if seconds >= _JUDGED_SECONDS else math.inf
        return Soak(registry, seed=seed, threads=threads, most_over=over).run(seconds, every)


def _settled() -> Resources:
    """Returns what is in use once closed things are gone: a killed process takes a moment to end."""
    gc.collect()
    seen = measure()
    for _ in range(20):
        if not seen.children:
            break
        time.sleep(0.1)
        seen = measure()
    return seen


def _print_counts(figures: Figures, seconds: float) -> None:
    for kind, count in sorted(figures.counts.items()):
        print(f"{kind:38}{count:9}  {count / seconds:8.1f}/s  slowest {figures.slowest[kind]:.2f} s")
    print(f"{figures.reloads} reloads; {figures.kills} workers killed, in the middle of {figures.killed} calls")


def _missing(figures: Figures) -> list[str]:
    if len(figures.counts) == len(WEIGHTS):
        return []
    return [f"only {len(figures.counts)} of {len(WEIGHTS)} kinds of calls were made: {sorted(figures.counts)}"]


def _left_over(start: Resources, end: Resources) -> list[str]:
    names = ("children", "threads", "descriptors")
    pairs = [(name, getattr(start, name), getattr(end, name)) for name in names]
    return [f"{after} {name} at the end, {before} at the start" for name, before, after in pairs if after > before]


def _growth(figures: Figures) -> list[str]:
    """Compares the memory once it has settled with that of the last fifth."""
    total = figures.samples[-1][0] if figures.samples else 0.0
    if total < _MEMORY_JUDGED_SECONDS:
        return []
    begin, length = max(_SETTLED_SECONDS, 0.2 * total), 0.2 * total
    early = statistics.median(seen.rss_mib for at, seen in figures.samples if begin <= at <= begin + length)
    late = statistics.median(seen.rss_mib for at, seen in figures.samples if at >= total - length)
    print(f"memory: {early:.1f} MiB from {begin:.0f} s on, {late:.1f} MiB in the last fifth")
    allowed = max(_GROWTH_MIB, early * _GROWTH_SHARE)
    return (
        [f"memory grew from {early:.1f} to {late:.1f} MiB; {allowed:.1f} is allowed"] if late - early > allowed else []
    )


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code)  # a call that never ends must not keep the report from its end
