"""Functions that run in worker processes: ``isolation: process`` (see ``docs/isolation.md``)."""

from __future__ import annotations

from polycall.registry.isolation.function import IsolatedFunction, IsolatedInstance, IsolationRuntime

__all__ = ["IsolatedFunction", "IsolatedInstance", "IsolationRuntime"]
