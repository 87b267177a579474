"""The guest as a process: its own end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from polycall.interop.errors import ExitError
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal
from polycall.wasm_runtime.wasi.preview1.functions import U32, served
from polycall.wasm_runtime.wasi.preview1.guest import Guest

__all__ = ["FUNCTIONS"]

# Sleeping for no time takes 50 us on Linux; but it is there everywhere.
_yield: Callable[[], None] = getattr(os, "sched_yield", lambda: time.sleep(0))


def proc_exit(_guest: Guest, status: U32) -> None:
    """Ends the call with a status."""
    raise ExitError(status)


def proc_raise(_guest: Guest, _signal: U32) -> None:
    """Would send the guest a signal: there are none."""
    raise Refusal(Errno.NOTSUP)


def sched_yield(_guest: Guest) -> None:
    """Lets other threads of this process go first."""
    _yield()


FUNCTIONS = {**served(proc_exit, ends=True), **served(proc_raise, sched_yield)}
