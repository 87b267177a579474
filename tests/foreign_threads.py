"""Threads of somebody else's: polycall has not started them, and does not know how much stack they have."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")


def in_thread(work: Callable[[], T], stack_bytes: int = 8 << 20) -> T:
    """Returns what work gives in a thread with a stack of this size."""
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    usual = threading.stack_size(stack_bytes)
    try:
        thread.start()
    finally:
        threading.stack_size(usual)
    thread.join()
    return results[0]
