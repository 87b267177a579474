"""Core functions and core instances, by the engine's own calls: the one way in, whoever asks."""

from __future__ import annotations

from ctypes import ArgumentError, addressof
from typing import NoReturn

from polycall.wasm_runtime.engine import native
from polycall.wasm_runtime.engine.engine_errors import take_error
from polycall.wasm_runtime.engine.native import (
    SLOT_BYTES,
    Argument,
    Buffer,
    Pointer,
    as_pointer,
    as_size,
    call_unchecked,
)
from polycall.wasm_runtime.engine.recursion import reach, too_deep
from polycall.wasm_runtime.engine.stores import GuestStore

__all__ = ["EXTERN_BYTES", "EXTERN_CONTENT", "INSTANCE_BYTES", "IS_FUNCTION", "IS_MEMORY", "CoreCall", "instantiate"]

EXTERN_BYTES = 32
"""The size of a ``wasmtime_extern_t``."""

EXTERN_CONTENT = 8
"""Where in it the function, memory, ... is; its kind comes first, and is 0 for a function."""

INSTANCE_BYTES = 16
"""The size of a ``wasmtime_instance_t``."""

IS_FUNCTION, IS_MEMORY = 0, 3
"""Kinds of a ``wasmtime_extern_t``."""


class CoreCall:
    """A core function of an instance, ready to be called with the values in its slots.

    Attributes:
        raw: The slots.
    """

    __slots__ = ("_arguments", "_store", "_trap", "raw")

    def __init__(self, store: GuestStore, function: int, slots: int) -> None:
        """Prepares calls.

        Args:
            store: Where it lives.
            function: The address of its ``wasmtime_func_t``, which must live as long.
            slots: How many its parameters, or results if there are more of them, take.
        """
        self._store = store
        buffer, self._trap = Buffer(SLOT_BYTES * max(1, slots)), Pointer()
        self.raw = buffer.data
        # Made once: converting five numbers to C would take longer than the call does.
        raw, trap = as_pointer(buffer.address), as_pointer(addressof(self._trap))
        self._arguments = as_pointer(store.context), as_pointer(function), raw, as_size(slots), trap

    def run(self) -> None:  # no `__call__`, to which Python goes a longer way
        """Calls the function: it reads the slots, and its results lie there then.

        Raises:
            PolycallError: It trapped, was interrupted, or a host function that it called failed; or Python's recursion
                limit is too near.
        """
        if self._store.calls_back:
            try:
                reach()
            except RecursionError:
                raise too_deep() from None
        error = call_unchecked(*self._arguments)  # `functools.partial` would go one level deeper than `reach`
        if error or self._trap.value:
            _raise_failed(self._store, error or self._trap.value or 0)


def instantiate(store: GuestStore, module: Argument, imports: Argument, count: Argument, made: Argument) -> None:
    """Makes a core instance; `GuestStore.begin` has been called.

    Args:
        store: Where it will live.
        module: The address of its ``wasmtime_module_t``.
        imports: The address of what it imports: as many ``wasmtime_extern_t`` as it has imports, in its order.
        count: How many.
        made: Where its ``wasmtime_instance_t`` is written to.

    Raises:
        PolycallError: Its start code failed, it needs more memory than it may have, or an import does not fit.
    """
    try:
        reach()
    except RecursionError:
        raise too_deep() from None
    trap = Pointer()
    context = as_pointer(store.context)
    error = native.instance_new(context, module, imports, count, made, as_pointer(addressof(trap)))
    if error or trap.value:
        _raise_failed(store, error or trap.value or 0)


def _raise_failed(store: GuestStore, error: int) -> NoReturn:
    """Raises what the engine says of a call or an instantiation that failed."""
    try:
        found = take_error(error)
    except ArgumentError:  # ctypes' word for Python's recursion limit, met while it converts a number
        raise too_deep() from None
    raise store.error(found)
