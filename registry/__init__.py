"""From YAML to calls: entry files, the index of entries, the dispatcher and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polycall.interop.lazy import lazy

if TYPE_CHECKING:
    from polycall.registry.check import Finding
    from polycall.registry.entries.entry import Entry, Location
    from polycall.registry.entries.index import Index
    from polycall.registry.loading import load
    from polycall.registry.registry import Registry

__all__ = ["Entry", "Finding", "Index", "Location", "Registry", "load"]

__getattr__ = lazy(
    __name__,
    {
        "polycall.registry.check": ("Finding",),
        "polycall.registry.entries.entry": ("Entry", "Location"),
        "polycall.registry.entries.index": ("Index",),
        "polycall.registry.loading": ("load",),
        "polycall.registry.registry": ("Registry",),
    },
)
