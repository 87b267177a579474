"""The clocks, and random bytes."""

from __future__ import annotations

import time
from collections.abc import Callable

from polycall.wasm_runtime.wasi.clocks.monotonic_clock import monotonic_now
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal
from polycall.wasm_runtime.wasi.preview1.functions import U32, U64, served
from polycall.wasm_runtime.wasi.preview1.guest import Guest
from polycall.wasm_runtime.wasi.random.random import random_bytes

__all__ = ["FUNCTIONS", "MONOTONIC", "REALTIME"]

REALTIME, MONOTONIC = 0, 1

# What the process has used of the processor would tell a guest what others do in it: there are no such clocks.
_NOW: dict[int, Callable[[], int]] = {REALTIME: time.time_ns, MONOTONIC: monotonic_now}
_MOST_AT_ONCE = 64 * 1024


def clock_res_get(guest: Guest, clock: U32, result: U32) -> None:
    """Writes how fine a clock is, in nanoseconds."""
    if clock not in _NOW:
        raise Refusal(Errno.INVAL)
    fine = 1 if clock == MONOTONIC else max(1, round(time.get_clock_info("time").resolution * 1_000_000_000))
    guest.put_u64(result, fine)


def clock_time_get(guest: Guest, clock: U32, _precision: U64, result: U32) -> None:
    """Writes the time, in nanoseconds."""
    now = _NOW.get(clock)
    if now is None:
        raise Refusal(Errno.INVAL)
    guest.put_u64(result, max(0, now()))


def random_get(guest: Guest, at: U32, size: U32) -> None:
    """Writes random bytes."""
    target = guest.bytes_at(at, size)
    for begin in range(0, size, _MOST_AT_ONCE):
        guest.check_time()
        end = min(begin + _MOST_AT_ONCE, size)
        target[begin:end] = random_bytes(end - begin)


FUNCTIONS = served(clock_res_get, clock_time_get, random_get)
