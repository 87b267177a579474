"""A signal whose handler raises, at any moment of a guest in the main thread: its exception comes out, nothing breaks.

A process of its own goes through all of them, for it is the process that such a signal used to kill.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from effort import times
from polycall.interop.context import CallContext
from polycall.interop.values import Value
from wasm_guests import FUNCS_CALLER, FakeInvoker, call, context, open_runtime, prepare

LOOP = """(local $n i32) (local.set $n (i32.const 200000000))
  (loop $again (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"""
EXPORT = '(func (export "relay-string") (param i32 i32 i32 i32) (result i32)'
CALLER = FUNCS_CALLER.replace(EXPORT, EXPORT + LOOP, 1)
DENIED = f'(module (import "env" "secret" (func $secret)) (func (export "run") {LOOP} (call $secret)))'
SPIN = '(module (func (export "run") (loop $again (br $again))))'
TIMES = times(5, 2)


class Alarm(BaseException):
    """What the handler of the second signal raises."""


def alarmed(_number: int, _frame: object) -> None:
    raise Alarm


def repeated(name: str, attempt: Callable[[], Value], number: signal.Signals, expected: type[BaseException]) -> None:
    """Sends the signal into the middle of an attempt, several times; each must end with the expected exception."""
    handler = signal.getsignal(number)
    for turn in range(TIMES):
        timer = threading.Timer(0.01 * (turn + 1), os.kill, (os.getpid(), number))
        try:
            timer.start()  # in here: on a busy machine the signal may come before the attempt begins
            attempt()
        except expected:
            pass
        else:
            sys.exit(f"{name}: the signal was lost")
        timer.join()
        if signal.getsignal(number) is not handler:
            sys.exit(f"{name}: the handler was not given back")


def scenarios(number: signal.Signals, expected: type[BaseException], cache: str) -> None:
    """What a process of its own does."""
    if expected is Alarm:
        signal.signal(number, alarmed)

    def interrupted_in_host(payload: Value, _caller: CallContext) -> Value:
        os.kill(os.getpid(), number)
        return payload

    invoker = FakeInvoker(echo=lambda payload, _caller: payload, late=interrupted_in_host)
    with open_runtime(Path(cache), invoker) as runtime:
        caller = prepare(runtime, CALLER, "relay-string", grants=("funcs",))
        quick = prepare(runtime, FUNCS_CALLER, "relay-string", grants=("funcs",))
        denied = prepare(runtime, DENIED, "run", "run: func()")
        spin = prepare(runtime, SPIN, "run", "run: func()")
        attempts: dict[str, Callable[[], Value]] = {
            "host function": lambda: call(caller.instantiate(), "app:echo", "x"),
            "denied import": lambda: call(denied.instantiate()),
            "epoch": lambda: spin.instantiate().call([], context(deadline=time.monotonic() + 60)),
        }
        for name, attempt in attempts.items():
            repeated(name, attempt, number, expected)
            if call(quick.instantiate(), "app:echo", "x") != {"ok": "x"}:
                sys.exit(f"{name}: the next call went wrong")
        try:
            call(quick.instantiate(), "app:late", "x")
        except expected:
            pass
        else:
            sys.exit("inside the host function: the signal was lost")
        if call(quick.instantiate(), "app:echo", "x") != {"ok": "x"}:
            sys.exit("inside the host function: the next call went wrong")
        print("all came out")


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends the process there")
@pytest.mark.parametrize(("number", "expected"), [("SIGINT", "KeyboardInterrupt"), ("SIGALRM", "Alarm")])
def test_a_raising_signal_handler_ends_the_call_and_nothing_else(number: str, expected: str, tmp_path: Path) -> None:
    code = (
        f"import signal, test_wasm_signals as t; from test_wasm_signals import *\n"
        f"t.scenarios(signal.{number}, {expected}, {str(tmp_path)!r})"
    )
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "all came out\n", "")
