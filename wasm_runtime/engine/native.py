"""wasmtime's C functions that a call needs, on plain integers.

wasmtime-py hands ctypes pointer objects around; an address as an int makes the same call several times cheaper, and a
call of two integers is mostly such overhead. Everything that happens once per entry goes through wasmtime-py itself.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable
from ctypes import (
    c_bool,
    c_char,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_ssize_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
    py_object,
)
from functools import lru_cache, partial
from typing import Any, TypeAlias

from wasmtime._ffi import dll

__all__ = [
    "CORE_CALLBACK",
    "EPOCH_CALLBACK",
    "HOST_CALLBACK",
    "PAGE_BYTES",
    "SLOT_BYTES",
    "Argument",
    "Buffer",
    "Pointer",
    "address_of",
    "address_of_callback",
    "as_bytes",
    "as_pointer",
    "as_size",
    "bare",
    "memory_meter",
    "prototype",
]

CORE_CALLBACK = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_void_p, c_size_t)
"""A host function of core modules: (data, caller, values, count) -> trap or None."""

HOST_CALLBACK = ctypes.CFUNCTYPE(c_void_p)
"""The same of core modules of the project's own, without a look at what it is given, which every calling convention
allows: -> trap or None."""

EPOCH_CALLBACK = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_void_p, ctypes.POINTER(c_uint64), c_void_p)
"""Runs when a store's epoch deadline is reached: (context, data, delta to set, kind to set) -> error or None."""


_brief = ctypes.PyDLL(dll._name, handle=dll._handle)
"""The same library, for functions that take no longer than a look-up: they keep the interpreter's lock.

To give the lock back and to take it again costs more than they do; and where many threads run, whoever gives it back
for a moment waits milliseconds for the next one. Nothing that runs a guest, waits, allocates much or comes back to
Python may be called by it.
"""


def prototype(name: str, result: Any, *parameters: Any, library: ctypes.CDLL = _brief) -> Callable[..., Any]:
    """Returns a C function of wasmtime that takes and gives plain integers for pointers."""
    function = library[name]  # by index: a fresh object. The attribute of `dll` is wasmtime-py's, with its types on it.
    function.restype = result
    function.argtypes = list(parameters)
    return function


def bare(name: str, result: Any = c_void_p, library: ctypes.CDLL = _brief) -> Callable[..., Any]:
    """Returns a C function that takes arguments made by `as_pointer` and the like: ctypes then converts nothing.

    A plain number would be passed as an ``int`` of C, and cut. ctypes objects may be passed as well, and take longer.
    """
    function = library[name]
    function.restype = result
    return function


Pointer = c_void_p
"""A pointer that C writes, zero at first: its `value` is None then."""

Argument: TypeAlias = Any
"""An argument made beforehand, which goes to C as it is: ctypes has no public name for it."""

as_pointer: Callable[[int], Argument] = c_void_p.from_param
"""Makes an argument of an address; what lies there must live as long."""

as_size: Callable[[int], Argument] = c_size_t.from_param
as_bytes: Callable[[bytes], Argument] = c_char_p.from_param

call_unchecked = bare("wasmtime_func_call_unchecked", library=dll)
"""(context, function, slots, number of slots, trap) -> error or None."""

function_new = bare("wasmtime_func_new_unchecked", None)
"""(context, type, callback, what it is called with, None, function)."""

instance_new = bare("wasmtime_instance_new", library=dll)
"""(context, module, imports, how many, instance, trap) -> error or None."""

instance_export = bare("wasmtime_instance_export_get", c_bool)
"""(context, instance, name, its length, extern) -> whether there is one."""

store_new = prototype("wasmtime_store_new", c_void_p, c_void_p, c_void_p, c_void_p)
store_delete = prototype("wasmtime_store_delete", None, c_void_p, library=dll)
store_delete_brief = prototype("wasmtime_store_delete", None, c_void_p)
"""For a store that has little: to give a lot of memory back to the system takes long."""
store_context = prototype("wasmtime_store_context", c_void_p, c_void_p)
store_limiter = prototype("wasmtime_store_limiter", None, c_void_p, c_int64, c_int64, c_int64, c_int64, c_int64)
store_on_epoch = prototype("wasmtime_store_epoch_deadline_callback", None, c_void_p, EPOCH_CALLBACK, c_void_p, c_void_p)
set_epoch_deadline = prototype("wasmtime_context_set_epoch_deadline", None, c_void_p, c_uint64)
increment_epoch = prototype("wasmtime_engine_increment_epoch", None, c_void_p)
context_data = prototype("wasmtime_context_get_data", c_void_p, c_void_p)
memory_data = prototype("wasmtime_memory_data", c_void_p, c_void_p, c_void_p)
_untyped_memory_size = _brief["wasmtime_memory_data_size"]  # argument types cost more than the function itself
_untyped_memory_size.restype = c_size_t
memory_size = prototype("wasmtime_memory_data_size", c_size_t, c_void_p, c_void_p)
caller_export = prototype("wasmtime_caller_export_get", c_bool, c_void_p, c_char_p, c_size_t, c_void_p)
caller_context = prototype("wasmtime_caller_context", c_void_p, c_void_p)

