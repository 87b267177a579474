"""Resources in a forked child: those that nobody used when it was made are its own; the parent's stay as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from projects import REPOSITORY

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

SCRIPT = """
import os, sys, threading
from pathlib import Path
import polycall
from resource_guests import entry, load_shop

shop = load_shop(Path(sys.argv[1]), entry("one", "[constructor]cart", pool={"type": "static", "size": 1}))
cart, busy = shop.call("shop:one"), shop.call("shop:cart")
cart.add("pear", 3)
inside, go_on = threading.Event(), threading.Event()

def wait(_text):
    inside.set()
    go_on.wait(60)

shop.function("py:wait")(wait)
thread = threading.Thread(target=busy.tell, args=("py:wait",))
thread.start()
assert inside.wait(60)
child = os.fork()
if not child:
    try:
        assert cart.add("fig", 1) == 4
        cart.drop()
        with shop.call("shop:one", timeout=20) as other:
            assert other.total() == 0
        try:
            busy.total()
        except polycall.ConversionError as error:
            assert "the process forked" in str(error)
        else:
            os._exit(2)
        with shop.call("shop:cart") as other:
            assert other.total() == 0
        shop.close()
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
go_on.set()
thread.join()
assert (cart.total(), busy.total()) == (3, 0)
busy.drop()
cart.drop()

def fork(_text):
    global child
    child = os.fork()

shop.function("py:fork")(fork)
with shop.call("shop:cart") as forking:
    forking.tell("py:fork")
    assert forking.total() == 0
shop.close()
if not child:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_resources_after_a_fork(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT, str(tmp_path / "shop")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "tests")))}
    ended = subprocess.run(command, env=environment, stderr=subprocess.PIPE, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr.decode()
