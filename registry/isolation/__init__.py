"""Functions that run in worker processes: ``isolation: process`` (see ``docs/isolation.md``)."""

from __future__ import annotations

from polycall.registry.isolation.function import IsolatedFunction
from polycall.registry.isolation.instance import IsolatedInstance
from polycall.registry.isolation.runtime import IsolationRuntime

__all__ = ["IsolatedFunction", "IsolatedInstance", "IsolationRuntime"]
