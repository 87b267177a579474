from __future__ import annotations

import threading

import pytest

from polycall.interop.pool import Pool
from polycall.interop.pool_spec import PoolPolicy
from polycall.interop.waiting import WaitGraph
from polycall.registry.dispatch.janitor import CareThread, Janitor


class _Pool(Pool["object"]):  # type: ignore[type-var]  # it never has an instance
    def __init__(self, *, fails: bool = False) -> None:
        super().__init__("app:x", PoolPolicy("lazy", 0, 1, 30.0), lambda _call: object(), WaitGraph())
        self.looked_at = threading.Event()
        self.fails = fails

    def drop_idle(self, now: float) -> float | None:
        self.looked_at.set()
        if self.fails:
            raise OSError("cannot be closed")
        return None


def test_the_janitor_looks_at_every_pool_in_its_care_until_it_is_closed() -> None:
    janitor, pools = Janitor(CareThread(tick_seconds=0.001)), [_Pool(), _Pool()]
    for pool in pools:
        janitor.watch(pool)
    assert all(pool.looked_at.wait(10) for pool in pools)
    janitor.close()
    janitor.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "polycall-janitor"]


def test_many_janitors_share_a_thread_which_ends_with_the_last() -> None:
    thread = CareThread(tick_seconds=0.001)
    janitors, pools = [Janitor(thread) for _ in range(50)], [_Pool() for _ in range(50)]
    for janitor, pool in zip(janitors, pools, strict=True):
        janitor.watch(pool)
    assert all(pool.looked_at.wait(10) for pool in pools)
    first, *others = janitors
    for janitor in others:
        janitor.close()
    assert _janitor_threads() == 1
    pools[0].looked_at.clear()
    assert pools[0].looked_at.wait(10)
    first.close()
    assert _janitor_threads() == 0


def _janitor_threads() -> int:
    return sum(thread.name == "polycall-janitor" for thread in threading.enumerate())


def test_a_closed_janitor_starts_no_thread() -> None:
    janitor = Janitor()
    janitor.close()
    janitor.watch(_Pool())
    assert not [thread for thread in threading.enumerate() if thread.name == "polycall-janitor"]


def test_a_pool_that_cannot_be_cleaned_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    janitor, pools = Janitor(), [_Pool(fails=True), _Pool()]
    for pool in pools:
        janitor.watch(pool)
    janitor.sweep(0.0)
    janitor.close()
    assert pools[1].looked_at.is_set()
    assert "an idle instance of app:x could not be closed" in caplog.text


def test_a_forgotten_pool_is_left_alone() -> None:
    janitor, pools = Janitor(), [_Pool(), _Pool()]
    janitor.watch(pools[0])
    for pool in pools:  # the second was never in its care
        janitor.forget(pool)
    janitor.sweep(0.0)
    janitor.close()
    assert not any(pool.looked_at.is_set() for pool in pools)


def test_the_janitor_does_what_it_is_given_and_outlives_what_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    janitor, done = Janitor(CareThread()), threading.Event()
    janitor.ready()
    janitor.soon(lambda: int("no number"))
    janitor.soon(done.set)
    assert done.wait(10)
    janitor.close()
    assert "could not be dropped" in caplog.text
