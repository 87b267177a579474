"""polycall: a registry of functions written in Lua or compiled to WebAssembly, which call each other.

>>> import polycall
>>> with polycall.load("shop") as registry:           # doctest: +SKIP
...     registry.call("shop:checkout", {"items": []})
"""

from __future__ import annotations

from interop.context import Cancellation
from interop.errors import (
    CallError,
    CancelledError,
    ConversionError,
    DeadlineError,
    DeclarationError,
    DepthError,
    Frame,
    GuestError,
    HashError,
    ImportDeniedError,
    InternalError,
    LimitError,
    MemoryLimitError,
    MissingExportError,
    NotFoundError,
    PolycallError,
    PoolClosedError,
    PoolDeadlockError,
    PoolError,
    PreparationError,
    Problem,
    TrapError,
    WorkerError,
)
from interop.ids import EntryId
from interop.observer import Ended, Observer
from interop.values import Value
from polycall._version import __version__
from registry.changes import Changes
from registry.entries import Entry
from registry.registry import Registry, load
from registry.stats import EntryStats, Histogram, Stats

__all__ = [
    "CallError",
    "Cancellation",
    "CancelledError",
    "Changes",
    "ConversionError",
    "DeadlineError",
    "DeclarationError",
    "DepthError",
    "Ended",
    "Entry",
    "EntryId",
    "EntryStats",
    "Frame",
    "GuestError",
    "HashError",
    "Histogram",
    "ImportDeniedError",
    "InternalError",
    "LimitError",
    "MemoryLimitError",
    "MissingExportError",
    "NotFoundError",
    "Observer",
    "PolycallError",
    "PoolClosedError",
    "PoolDeadlockError",
    "PoolError",
    "PreparationError",
    "Problem",
    "Registry",
    "Stats",
    "TrapError",
    "Value",
    "WorkerError",
    "__version__",
    "load",
]
