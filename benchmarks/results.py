"""One run of all benchmarks: what was measured, on what, and how it stands to the aims."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from typing import Any

from benchmarks import (
    bulk,
    calls,
    cold_start,
    embedding,
    isolation,
    layers,
    limits,
    project_size,
    sandbox,
    threads,
    wasi,
)
from benchmarks.harness import Case, Effort, Measurement, Spread, compare
from benchmarks.project_size import Load

__all__ = ["Aim", "Machine", "Results", "run"]

_GROUPS = {
    "Calls": calls.measure,
    "Where the time of a short call goes": layers.measure,
    "What a limit costs": limits.measure,
    "WASI": wasi.measure,
    "The sandbox of Lua": sandbox.measure,
    "Embedding": embedding.measure,
    "Isolation": isolation.measure,
    "Short calls by threads": threads.measure_short,
    "CPU-bound calls by threads": threads.measure_cpu_bound,
    "In bulk": bulk.measure,
    "Cold start": cold_start.measure,
}
_PASS = "times `python -c pass`"
_PACKAGES = ("wasmtime", "lupa", "extism")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured.

    Attributes:
        description: Processors, system, Python and packages.
        load: The load average over one minute, before and after.
        noise: The same C code run again and again: each time divided by the median.
    """

    description: str
    load: tuple[float, float]
    noise: Spread


@dataclass(frozen=True, slots=True)
class Aim:
    """Something promised.

    Attributes:
        text: What is promised.
        limit: What must be reached, in `unit`.
        measured: What was, in `unit`.
        unit: Of both.
        at_least: Whether more is better.
    """

    text: str
    limit: float
    measured: Spread
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the median reaches the aim."""
        return self.measured.median >= self.limit if self.at_least else self.measured.median <= self.limit


@dataclass(frozen=True, slots=True)
class Results:
    """All of one run.

    Attributes:
        machine: Where it was.
        groups: What was measured.
        loads: Projects of growing size.
        instance_bytes: What an instance of sandboxed Lua needs.
    """

    machine: Machine
    groups: Mapping[str, Sequence[Measurement]]
    loads: Sequence[Load]
    instance_bytes: Sequence[float]

    @property
    def aims(self) -> list[Aim]:
        """What was promised and what came of it."""
        named = {each.name: each for each in self.groups["Calls"]}
        cold = {each.name: each for each in self.groups["Cold start"]}
        bound = {each.name: each for each in self.groups["CPU-bound calls by threads"]}
        in_bulk = {each.name: each for each in self.groups["In bulk"]}
        largest = self.loads[-1]
        alone, ours = named["lupa: a number"], named["polycall: a number to Lua"]
        inner, loop = named["polycall: Lua -> Lua"], named["polycall: the loop around it"]
        from_lua = Measurement("", tuple(a - b for a, b in zip(inner.seconds, loop.seconds, strict=True)))
        return [
            Aim("dispatch adds to a plain lupa call, from Python", 3.0, _times(ours.added_to(alone), 1e6), "us"),
            Aim("dispatch adds to a plain lupa call, from Lua", 3.0, _times(from_lua.added_to(alone), 1e6), "us"),
            Aim("a Lua call from Python takes", 10.0, _ratio(ours), "times plain lupa's"),
            Aim("Lua -> Lua takes", 13.0, _between(from_lua, alone), "times plain lupa's"),
            *_component_aims(named),
            *_wasi_aims({each.name: each for each in self.groups["WASI"]}),
            *_sandbox_aims({each.name: each for each in self.groups["The sandbox of Lua"]}),
            Aim("an instance of sandboxed Lua needs", 1.0, _times(Spread.of(self.instance_bytes), 1e-6), "MB"),
            Aim(f"{largest.entries:,} entries load in", 3.0, Spread.of(largest.seconds), "s"),
            Aim(f"{largest.entries:,} entries need", 200.0, _times(Spread.of(largest.peak_bytes), 1e-6), "MB"),
            *_embedding_aims({each.name: each for each in self.groups["Embedding"]}),
            Aim("cold `polycall call` of a Lua function", 250.0, _times(cold["polycall call, Lua"].time, 1e3), "ms"),
            Aim("cold `polycall call` of a Lua function takes", 8.0, _ratio(cold["polycall call, Lua"]), _PASS),
            Aim("cold `polycall list`", 300.0, _times(cold["polycall list"].time, 1e3), "ms"),
            *(
                Aim(
                    f"two threads of CPU-bound {name} reach", 1.8, _gain(bound[f"{name}: 2 threads"]), "times one", True
                )
                for name in ("Lua", "WASM")
            ),
            Aim(
                "10,000 lines through `polycall call --each` take",
                1.5,
                _ratio(in_bulk["polycall call --each, 10,000 lines"]),
                "times a loop over registry.call",
            ),
            *(
                Aim(
                    f"two workers of registry.map with {name} that computes reach",
                    1.8,
                    _gain(in_bulk[f"registry.map, {name} that computes: 2 workers"]),
                    "times one",
                    True,
                )
                for name in ("Lua", "WASM")
            ),
        ]

    def as_json(self) -> dict[str, Any]:
        """Returns every single value, for JSON."""
        groups = {
            title: [
                {"name": each.name, "seconds": each.seconds, "against": each.against and each.against.name}
                for each in measurements
            ]
            for title, measurements in self.groups.items()
        }
        aims = [{**asdict(aim), "met": aim.met} for aim in self.aims]
        loads = [asdict(load) for load in self.loads]
        return {
            "machine": asdict(self.machine),
            "aims": aims,
            "groups": groups,
            "loads": loads,
            "instance_bytes": self.instance_bytes,
        }


def run(effort: Effort) -> Results:
    """Runs all benchmarks."""
    before, noise = os.getloadavg()[0], _noise(effort)
    groups = {title: measure(effort) for title, measure in _GROUPS.items()}
    loads = project_size.measure(effort)
    instance_bytes = sandbox.measure_memory(effort)
    return Results(Machine(_description(), (before, os.getloadavg()[0]), noise), groups, loads, instance_bytes)


def _description() -> str:
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES if _installed(name))
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} processors, {system}, Python {platform.python_version()}, {packages}"


def _installed(name: str) -> bool:
    return any(metadata.distributions(name=name))


def _noise(effort: Effort) -> Spread:
    work = partial(hashlib.pbkdf2_hmac, "sha256", b"key", b"salt", 1_000)
    (measured,) = compare([Case("C", work)], effort)
    return _times(measured.time, 1 / measured.time.median)


def _component_aims(named: Mapping[str, Measurement]) -> list[Aim]:
    """Returns the aims of components; their ratios are to wasmtime-py's component API."""
    faster = {
        "two integers": 4.0,
        "echo of 16 bytes of text": 3.0,
        "echo of 1,000 integers": 25.0,
        "echo of 100 records": 12.0,
        "echo of 1 MiB of bytes": 10_000.0,
    }
    fresh = {"component": 2.0, "C guest": 2.0, "JavaScript guest": 4.0}
    adding, hop = named["wasmtime-py: two integers"], named["polycall: WASM -> Lua and back"]
    ours, core = named["polycall: echo of 1 MiB of bytes"], named["polycall: echo of 1 MiB, core module"]
    theirs = "wasmtime-py's component API"
    return [
        *(
            Aim(name, limit, _gain(named[f"polycall: {name}"]), f"times faster than {theirs}", at_least=True)
            for name, limit in faster.items()
        ),
        Aim("1 MiB of bytes through a component takes", 1.5, _between(ours, core), "times a core module's"),
        Aim("WASM -> Lua and back takes", 0.4, _between(hop, adding), f"times two integers by {theirs}"),
        *(
            Aim(f"a fresh {name} takes", limit, _ratio(named[f"polycall: a fresh {name} each call"]), f"times {theirs}")
            for name, limit in fresh.items()
        ),
    ]


