"""Ctrl-C at any moment of calls that take, use and drop resources: every instance comes back.

In a process of its own: a handler that raises may leave a lock of the coverage measurement locked, and the run hangs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from effort import times

TESTS = Path(__file__).parents[1]
LOOP = """
local funcs = require("funcs")
return { main = function()
    local cart <close> = assert(funcs.call("shop:cart"))
    return cart:take(assert(cart:split_off(1)))
end }
"""
SCRIPT = """
import gc, random, signal, sys, threading, time
from pathlib import Path
from resource_guests import load_shop, lua

class Interrupted(BaseException):
    pass

# What a handler raises in a finalizer is told there, with frames that hold what was being collected.
sys.unraisablehook = lambda _: None
armed = []

def interrupt(*_):
    if armed:
        armed.clear()
        raise Interrupted

signal.signal(signal.SIGALRM, interrupt)
moments, interrupted = random.Random(8), 0
with load_shop(Path(sys.argv[1]), lua("loop", sys.argv[2])) as shop:
    shop.call("shop:loop")
    for _ in range(int(sys.argv[3])):
        try:
            armed.append(True)
            signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, 1e-3))
            with shop.call("shop:cart") as cart:
                cart.split_off(1)
            shop.call("shop:loop")
            armed.clear()
        except Interrupted:
            interrupted += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    assert interrupted > 20, interrupted
    until = time.monotonic() + 10
    while any(stats.pool.in_use for stats in shop.stats().entries.values()) and time.monotonic() < until:
        gc.collect()
        threading.Event().wait(0.02)
    assert not any(stats.pool.in_use for stats in shop.stats().entries.values())
    with shop.call("shop:cart") as cart:
        assert cart.total() == 0
print("all came back")
"""


def test_instances_come_back_whenever_a_handler_raises(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "shop"), LOOP, str(times(1_000, 400))]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert (result.stdout, result.returncode) == ("all came back\n", 0), result.stderr
