"""A function that core modules may import: it is told where it is called from, and gets bare numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from polycall.interop.records import record
from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.engine.stores import GuestStore, Handler
from polycall.wasm_runtime.engine.wasm_engine import CoreType

__all__ = ["CoreFunction", "CoreInterfaces"]


@record
class CoreFunction:
    """A function of the host's for core modules.

    Attributes:
        core_type: What it takes and gives. The engine lets only an import of this very type be served by it.
        bind: Makes what serves the calls of one instance: takes its store, and what finds, for the caller of a call,
            the memory that it exports.
    """

    core_type: CoreType
    bind: Callable[[GuestStore, Callable[[int], GuestMemory]], Handler]


CoreInterfaces: TypeAlias = Mapping[str, Mapping[str, CoreFunction]]
"""What core modules are offered: by the module's name and the function's."""
