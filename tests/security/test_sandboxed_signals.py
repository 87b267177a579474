"""Signals whose handlers raise, at any moment of sandboxed Lua in the main thread: as storms, two signals at a time.

In a process of its own, for it is the process that would end if one of them unwound through the engine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from attacks import Attack, attacks
from lua_guests import Conditions, context, current, prepare, program
from polycall.interop.context import CallContext
from polycall.interop.values import Value

STORMS = 60
ASKS = "local call = require('funcs').call\nreturn { main = function() while true do call('app:echo', 1) end end }"


class Raised(BaseException):
    """What each handler raises."""


def arrived(_number: int, _frame: object) -> None:
    raise Raised


def storm(begun: threading.Event) -> None:
    """Sends both signals, so that one handler finds what the other has raised on its way."""
    begun.wait()
    time.sleep(0.002)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        os.kill(os.getpid(), number)


def attempt(seconds: float | None) -> None:
    begun = threading.Event()

    def echo(arguments: Sequence[Value], _frame: CallContext) -> Value:
        begun.set()
        return arguments[0]

    asks = prepare(program(ASKS, modules=("funcs",)), {"app:echo": echo})
    with closing(asks.instantiate()) as instance:
        threading.Thread(target=storm, args=(begun,)).start()
        instance.call([], context(deadline=None if seconds is None else time.monotonic() + seconds))


def child() -> None:
    """What a process of its own does."""
    current[0] = Conditions(sandbox=True)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, arrived)
    ended = 0
    while ended < STORMS:
        try:
            try:
                attempt(60 if ended % 2 else None)
            except Raised:
                ended += 1
                time.sleep(0.001)  # for the other signal
        except Raised:
            pass


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGUSR1")
@attacks(
    Attack(
        "a loop of calls to the host, while handlers of two signals raise at once",
        "Lua, sandboxed",
        "the handler's exception",
        "with and without a deadline",
    )
)
def test_what_handlers_of_signals_raise_ends_the_call_and_nothing_else() -> None:
    here = Path(__file__)
    folders = [str(here.parent), str(here.parents[1]), str(here.parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    command = [sys.executable, "-c", "import test_sandboxed_signals; test_sandboxed_signals.child()"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
