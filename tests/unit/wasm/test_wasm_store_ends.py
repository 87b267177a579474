"""In which thread a store is deleted, by how much it holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from polycall.wasm_runtime.engine import native
from polycall.wasm_runtime.engine.store_ends import StoreEnds
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

MIB = 1 << 20


class Deleted:
    """Deletes stores by the engine's own function, and keeps in which threads; holds the first one up if asked."""

    def __init__(self, delete: Callable[[int], None]) -> None:
        self._delete = delete
        self.watched: set[int] = set()
        self.threads: list[int] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def __call__(self, address: int) -> None:
        if address in self.watched:  # the collector may come to others' meanwhile
            self.watched.discard(address)
            self.threads.append(threading.get_ident())
            if not self.begun.is_set():
                self.begun.set()
                assert self.go_on.wait(10)
        self._delete(address)


@pytest.fixture(name="deleted")
def _deleted(monkeypatch: pytest.MonkeyPatch) -> Deleted:
    deleted = Deleted(native.store_delete)
    monkeypatch.setattr(native, "store_delete", deleted)
    monkeypatch.setattr(native, "store_delete_brief", deleted)
    return deleted


@pytest.fixture(name="store")
def _store(deleted: Deleted) -> Iterator[Callable[[], int]]:
    """Makes stores whose ends are up to the test."""
    engine = WasmEngine()

    def make() -> int:
        address = native.store_new(engine._address, 0, None)
        assert isinstance(address, int)
        deleted.watched.add(address)
        return address

    yield make
    engine.ticker.close()


def until_threads_have_ended() -> None:
    for thread in threading.enumerate():
        if thread.name == "polycall memory":
            thread.join(10)


@pytest.mark.parametrize("held_bytes", [0, MIB, 10 * MIB, None])
def test_what_holds_little_is_deleted_where_it_is_closed(
    deleted: Deleted, store: Callable[[], int], held_bytes: int | None
) -> None:
    StoreEnds().delete(store(), held_bytes)
    assert deleted.threads == [threading.get_ident()]


def test_nobody_waits_for_what_holds_much(deleted: Deleted, store: Callable[[], int]) -> None:
    ends = StoreEnds()
    for _ in range(3):
        ends.delete(store(), 100 * MIB)
        until_threads_have_ended()
    assert len(deleted.threads) == 3
    assert threading.get_ident() not in deleted.threads


def test_while_one_is_under_way_the_next_one_is_waited_for(deleted: Deleted, store: Callable[[], int]) -> None:
    ends = StoreEnds()
    deleted.go_on.clear()
    ends.delete(store(), 100 * MIB)
    assert deleted.begun.wait(10)
    ends.delete(store(), 100 * MIB)
    assert deleted.threads[1:] == [threading.get_ident()]
    deleted.go_on.set()
    until_threads_have_ended()


def test_without_another_thread_it_is_deleted_all_the_same(
    deleted: Deleted, store: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    ends = StoreEnds()
    for _ in range(2):
        ends.delete(store(), 100 * MIB)
    assert deleted.threads == [threading.get_ident()] * 2
