"""The files that guests hold open: few in a chain of calls, and never all that the process may have.

Descriptors are the process's, and without any left the host opens no socket, starts no worker and reads no file. How
many there may be is therefore counted over all registries, and taken from what the system allows the process.
"""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakSet

from polycall.interop.context import CallContext

__all__ = ["MOST_OPEN_FILES", "open_for_guest"]

F = TypeVar("F")

MOST_OPEN_FILES = 64
"""Of all calls of a chain together, where an entry does not say otherwise."""

_OPEN: WeakSet[Any] = WeakSet()
"""Of all guests. By process, as descriptors are; weak, so that whatever closes a file need not say so here."""


def open_for_guest(context: CallContext | None, opener: Callable[[], F], most: int = MOST_OPEN_FILES) -> F:
    """Opens something that a guest will hold; it counts until nothing refers to it any more.

    Args:
        context: The call; None for what is of no single call.
        opener: Opens one descriptor, and returns the object that owns it: closed with it at the latest.
        most: How many a chain of calls may have before this one.

    Raises:
        OSError: What `opener` raised; ``EMFILE`` if guests have too many files open.
    """
    chain: WeakSet[Any] = WeakSet() if context is None else context.files
    if len(chain) >= most:
        raise OSError(errno.EMFILE, f"the chain of calls has {most} files open; close some")
    most_of_all = _most_of_all()
    if len(_OPEN) >= most_of_all:
        raise OSError(
            errno.EMFILE, f"guests have {most_of_all} files open, half of what the process may; try again later"
        )
    file = opener()
    chain.add(file)
    _OPEN.add(file)
    return file


def _most_of_all() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft // 2
