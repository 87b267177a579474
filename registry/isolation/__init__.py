"""Functions that run in worker processes: ``isolation: process`` (see ``docs/isolation.md``).

A worker imports this as well, and needs none of the names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polycall.interop.lazy import lazy

if TYPE_CHECKING:
    from polycall.registry.isolation.function import IsolatedFunction, IsolationRuntime
    from polycall.registry.isolation.instance import IsolatedInstance

__all__ = ["IsolatedFunction", "IsolatedInstance", "IsolationRuntime"]

__getattr__ = lazy(
    __name__,
    {
        "polycall.registry.isolation.function": ("IsolatedFunction", "IsolationRuntime"),
        "polycall.registry.isolation.instance": ("IsolatedInstance",),
    },
)
