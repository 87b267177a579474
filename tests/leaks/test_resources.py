"""Thousands of resources made and dropped, in each way there is: nothing is left, and no table grows."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from effort import times
from polycall.interop.resources import ResourceHandle, ResourceState
from polycall.registry.dispatch.holds import Hold
from polycall.wasm_runtime.canonical.handles import MAX_HANDLES, Handle, HandleCount
from resource_guests import load_shop, lua
from soak.machine import measure

MANY = times(10_000, 1_500)
GROWTH_MIB = 24.0
COUNTED = (ResourceHandle, ResourceState, Hold, Handle)
LOOP = """
local funcs = require("funcs")
return {
    dropped = function(count)
        for _ = 1, count do local cart <close> = assert(funcs.call("shop:cart")) end
    end,
    on_one = function(count)
        local cart = assert(funcs.call("shop:cart"))
        for at = 1, count do assert(cart:take(assert(cart:split_off(at % 100)))) end
    end,
    left = function() for _ = 1, 50 do assert(funcs.call("shop:cart")) end end,
}
"""


@pytest.fixture(name="shop")
def _shop(tmp_path: Path) -> Iterator[Any]:
    entries = [lua(name, LOOP, method=name) for name in ("dropped", "on_one", "left")]
    with load_shop(tmp_path / "shop", *entries) as shop:
        yield shop


def with_statement(shop: Any, count: int) -> None:
    for _ in range(count):
        with shop.call("shop:cart") as cart:
            cart.add("pear", 1)


def collected(shop: Any, count: int) -> None:
    with shop.call("shop:cart") as cart:
        for _ in range(count):
            cart.split_off(1)


def given_away(shop: Any, count: int) -> None:
    for _ in range(count // 100):
        shop.call("shop:one_of", shop.call("shop:many", 100))


def lists(shop: Any, count: int) -> None:
    for _ in range(count // 100):
        for cart in shop.call("shop:many", 100):
            cart.drop()


WAYS: dict[str, Callable[[Any, int], object]] = {
    "with": with_statement,
    "collected": collected,
    "given-away": given_away,
    "lists": lists,
    "closed-in-lua": lambda shop, count: shop.call("shop:dropped", count),
    "given-back-in-lua": lambda shop, count: shop.call("shop:on_one", count),
    "left-to-the-chain": lambda shop, count: [shop.call("shop:left") for _ in range(count // 50)],
}


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        threading.Event().wait(0.01)


def counts() -> dict[str, int]:
    gc.collect()
    kept = [type(each).__name__ for each in gc.get_objects() if isinstance(each, COUNTED)]
    return {name: kept.count(name) for name in set(kept)}


@pytest.mark.parametrize("way", WAYS)
def test_resources_leave_nothing_behind(shop: Any, way: str) -> None:
    WAYS[way](shop, 200)
    figures = measure()
    WAYS[way](shop, MANY)
    eventually(lambda: counts() == {})  # the thread that drops what was collected may still be at it
    after = measure()
    assert after.rss_mib - figures.rss_mib < GROWTH_MIB
    assert after.threads <= figures.threads
    assert after.descriptors <= figures.descriptors
    tables = [each for each in gc.get_objects() if isinstance(each, HandleCount)]
    assert tables
    assert {table.left for table in tables} == {MAX_HANDLES}
    assert not any(stats.pool.in_use for stats in shop.stats().entries.values())


def test_threads_have_resources_of_their_own(shop: Any) -> None:
    failures: list[BaseException] = []

    def work(mark: int) -> None:
        try:
            for at in range(100):
                with shop.call("shop:cart") as cart:
                    part = cart.split_off(mark)
                    assert part.add("pear", at) == mark + at
                    assert shop.call("shop:checkout", part) == mark + at
        except BaseException as error:  # noqa: BLE001  # told to the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert counts() == {}
    assert not any(stats.pool.in_use for stats in shop.stats().entries.values())


ABANDONED = """
import gc, pathlib, sys, threading
from polycall.registry.dispatch import hold_watch
from resource_guests import load_shop

gc.disable()
for number in range(5):
    shop = load_shop(pathlib.Path(sys.argv[1], str(number)))
    ring = [shop, *(shop.call("shop:cart") for _ in range(5))]
    ring.append(ring)
    del shop, ring
    gc.collect()
    while hold_watch._PLACES:  # the thread of the janitor does it
        threading.Event().wait(0.005)
print("alive")
"""


def test_a_registry_that_nobody_closed_is_garbage_together_with_its_resources(tmp_path: Path) -> None:
    """In a process of its own, which would die: a destructor would run in a store that is freed."""
    done = subprocess.run(
        [sys.executable, "-c", ABANDONED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")
