"""A lock for each thing, so that who wants one thing never waits for somebody who has another."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from polycall.interop.forks import new_reentrant_lock

__all__ = ["Locks"]

K = TypeVar("K", bound=Hashable)


class Locks(Generic[K]):
    """Locks by key; a lock is forgotten when nobody holds it or waits for it. Forked children find all of them free."""

    def __init__(self) -> None:
        self._guard = new_reentrant_lock()
        self._locks: WeakValueDictionary[K, threading.RLock] = WeakValueDictionary()

    def of(self, key: K) -> threading.RLock:
        """Returns the lock of a key.

        It is reentrant: a signal handler that wants the same thing as what it interrupted does it itself, rather than
        wait for ever for the thread that it runs in.
        """
        with self._guard:
            lock = self._locks.get(key)
            if lock is None:
                lock = self._locks[key] = new_reentrant_lock()
            return lock
