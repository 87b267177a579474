"""Where Lua in the sandbox is meant to differ from Lua in the host's engine: each test of one alone, and why.

A test that is named here must fail in the sandbox, or it is named wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["DIFFERENCES", "difference"]

DIFFERENCES: Mapping[str, str] = MappingProxyType({})
"""``file::test``, or ``file::test[parameters]`` without what says the engine, to the reason."""


def difference(node_id: str) -> str | None:
    """Returns why a test is not one of the sandbox; None for all others."""
    file, _, test = node_id.rpartition("/")[2].partition("::")
    name, _, _ = test.partition("[")
    return DIFFERENCES.get(f"{file}::{test}") or DIFFERENCES.get(f"{file}::{name}")
