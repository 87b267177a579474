"""What both runtimes and the registry share: ids, values, errors, the call context, protocols and the pool."""

from __future__ import annotations

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import PolycallError
from polycall.interop.ids import EntryId
from polycall.interop.protocols import Function, ImportNeed, Instance, Invoker, Signature
from polycall.interop.values import Value

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
