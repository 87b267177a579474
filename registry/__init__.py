"""From YAML to calls: entry files, the index of entries, the dispatcher and the command line."""

from __future__ import annotations

from registry.check import Finding
from registry.entries import Entry, Location
from registry.index import Index
from registry.registry import Registry, load

__all__ = ["Entry", "Finding", "Index", "Location", "Registry", "load"]
