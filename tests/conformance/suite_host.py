"""The host that the scripts of wasmtime's suite import: a few functions and two resource types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from polycall.interop.errors import TrapError

__all__ = ["FUNCTIONS", "HOST", "MODULES", "RESOURCES"]

HOST = "host"
"""The name of the imported instance."""


class Resource1:
    """A resource type of the host's; `rep` is the number that it was made of."""

    drops = 0
    last_drop: int | None = None

    def __init__(self, rep: int) -> None:
        self.rep = rep

    def drop(self) -> None:
        """Counts that its owner is gone."""
        Resource1.drops += 1
        Resource1.last_drop = self.rep


class Resource2:
    """Another one, of which nobody makes any."""


def _check(found: int | None, expected: int) -> None:
    if found != expected:
        raise TrapError(f"expected {expected}, got {found}")


def _take_own(_this: Resource1, given: Resource1) -> None:
    given.drop()


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "host-return-two": lambda: 2,
    "host-echo-u32": lambda value: value,
    "return-hi": lambda: "hi",
    "return-three": lambda: 3,
    "nested/return-four": lambda: 4,
    "[constructor]resource1": Resource1,
    "[static]resource1.assert": lambda given, rep: _check(given.rep, rep),
    "[static]resource1.last-drop": lambda: Resource1.last_drop,
    "[static]resource1.drops": lambda: Resource1.drops,
    "[method]resource1.simple": lambda this, rep: _check(this.rep, rep),
    "[method]resource1.take-borrow": lambda _this, _given: None,
    "[method]resource1.take-own": _take_own,
}
"""Its functions: those of the instance by their names in it, the others by their own."""

RESOURCES: Mapping[str, type] = {"resource1": Resource1, "resource2": Resource2, "resource1-again": Resource1}
"""Its resource types."""

MODULES = """(component (core module (export "simple-module")
  (global (export "g") i32 (i32.const 100)) (func (export "f") (result i32) (i32.const 101))))"""
"""The same instance as a component, as far as it consists of whole modules."""
