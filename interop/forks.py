"""What a forked child needs put right: it has the memory of its parent, and of its threads only the one that forked.

A lock that another thread held at that moment stays locked in the child for ever, a thread that was to serve the child
is not there, and what another thread was about to finish will never be. So every lock here is made by `new_lock`,
which a child finds free, and whoever has threads, or knows what others are doing, registers with `watch_forks`.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Protocol
from weakref import WeakSet

__all__ = ["Forking", "held_lock", "in_main_thread", "new_lock", "new_reentrant_lock", "watch_forks"]


class Forking(Protocol):
    """Something that forked children have to put right."""

    def after_fork(self) -> None:
        """Puts it right, in the child, before anything else runs there; all locks are free. Must not raise."""
        ...


# By process, as forks are: nobody could hand them over to whoever forks.
_LOCKS: WeakSet[Any] = WeakSet()
_OWNERS: WeakSet[Forking] = WeakSet()


def new_lock() -> threading.Lock:
    """Returns a lock that forked children find free."""
    lock = threading.Lock()
    _LOCKS.add(lock)
    return lock


def new_reentrant_lock() -> threading.RLock:
    """Returns a reentrant lock that forked children find free."""
    lock = threading.RLock()
    _LOCKS.add(lock)
    return lock


def held_lock() -> threading.Lock:
    """Returns a lock that is held, for one thread to wait for another: no forked child has the thread that waits."""
    lock = threading.Lock()
    lock.acquire()
    return lock


def watch_forks(owner: Forking) -> None:
    """Has `Forking.after_fork` of an object called in every child, as long as the object lives."""
    _OWNERS.add(owner)


_main = threading.main_thread().ident


def in_main_thread() -> bool:
    """Says whether this is the thread that runs signal handlers: `threading.main_thread`, which takes longer to ask."""
    return threading.get_ident() == _main


def _put_right() -> None:
    global _main  # noqa: PLW0603  # a forked child has one thread, which is its main one
    _main = threading.get_ident()
    for lock in list(_LOCKS):
        lock._at_fork_reinit()  # CPython's own; threading and logging do the same with theirs
    for owner in list(_OWNERS):
        owner.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_put_right)
