"""How a function of preview 1 is written, and how a core module comes to call it.

    @function
    def clock_res_get(guest: Guest, clock: U32, result: U32) -> None: ...

It takes the numbers that the guest passes: the annotations say which core types those are. It returns nothing, writes
what it finds to the guest's memory, and raises a `Refusal` with the error number that the guest gets; whatever else it
raises ends the guest's call.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from inspect import get_annotations
from typing import Any, TypeAlias

from polycall.wasm_runtime.canonical.memory import GuestMemory
from polycall.wasm_runtime.component.core_function import CoreFunction
from polycall.wasm_runtime.engine.stores import GuestStore, Handler
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal
from polycall.wasm_runtime.wasi.preview1.guest import Guest, guest_of

__all__ = ["S64", "U32", "U64", "Served", "served"]

U32: TypeAlias = int
"""An ``i32`` that holds a number without a sign: a pointer, a size, a descriptor, flags."""

U64: TypeAlias = int
"""An ``i64`` that holds one without a sign."""

S64: TypeAlias = int
"""An ``i64`` that holds one with a sign."""

_CORE_TYPES = {"U32": "i32", "U64": "i64", "S64": "i64"}
_SLOTS = {"U32": "I12x", "U64": "Q8x", "S64": "q8x"}
_RESULT = struct.Struct("<I12x")

Served: TypeAlias = Callable[..., None]


def served(*functions: Served, ends: bool = False) -> dict[str, CoreFunction]:
    """Returns functions as core modules import them.

    Args:
        functions: The functions, under the names that they have in Python.
        ends: Whether they return nothing to the guest, not even an error number: they end its call.
    """
    return {each.__name__: _core_function(each, ends) for each in functions}


def _core_function(function: Served, ends: bool) -> CoreFunction:
    names = [name for name in get_annotations(function).values() if name in _CORE_TYPES]
    core_type = tuple(_CORE_TYPES[name] for name in names), () if ends else ("i32",)
    unpack_from: Callable[[memoryview], tuple[Any, ...]] = struct.Struct(
        "<" + "".join(_SLOTS[name] for name in names)
    ).unpack_from

    def bind(store: GuestStore, memory_of: Callable[[int], GuestMemory]) -> Handler:
        guest: Guest | None = None

        def serve(caller: int, raw: memoryview) -> None:
            nonlocal guest
            if guest is None:
                guest = guest_of(store, lambda: memory_of(caller))
            errno = Errno.SUCCESS
            try:
                function(guest, *unpack_from(raw))
            except Refusal as refusal:
                errno = refusal.errno
            _RESULT.pack_into(raw, 0, errno)

        return serve

    return CoreFunction(core_type, bind)
