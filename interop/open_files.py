"""The files that guests hold open: few in a chain of calls, and never all that the process may have.

Descriptors are the process's, and without any left the host opens no socket, starts no worker and reads no file. How
many there may be is therefore counted over all registries, and taken from what the system allows the process.
"""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable
from io import FileIO
from weakref import WeakSet

from polycall.interop.context import CallContext

__all__ = ["MOST_OPEN_FILES", "open_for_guest"]

MOST_OPEN_FILES = 64
"""Of all calls of a chain together."""

_OPEN: WeakSet[FileIO] = WeakSet()
"""Of all guests. By process, as descriptors are; weak, so that whatever closes a file need not say so here."""


def open_for_guest(context: CallContext | None, opener: Callable[[], int], mode: str) -> FileIO:
    """Opens a file that a guest will hold; it counts until nothing refers to it any more.

    Args:
        context: The call.
        opener: Opens it and returns the descriptor.
        mode: As of `FileIO`.

    Raises:
        OSError: What `opener` raised; ``EMFILE`` if guests have too many files open.
    """
    chain: WeakSet[FileIO] = WeakSet() if context is None else context.files
    if len(chain) >= MOST_OPEN_FILES:
        raise OSError(errno.EMFILE, f"the chain of calls has {MOST_OPEN_FILES} files open; close some")
    most = _most_of_all()
    if len(_OPEN) >= most:
        raise OSError(errno.EMFILE, f"guests have {most} files open, half of what the process may; try again later")
    file = FileIO(opener(), mode)
    chain.add(file)
    _OPEN.add(file)
    return file


def _most_of_all() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft // 2
