"""What both runtimes and the registry share: ids, values, errors, the call context, protocols and the pool."""

from __future__ import annotations

from interop.context import CallContext, Cancellation
from interop.errors import PolycallError
from interop.ids import EntryId
from interop.protocols import Function, ImportNeed, Instance, Invoker, Signature
from interop.values import Value

__all__ = [
    "CallContext",
    "Cancellation",
    "EntryId",
    "Function",
    "ImportNeed",
    "Instance",
    "Invoker",
    "PolycallError",
    "Signature",
    "Value",
]
