"""Ctrl-C at any moment of calls that take, use and drop resources: every instance comes back."""

from __future__ import annotations

import gc
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from resource_guests import load_shop, lua

LOOP = """
local funcs = require("funcs")
return { main = function()
    local cart <close> = assert(funcs.call("shop:cart"))
    return cart:take(assert(cart:split_off(1)))
end }
"""


class _InterruptedError(BaseException):
    pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # handlers run in destructors, too
def test_instances_come_back_whenever_a_handler_raises(tmp_path: Path) -> None:
    armed: list[bool] = []

    def interrupt(*_: object) -> None:
        if armed:
            armed.clear()
            raise _InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    moments, interrupted = random.Random(8), 0
    with load_shop(tmp_path / "shop", lua("loop", LOOP)) as shop:
        shop.call("shop:loop")
        try:
            for _ in range(400):
                try:
                    armed.append(True)
                    signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, 1e-3))
                    with shop.call("shop:cart") as cart:
                        cart.split_off(1)
                    shop.call("shop:loop")
                    armed.clear()
                except _InterruptedError:
                    interrupted += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert interrupted > 20
        until = time.monotonic() + 10
        while any(stats.pool.in_use for stats in shop.stats().entries.values()) and time.monotonic() < until:
            gc.collect()
            threading.Event().wait(0.02)
        assert not any(stats.pool.in_use for stats in shop.stats().entries.values())
        with shop.call("shop:cart") as cart:
            assert cart.total() == 0
