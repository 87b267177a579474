"""What the instances of a binary take, be it a core module or a component."""

from __future__ import annotations

from collections.abc import Iterator

from polycall.wasm_runtime.component import definitions as d
from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.core_module import CORE_HEADER, read_core_module
from polycall.wasm_runtime.engine.footprint import Footprint

__all__ = ["footprint_of"]


def footprint_of(binary: bytes) -> Footprint:
    """Returns what a binary's instances take; of a component, each of its modules counted once.

    Raises:
        PreparationError: It is malformed.
    """
    if binary.startswith(CORE_HEADER):
        return read_core_module(binary).footprint
    parts = [read_core_module(binary, module.start, module.end).footprint for module in _modules(decode(binary))]
    return Footprint(
        tuple(size for part in parts for size in part.memories),
        tuple(table for part in parts for table in part.tables),
        any(part.has_gc for part in parts),
        any(part.busy_at_start for part in parts),
    )


def _modules(component: d.Component) -> Iterator[d.CoreModule]:
    for definition in component.definitions:
        if isinstance(definition, d.CoreModule):
            yield definition
        elif isinstance(definition, d.Component):
            yield from _modules(definition)
