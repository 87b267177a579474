"""Calls of Extism's Python SDK, where it is installed: noop and echo."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import wasmtime

from benchmarks.harness import Case
from benchmarks.project import GUESTS

__all__ = ["extism_cases"]


def extism_cases(calls: Mapping[str, tuple[str, str | bytes]], against: str) -> list[Case]:
    """Returns the calls to measure; none if the SDK or its library is missing.

    Args:
        calls: What the table calls them, the plugin's function and its input.
        against: The case they are compared with.
    """
    try:
        import extism  # noqa: PLC0415  # optional, and its library may not load
    except (ImportError, OSError):
        return []
    plugin = extism.Plugin(bytes(wasmtime.wat2wasm((GUESTS / "extism.wat").read_bytes())))
    return [
        Case(f"Extism: {name}", partial(plugin.call, function, data), against)
        for name, (function, data) in calls.items()
    ]
