"""A lock for each thing."""

from __future__ import annotations

import gc
import threading

from polycall.interop.locks import Locks


def taken_by_another(locks: Locks[str], key: str) -> bool:
    """Whether another thread can take the lock of a key."""
    taken: list[bool] = []

    def take() -> None:
        lock = locks.of(key)
        taken.append(lock.acquire(blocking=False))
        if taken[0]:
            lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return taken[0]


def test_each_key_has_a_lock_of_its_own() -> None:
    locks: Locks[str] = Locks()
    with locks.of("a"):
        assert not taken_by_another(locks, "a")
        assert taken_by_another(locks, "b")
    assert taken_by_another(locks, "a")


def test_who_has_it_may_have_it_again() -> None:
    locks: Locks[str] = Locks()
    with locks.of("a"), locks.of("a"):
        assert not taken_by_another(locks, "a")


def test_a_lock_that_nobody_has_is_forgotten() -> None:
    locks: Locks[int] = Locks()
    for key in range(1_000):
        with locks.of(key):
            pass
    gc.collect()
    assert len(locks._locks) == 0
