"""Waiting: for a time, for input, for room for output."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable
from typing import NamedTuple

from polycall.wasm_runtime.wasi.clocks.monotonic_clock import monotonic_now, timer_at
from polycall.wasm_runtime.wasi.preview1.clocks import MONOTONIC, REALTIME
from polycall.wasm_runtime.wasi.preview1.entries import Entry, File
from polycall.wasm_runtime.wasi.preview1.errno import Errno, Refusal, done
from polycall.wasm_runtime.wasi.preview1.functions import U32, served
from polycall.wasm_runtime.wasi.preview1.guest import Guest
from polycall.wasm_runtime.wasi.preview1.rights import Right
from polycall.wasm_runtime.wasi.readiness import Readiness

__all__ = ["FUNCTIONS"]

_MOST = 10_000
_SUBSCRIPTION = struct.Struct("<QB7x24x8x")
_CLOCK = struct.Struct("<I4xQQH6x")
_FD = struct.Struct("<I")
_EVENT = struct.Struct("<QHB5xQH6x")
_UNION_AT = 16
_IS_CLOCK, _IS_READ, _IS_WRITE = range(3)
_ABSOLUTE = 1
_HANGUP = 1
_LONGEST = 2**62
"""A time that never comes, in nanoseconds: 146 years."""


class _Subscription(NamedTuple):
    """What the guest waits for: a descriptor, or a time."""

    userdata: int
    kind: int
    subject: Readiness
    entry: Entry | None = None


def poll_oneoff(guest: Guest, subscriptions: U32, events: U32, count: U32, result: U32) -> None:
    """Returns once something of a list has happened, and writes what has."""
    listed = guest.memory.fence(subscriptions, count * _SUBSCRIPTION.size, "a list of subscriptions", 8)
    guest.memory.fence(events, count * _EVENT.size, "where events go", 8)
    guest.check_time()
    if not 0 < count <= _MOST:  # nothing to wait for, or too much
        raise Refusal(Errno.INVAL)
    size = _SUBSCRIPTION.size
    wanted = [_read(guest, listed[at : at + size]) for at in range(subscriptions, subscriptions + count * size, size)]
    happened = _happened(wanted)
    while not happened:
        subjects = list({id(each.subject): each.subject for each in wanted}.values())
        guest.session.wait(subjects, _what(wanted))
        happened = _happened(wanted)
    for place, each in enumerate(happened):
        guest.put(events + place * _EVENT.size, _event(guest, each), 8)
    guest.put_u32(result, len(happened))


def _what(wanted: list[_Subscription]) -> str:
    if len(wanted) > 1:
        return f"one of {len(wanted)} things"
    return ("a point in time", "input", "room for output")[wanted[0].kind]


def _happened(wanted: Iterable[_Subscription]) -> list[_Subscription]:
    return [each for each in wanted if each.subject.ready()]


def _read(guest: Guest, data: memoryview) -> _Subscription:
    userdata, kind = _SUBSCRIPTION.unpack(data)
    union = data[_UNION_AT:]
    if kind == _IS_CLOCK:
        return _clock(userdata, union)
    if kind not in (_IS_READ, _IS_WRITE):
        raise Refusal(Errno.INVAL)
    return _descriptor(guest, userdata, kind, _FD.unpack_from(union)[0])


def _clock(userdata: int, data: memoryview) -> _Subscription:
    clock, timeout, _precision, flags = _CLOCK.unpack(data)
    if flags & ~_ABSOLUTE:
        raise Refusal(Errno.INVAL)
    if clock not in (REALTIME, MONOTONIC):
        raise Refusal(Errno.INVAL)
    now = monotonic_now()
    if not flags & _ABSOLUTE:
        timeout += now
    elif clock == REALTIME:
        timeout += now - time.time_ns()
    return _Subscription(userdata, _IS_CLOCK, timer_at(max(0, min(timeout, _LONGEST))))


def _descriptor(guest: Guest, userdata: int, kind: int, fd: int) -> _Subscription:
    entry = guest.table.find(fd, Right.POLL_FD_READWRITE | (Right.FD_READ if kind == _IS_READ else Right.FD_WRITE))
    return _Subscription(userdata, kind, entry.subject(), entry)


def _event(guest: Guest, happened: _Subscription) -> bytes:
    size, flags = 0, 0
    if happened.kind != _IS_CLOCK:
        size = 1  # at least: how much a pipe holds, nobody knows
        if isinstance(happened.entry, File) and happened.kind == _IS_READ:
            size = max(0, done(happened.entry.descriptor.stat(guest.store))["size"] - happened.entry.position)
            flags = 0 if size else _HANGUP
    return _EVENT.pack(happened.userdata, Errno.SUCCESS, happened.kind, size, flags)


FUNCTIONS = served(poll_oneoff)