def _wasi_aims(named: Mapping[str, Measurement]) -> list[Aim]:
    """Returns the aims of WASI; the ratios are to wasmtime-py with its native WASI where nothing else is said."""
    theirs, asleep = "times wasmtime-py's", named["polycall: 1,000 guests that sleep for 1 s"]
    return [
        Aim("64 MiB of file, written and read, take", 1.5, _ratio(named["polycall: 64 MiB written and read"]), theirs),
        Aim("an HTTP GET of 16 MiB takes", 1.5, _ratio(named["polycall: GET of 16 MiB"]), theirs),
        Aim(
            "a guest's look at the clock takes",
            2.0,
            _ratio(named["polycall: the clock, by a guest"]),
            "times the cheapest callback of the engine",
        ),
        Aim(
            "a fresh instance with all of WASI takes",
            1.2,
            _ratio(named["polycall: a fresh instance with all of it"]),
            "times one without",
        ),
        Aim("1,000 guests sleep for 1 s, at the same time, in", 1.3, asleep.time, "s"),
    ]


def _sandbox_aims(named: Mapping[str, Measurement]) -> list[Aim]:
    """Returns the aims of Lua in the sandbox."""
    host, lupa = "times as long as in the host's Lua", "times as long as with plain lupa"
    aims = {
        "a sandboxed call takes": (2.0, "a number: sandboxed", host),
        "a call from sandboxed Lua to Lua and back takes": (2.0, "Lua -> Lua and back: sandboxed", host),
        "a fresh sandboxed instance takes": (0.25, "a fresh instance: sandboxed", host),
        "1 MiB of bytes into the sandbox and out take": (2.0, "1 MiB of bytes: sandboxed", host),
        "a sandboxed loop takes": (2.3, "tight loop: sandboxed", lupa),
        "a sandboxed loop with a deadline takes": (2.3, "tight loop: sandboxed, with a deadline", lupa),
    }
    return [Aim(text, limit, _ratio(named[row]), unit) for text, (limit, row, unit) in aims.items()]


def _embedding_aims(named: Mapping[str, Measurement]) -> list[Aim]:
    """Returns the aims of entries that come and go at run time."""
    many, most = (named[f"an entry added and removed among {size}"] for size in ("2,000", "10,000"))
    return [
        Aim("an entry is added and removed among 2,000 in", 1.0, _times(many.time, 1e3), "ms"),
        Aim("an entry is added and removed among 10,000 in", 2.0, _ratio(most), "times what it takes among 10"),
    ]


def _between(one: Measurement, other: Measurement) -> Spread:
    """Returns how many times as long one took as another, round by round."""
    return Spread.of([mine / theirs for mine, theirs in zip(one.seconds, other.seconds, strict=True)])


def _times(spread: Spread, factor: float) -> Spread:
    return Spread(spread.low * factor, spread.median * factor, spread.high * factor)


def _ratio(measurement: Measurement) -> Spread:
    return measurement.ratio or Spread(1.0, 1.0, 1.0)


def _gain(measurement: Measurement) -> Spread:
    ratio = _ratio(measurement)
    return Spread(1 / ratio.high, 1 / ratio.median, 1 / ratio.low)