_error_new, _trap_new = bare("wasmtime_error_new"), bare("wasmtime_trap_new")
error_message = prototype("wasmtime_error_message", None, c_void_p, c_void_p)
error_delete = prototype("wasmtime_error_delete", None, c_void_p)
byte_vec_delete = prototype("wasm_byte_vec_delete", None, c_void_p)

# `wasm_trap_t` and `wasmtime_error_t` are one struct under two names: each holds the engine's error and nothing else
# (crates/c-api/src/trap.rs and error.rs of the version that is pinned). So what is offered for one reads the other.
trap_code = prototype("wasmtime_trap_code", c_bool, c_void_p, c_void_p)
trap_delete = prototype("wasm_trap_delete", None, c_void_p)
error_trace = prototype("wasmtime_error_wasm_trace", None, c_void_p, c_void_p, library=dll)
frame_vec_delete = prototype("wasm_frame_vec_delete", None, c_void_p)
frame_function = prototype("wasmtime_frame_func_name", c_void_p, c_void_p)
frame_module = prototype("wasmtime_frame_module_name", c_void_p, c_void_p)
frame_index = prototype("wasm_frame_func_index", c_uint32, c_void_p)
frame_offset = prototype("wasm_frame_module_offset", c_size_t, c_void_p)

config_memory_may_move = prototype("wasmtime_config_memory_may_move_set", None, c_void_p, c_bool)
config_memory_reservation = prototype("wasmtime_config_memory_reservation_set", None, c_void_p, c_uint64)
config_memory_guard = prototype("wasmtime_config_memory_guard_size_set", None, c_void_p, c_uint64)
config_async_stack_size = prototype("wasmtime_config_async_stack_size_set", None, c_void_p, c_uint64)
config_concurrency = prototype("wasmtime_config_concurrency_support_set", None, c_void_p, c_bool)
config_component_features = tuple(
    prototype(f"wasmtime_config_wasm_component_model_{feature}_set", None, c_void_p, c_bool)
    for feature in ("async", "more_async_builtins", "async_stackful", "map", "implements", "canonical_names")
)
component_new = prototype("wasmtime_component_new", c_void_p, c_void_p, c_char_p, c_size_t, c_void_p, library=dll)
component_delete = prototype("wasmtime_component_delete", None, c_void_p, library=dll)

_HOST_FAILED = b"a host function failed"
# Callbacks fail by these alone, with arguments made beforehand: converting them would need more of Python's stack.
host_failed_error: Callable[[], int] = partial(_error_new, as_bytes(_HOST_FAILED))
host_failed_trap: Callable[[], int] = partial(_trap_new, as_bytes(_HOST_FAILED), as_size(len(_HOST_FAILED)))

SLOT_BYTES = 16
"""The size of a ``wasmtime_val_raw_t``: a parameter or a result of a core function."""

PAGE_BYTES = mmap.PAGESIZE
"""The system's pages, by which memory is mapped."""

_advise = (
    prototype("madvise", c_int, c_void_p, c_size_t, c_int, library=ctypes.PyDLL(None))
    if sys.platform == "linux"  # elsewhere the same advice promises nothing
    else None
)


def wipe(address: int, size: int) -> None:
    """Makes memory zero again that was zero when it was mapped for us alone: whole pages."""
    if size and (_advise is None or _advise(address, size, mmap.MADV_DONTNEED)):
        ctypes.memset(address, 0, size)


_WRITABLE = 0x200
_view_of = ctypes.PYFUNCTYPE(py_object, c_void_p, c_ssize_t, c_int)(("PyMemoryView_FromMemory", ctypes.pythonapi))


def view(address: int, size: int) -> memoryview:
    """Returns a view of memory that is not Python's: valid only as long as whoever calls knows it to be."""
    made: memoryview = _view_of(address, size, _WRITABLE)
    return made


def byte_at(address: int) -> int:
    """Returns a byte of memory that is not Python's."""
    return c_uint8.from_address(address).value


def memory_meter(context: int, memory: int) -> Callable[[], int]:
    """Returns what tells, as cheaply as can be, how many bytes a memory holds.

    Args:
        context: The store's ``wasmtime_context_t``, as an address.
        memory: The address of a ``wasmtime_memory_t``, which must live as long as the result.
    """
    return partial(_untyped_memory_size, as_pointer(context), as_pointer(memory))


def address_of(pointer: Any) -> int:
    """Returns the address that a ctypes pointer, or a wasmtime-py object's `ptr()`, holds."""
    return ctypes.cast(pointer, c_void_p).value or 0


def address_of_callback(callback: Any) -> int:
    """Returns the address of a callback without a reference to it: what `address_of` casts, refers to itself."""
    return c_void_p.from_buffer(callback).value or 0


@lru_cache(maxsize=256)
def _bytes_type(size: int) -> type[ctypes.Array[c_char]]:
    """Returns the type of so many bytes; it is slow to make, and few sizes are asked for again and again."""
    return c_char * size


class Buffer:
    """Memory of ours that the engine reads or writes during a call: bytes with a fixed address.

    Attributes:
        data: The bytes, zero at first.
        address: Where they lie; valid as long as those live.
    """

    __slots__ = ("address", "data")

    def __init__(self, size: int) -> None:
        # It can neither move nor be resized, and is one object: a pinned bytearray is four.
        self.data = _bytes_type(max(1, size))()
        self.address = ctypes.addressof(self.data)
