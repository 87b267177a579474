"""What the operating system tells of the running thread's native stack: where it is, and where it has got to."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
from functools import cache
from typing import Any

__all__ = ["StackPointer", "is_told", "stack_of_this_thread"]

_UNLIMITED_BYTES = 8 * 1024 * 1024
"""What is taken for the main thread's stack where nothing bounds it."""

_MOST_BYTES = 1 << 30

_UCONTEXT_BYTES = 8192  # more than `ucontext_t` has anywhere

_STACK_POINTER = {"x86_64": 160, "aarch64": 432}
"""Where Linux's `ucontext_t` holds the stack pointer: part of the ABI, and looked at before it is trusted."""


class StackPointer:
    """Asks where the running thread's stack has got to, as the C library tells for the sake of user-level threads."""

    def __init__(self) -> None:
        self._ask = None
        offset = _STACK_POINTER.get(platform.machine())
        if sys.platform == "linux" and offset is not None:
            self._saved = ctypes.create_string_buffer(_UCONTEXT_BYTES)
            self._address = ctypes.c_void_p(ctypes.addressof(self._saved))
            self._pointer = ctypes.c_uint64.from_buffer(self._saved, offset)
            self._ask = getattr(ctypes.pythonapi, "getcontext", None)  # musl has none

    def now(self) -> int:
        """Returns the stack pointer; 0 where the system does not tell."""
        if self._ask is None:
            return 0
        self._ask(self._address)
        return self._pointer.value


@cache
def is_told() -> bool:
    """Says whether the system tells where the stack pointer is: for all threads what it does for this one."""
    lowest, size = stack_of_this_thread()
    return lowest < StackPointer().now() <= lowest + size


def stack_of_this_thread() -> tuple[int, int]:
    """Returns the lowest address of the stack and its size, both 0 where the system does not tell."""
    if sys.platform == "darwin":
        return _darwin_stack(_system())
    if sys.platform != "linux":
        return 0, 0
    lowest, size = _linux_stack(_system())
    if threading.get_native_id() == os.getpid():  # it grows; musl tells how far it has grown so far
        most = _main_stack_bytes()
        lowest, size = lowest + size - most, most
    return lowest, size


@cache
def _system() -> Any:
    """Returns the C library, once: ctypes makes classes for each, and a thousand threads may ask at a time."""
    return ctypes.PyDLL(None)


def _darwin_stack(library: Any) -> tuple[int, int]:
    library.pthread_self.restype = ctypes.c_void_p
    library.pthread_get_stackaddr_np.restype = ctypes.c_void_p  # its upper end
    library.pthread_get_stacksize_np.restype = ctypes.c_size_t
    thread = ctypes.c_void_p(library.pthread_self())
    size: int = library.pthread_get_stacksize_np(thread)
    return library.pthread_get_stackaddr_np(thread) - size, size


def _linux_stack(library: Any) -> tuple[int, int]:
    attributes = ctypes.create_string_buffer(256)  # `pthread_attr_t` has 56 bytes, 64 at most
    address, size = ctypes.c_void_p(), ctypes.c_size_t()
    library.pthread_self.restype = ctypes.c_void_p
    if library.pthread_getattr_np(ctypes.c_void_p(library.pthread_self()), attributes):
        return 0, 0
    library.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size))
    library.pthread_attr_destroy(attributes)
    return address.value or 0, size.value


def _main_stack_bytes() -> int:
    import resource  # noqa: PLC0415  # not on every system

    most, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return _UNLIMITED_BYTES if most == resource.RLIM_INFINITY else min(most, _MOST_BYTES)
