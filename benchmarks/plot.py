"""Results as a picture."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.harness import Measurement
from benchmarks.results import Results

__all__ = ["draw"]

_COLOURS = {"polycall": "#2a6f97", "wasmtime-py": "#c9a227", "lupa": "#6a994e", "Extism": "#bc4749"}


def draw(results: Results, path: Path) -> None:
    """Draws calls, threads and entries into one PNG."""
    figure = Figure(figsize=(12, 10), layout="constrained")
    axes = figure.subplot_mosaic([["calls", "threads"], ["calls", "entries"]], width_ratios=(3, 2))
    _calls(axes["calls"], list(results.groups["Calls"]))
    _threads(axes["threads"], list(results.groups["Short calls by threads"]))
    _entries(axes["entries"], results)
    figure.savefig(path, dpi=110)


def _calls(axes: Axes, measurements: list[Measurement]) -> None:
    shown = measurements[::-1]
    middles = [each.time.median * 1e6 for each in shown]
    below = [(each.time.median - each.time.low) * 1e6 for each in shown]
    above = [(each.time.high - each.time.median) * 1e6 for each in shown]
    colours = [_COLOURS[each.name.partition(":")[0]] for each in shown]
    axes.barh([each.name for each in shown], middles, xerr=[below, above], color=colours)
    axes.set_xscale("log")
    axes.set_xlabel("us per call (median, middle half)")
    axes.set_title("Calls")


def _threads(axes: Axes, measurements: list[Measurement]) -> None:
    for language in ("Lua", "WASM"):
        rows = [each for each in measurements if each.name.startswith(f"{language}:")]
        counts = [int(each.name.split()[1]) for each in rows]
        axes.plot(counts, [1 / each.time.median for each in rows], marker="o", label=language)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_title("Short calls per second")
    axes.set_xlabel("threads")
    axes.legend()


def _entries(axes: Axes, results: Results) -> None:
    sizes = [load.entries for load in results.loads]
    axes.plot(sizes, [sorted(load.seconds)[len(load.seconds) // 2] for load in results.loads], marker="o")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title("Seconds to load a project")
    axes.set_xlabel("entries")
