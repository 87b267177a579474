"""polycall: a registry of functions written in Lua or compiled to WebAssembly, which call each other.

>>> import polycall
>>> with polycall.load("shop") as registry:           # doctest: +SKIP
...     registry.call("shop:checkout", {"items": []})
"""

TYPE_CHECKING = False
"""What `typing` has of that name. Nothing is imported here: Ctrl-C would show a traceback until the command begins."""

if TYPE_CHECKING:
    from typing import Any

    from polycall._version import __version__
    from polycall.interop.context import Cancellation
    from polycall.interop.errors import (
        CallDeniedError,
        CallError,
        CancelledError,
        ConversionError,
        DeadlineError,
        DeclarationError,
        DepthError,
        ExitError,
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
    from polycall.interop.host_traffic import HostTraffic
    from polycall.interop.ids import EntryId
    from polycall.interop.observer import Ended, Finish, ObservedCall, Observer, WaitObserver
    from polycall.interop.pool_figures import PoolSnapshot, PoolTraffic
    from polycall.interop.protocols import ImportNeed, Link, Prepared, Signature
    from polycall.interop.resources import ResourceHandle, ResourceMethod
    from polycall.interop.values import Value
    from polycall.registry.dispatch.stats import EntryStats, Stats
    from polycall.registry.entries.changes import Changes
    from polycall.registry.entries.entry import Entry, Location, Reference
    from polycall.registry.finding import Finding
    from polycall.registry.from_python.terms import CallOptions
    from polycall.registry.loading import load
    from polycall.registry.observers.latencies import Histogram
    from polycall.registry.registry import Registry

__all__ = [
    "CallDeniedError",
    "CallError",
    "CallOptions",
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
    "ExitError",
    "Finding",
    "Finish",
    "Frame",
    "GuestError",
    "HashError",
    "Histogram",
    "HostTraffic",
    "ImportDeniedError",
    "ImportNeed",
    "InternalError",
    "LimitError",
    "Link",
    "Location",
    "MemoryLimitError",
    "MissingExportError",
    "NotFoundError",
    "ObservedCall",
    "Observer",
    "PolycallError",
    "PoolClosedError",
    "PoolDeadlockError",
    "PoolError",
    "PoolSnapshot",
    "PoolTraffic",
    "PreparationError",
    "Prepared",
    "Problem",
    "Reference",
    "Registry",
    "ResourceHandle",
    "ResourceMethod",
    "Signature",
    "Stats",
    "TrapError",
    "Value",
    "WaitObserver",
    "WorkerError",
    "__version__",
    "load",
]

_HOMES = {
    "polycall._version": ("__version__",),
    "polycall.interop.context": ("Cancellation",),
    "polycall.interop.errors": (
        "CallDeniedError",
        "CallError",
        "CancelledError",
        "ConversionError",
        "DeadlineError",
        "DeclarationError",
        "DepthError",
        "ExitError",
        "Frame",
        "GuestError",
        "HashError",
        "ImportDeniedError",
        "InternalError",
        "LimitError",
        "MemoryLimitError",
        "MissingExportError",
        "NotFoundError",
        "PolycallError",
        "PoolClosedError",
        "PoolDeadlockError",
        "PoolError",
        "PreparationError",
        "Problem",
        "TrapError",
        "WorkerError",
    ),
    "polycall.interop.host_traffic": ("HostTraffic",),
    "polycall.interop.ids": ("EntryId",),
    "polycall.interop.observer": ("Ended", "Finish", "ObservedCall", "Observer", "WaitObserver"),
    "polycall.interop.pool_figures": ("PoolSnapshot", "PoolTraffic"),
    "polycall.interop.protocols": ("ImportNeed", "Link", "Prepared", "Signature"),
    "polycall.interop.resources": ("ResourceHandle", "ResourceMethod"),
    "polycall.interop.values": ("Value",),
    "polycall.registry.dispatch.stats": ("EntryStats", "Stats"),
    "polycall.registry.entries.changes": ("Changes",),
    "polycall.registry.entries.entry": ("Entry", "Location", "Reference"),
    "polycall.registry.finding": ("Finding",),
    "polycall.registry.from_python.terms": ("CallOptions",),
    "polycall.registry.observers.latencies": ("Histogram",),
    "polycall.registry.loading": ("load",),
    "polycall.registry.registry": ("Registry",),
}
"""Each module with the public names that stand in it."""


def __getattr__(name: str) -> "Any":
    from polycall.interop.lazy import lazy  # noqa: PLC0415  # see TYPE_CHECKING

    return lazy(__name__, _HOMES)(name)
