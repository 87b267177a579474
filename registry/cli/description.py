"""An entry with all defaults in place, as plain data."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polycall.interop.ids import EntryId
from polycall.interop.pool_spec import PoolSpec
from polycall.interop.protocols import Prepared
from polycall.interop.source import SourceText
from polycall.registry.entries.data_kinds import FsDirectorySpec
from polycall.registry.entries.entry import Entry

__all__ = ["describe"]


def describe(entry: Entry, function: Prepared | None, project: Path) -> dict[str, Any]:
    """Returns what is known of an entry, in a form that JSON can hold.

    Args:
        entry: The entry.
        function: The prepared function, or None for a kind that is not called.
        project: The project folder.

    Returns:
        The keys of its kind with their defaults, and ``id``, ``kind``, ``declared`` and ``meta``. A function has its
        ``signature``, the `pool` is the policy that its keys stand for, a guest in WebAssembly has ``imports`` that are
        granted and needed, an ``fs.directory`` the ``folder`` that it stands for.
    """
    described: dict[str, Any] = {
        "id": str(entry.id),
        "kind": entry.kind,
        "declared": str(entry.location),
        "meta": _plain(entry.meta),
    }
    if entry.spec is None:
        return {**described, "data": _plain(entry.data)}
    described |= {field.name: _plain(getattr(entry.spec, field.name)) for field in dataclasses.fields(entry.spec)}
    if function is not None:
        described["signature"] = None if function.signature is None else str(function.signature)
        if not isinstance(entry.spec.imports, Mapping):  # Lua's: alias to library
            needed = [need._asdict() | {"link": need.link and need.link._asdict()} for need in function.imports]
            described["imports"] = {"granted": list(entry.spec.imports), "needed": needed}
    if isinstance(entry.spec, FsDirectorySpec):
        start = project if entry.spec.base == "project" else entry.source_root
        described["folder"] = os.path.realpath(start / entry.spec.directory)
    return described


def _plain(value: Any) -> Any:
    if isinstance(value, EntryId):
        return str(value)
    if isinstance(value, SourceText):  # the text itself stands in the file
        return {"file": value.name, "line": value.first_line}
    if isinstance(value, PoolSpec):
        return value.policy()._asdict()
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
