"""Results as Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from benchmarks.harness import Measurement, Spread
from benchmarks.results import Results

__all__ = ["document", "with_aims"]

_INTRODUCTION = """# Benchmarks

Written by `make bench`, from one run; every single value is in [benchmarks/results.json](../benchmarks/results.json).
The candidates of a table take turns, round by round, so that a slow spell of the machine hits all of them. A value is
the median of the rounds, in brackets the middle half. A ratio is taken within each round: how many times as long as the
row it names.

![The same in pictures](benchmarks.png)
"""

_NOTES = {
    "Calls": """
Each engine alone as its own documentation uses it; instances live on, except where a row says fresh. Extism's echo
copies the input into the guest's memory and out again, as its plugin kits do; its calls carry bytes, no types. A call
from a guest (the rows with an arrow that begin with Lua) is one of a loop inside the guest.
""",
    "Where the time of a short call goes": """
Each row does what the one before it does, and one thing more. polycall is written in Python, and a short call is some
ten steps of it: most of its time is what the interpreter asks for calling ten functions, not for what they do. That is
why some aims of short calls are missed. What leads on from there is compiled code, which would have to be built for
each platform.
""",
    "What a limit costs": """
A loop is a million rounds. An entry without limits pays for none in Lua; in WASM the code of every loop looks at the
epoch, whether a deadline is set or not.
""",
    "WASI": """
The same guests with polycall and with wasmtime-py's native WASI, which is compiled code and never comes to Python: a
libc that writes and reads pieces of 64 KiB, JavaScript that fetches in pieces of 64 KiB from a server in another
process, a loop around the clock. The cheapest callback is the engine's unchecked one around a Python function of two
lines. Threads that sleep are Python's, with nothing to do but that. Each crowd of guests finds the threads of the one
before it: the first crowd of a process takes up to a tenth of a second longer.
""",
    "The sandbox of Lua": """
`isolation: sandbox`: Lua runs inside of WebAssembly. Plain is the same entry in the host's Lua, but where a row names
plain lupa. An epoch interrupts the sandbox, which costs a loop the same with a deadline and without.
""",
    "Embedding": """
Entries that are added to a registry at run time and removed again, without what it takes to compile them. Calls of
`call_async` are made in other threads than the event loop's: each takes two hand-overs between threads. A limit of
memory for one call is an instance of its own, from a Lua state on.
""",
    "Isolation": """
`isolation: process`: an instance is a worker process.
""",
    "Short calls by threads": """
Time divided by the number of calls that all threads made together. Short calls spend their time in Python, which runs
one thread at a time: more threads cannot make them faster, and should not make them slower.
""",
    "CPU-bound calls by threads": """
The same, for guests that only compute. The rows of C say what the machine had to give at that time: they run Python's
own hashlib, which releases the interpreter's lock too.
""",
    "In bulk": """
Lines of JSON from a file to nowhere, a new process each time; the loop in Python reads and writes JSON as well. The
function adds up an order of two items. Workers share out calls that take some milliseconds each.
""",
    "Cold start": """
A new process each time.
""",
}


def document(results: Results) -> str:
    """Returns docs/benchmarks.md."""
    return "\n".join(
        [_INTRODUCTION, *_machine(results), "## Aims\n", *_aims(results), *_groups(results), *_loads(results)]
    )


def with_aims(readme: str, results: Results) -> str:
    """Returns the README with the table of aims, between its two marks, as measured."""
    table = "\n".join([*_machine(results), *_aims(results)])
    marks = re.compile(r"(?<=<!-- written by make bench -->\n).*?(?=<!-- end -->)", re.DOTALL)
    return marks.sub(lambda _: table, readme)


def _machine(results: Results) -> Iterator[str]:
    load, noise = results.machine.load, results.machine.noise
    yield f"Machine: {results.machine.description}.\n"
    yield (
        f"Its noise: load average {load[0]:.1f} before and {load[1]:.1f} after; the same C code, repeated, took "
        f"{noise.low:.2f} to {noise.high:.2f} of its median (middle half).\n"
    )
    if "extism" not in results.machine.description:
        yield "Extism's SDK was not installed, or its library did not load: its rows are left out.\n"


def _aims(results: Results) -> Iterator[str]:
    yield "| aim | limit | measured | |\n|---|---|---|---|"
    for aim in results.aims:
        limit = f"{'at least' if aim.at_least else 'at most'} {aim.limit:g} {aim.unit}"
        measured = f"{_figure(aim.measured.median)} {aim.unit} ({_range(aim.measured)})"
        yield f"| {aim.text} | {limit} | {measured} | {'met' if aim.met else '**missed**'} |"
    yield ""


def _groups(results: Results) -> Iterator[str]:
    for title, measurements in results.groups.items():
        yield f"## {title}\n{_NOTES[title]}"
        yield from _table(measurements)


def _table(measurements: Sequence[Measurement]) -> Iterator[str]:
    yield "| | time per call | ratio | to |\n|---|---|---|---|"
    for each in measurements:
        yield f"| {each.name} | {_duration(each.time)} | {_ratio(each)} |"
    yield ""


def _ratio(measurement: Measurement) -> str:
    ratio = measurement.ratio
    if ratio is None or measurement.against is None:
        return " | "
    return f"{_figure(ratio.median)} ({_range(ratio)}) | {measurement.against.name}"


def _loads(results: Results) -> Iterator[str]:
    yield "## Entries\n\nHalf Lua, half WebAssembly text, 100 in a file. Nothing is prepared yet. Memory: the peak.\n"
    yield "| entries | load | memory |\n|---|---|---|"
    for load in results.loads:
        memory = Spread.of(load.peak_bytes).median / 1e6
        yield f"| {load.entries:,} | {_duration(Spread.of(load.seconds))} | {memory:.0f} MB |"
    yield ""


def _duration(time: Spread) -> str:
    unit, factor = ("s", 1.0) if time.median >= 1 else ("ms", 1e3) if time.median >= 1e-3 else ("us", 1e6)
    scaled = Spread(time.low * factor, time.median * factor, time.high * factor)
    return f"{_figure(scaled.median)} {unit} ({_range(scaled)})"


def _range(spread: Spread) -> str:
    return f"{_figure(spread.low)} to {_figure(spread.high)}"


def _figure(value: float) -> str:
    """Returns the digits that count; never an exponent."""
    if 0 < abs(value) < 0.1:
        return f"{value:.{1 - math.floor(math.log10(abs(value)))}f}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
