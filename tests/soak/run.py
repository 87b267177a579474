"""One soak: threads that call, one that reloads, one that kills workers, and what is measured meanwhile."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import polycall
from soak.calls import WEIGHTS, Call, make_call, mismatch
from soak.carts import Kept
from soak.figures import Figures
from soak.machine import live_workers, measure
from soak.project import NAMESPACE, PARTS, VERSIONS, write_part

__all__ = ["Soak"]

_RELOAD_SECONDS = 0.5
_KILL_SECONDS = 0.7
_END_SECONDS = 60.0
_SLOWEST_SECONDS = 15.0
"""No call of a soak has that much to do, be it that workers start; one that takes longer has been starved."""


class Soak:
    """Calls a registry for some time."""

    def __init__(self, registry: polycall.Registry, *, seed: int, threads: int, most_over: float) -> None:
        self._registry = registry
        self._seed = seed
        self._threads = threads
        self._most_over = most_over
        self._over = threading.Event()
        self._under_way: dict[int, Call] = {}
        self._figures = Figures()
        registry.function("py:crash")(_crash)

    def run(self, seconds: float, every: float) -> Figures:
        """Runs the soak, printing a line at regular times.

        Args:
            seconds: For how long.
            every: How many seconds between two measurements.

        Returns:
            What was counted and measured.
        """
        callers = [lambda number=number: self._call_on(number) for number in range(self._threads)]
        threads = [
            threading.Thread(target=self._guarded, args=(work,), daemon=True)
            for work in (*callers, self._reload_on, self._kill_on)
        ]
        for thread in threads:
            thread.start()
        self._watch(seconds, every)
        self._over.set()
        self._join(threads)
        return self._figures

    def _watch(self, seconds: float, every: float) -> None:
        start, before, calls_before = time.monotonic(), 0.0, 0
        for number in itertools.count(1):
            if self._over.wait(max(0.0, min(number * every, seconds) - (time.monotonic() - start))):
                return
            passed, calls = time.monotonic() - start, sum(self._figures.counts.values())
            self._figures.samples.append((passed, measure()))
            seen = self._figures.samples[-1][1]
            rate = (calls - calls_before) / (passed - before)
            print(f"{passed:6.1f} s  {rate:6.0f} calls/s  {seen}  {self._figures.failed} failures", flush=True)
            before, calls_before = passed, calls
            if passed >= seconds:
                return

    def _join(self, threads: list[threading.Thread]) -> None:
        until = time.monotonic() + _END_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            for call in list(self._under_way.values()):
                self._figures.fail(f"{call} did not end within {_END_SECONDS:g} s")
            self._figures.fail("threads did not end")

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # whatever it is, the soak has failed and says so
            self._figures.fail(f"{work} ended with {error!r}")
            self._over.set()

    def _call_on(self, number: int) -> None:
        chance = random.Random(self._seed * 1000 + number)
        kept: Kept = []
        first = list(WEIGHTS)[number :: self._threads]  # every kind at least once, however short the soak
        for tag in itertools.count(number * 10**12):
            if self._over.is_set() and not first:
                return
            self._one(number, make_call(chance, tag, first.pop() if first else None), kept)

    def _one(self, number: int, call: Call, kept: Kept) -> None:
        self._under_way[number] = call
        start = time.monotonic()
        outcome: polycall.Value | BaseException
        try:
            outcome = self._registry.call(call.target, *call.arguments, timeout=call.timeout)
            if call.use is not None:
                outcome = call.use(outcome, kept)
        except Exception as error:  # noqa: BLE001  # any that is not the expected one is reported
            outcome = error
        del self._under_way[number]
        wrong, seconds = mismatch(call, outcome), time.monotonic() - start
        if wrong is not None:
            self._figures.fail(f"{call} {wrong}")
        elif call.hostile and call.timeout is not None and seconds > call.timeout + self._most_over:
            self._figures.fail(f"{call.kind} was {seconds - call.timeout:.2f} s over its deadline")
        elif seconds > _SLOWEST_SECONDS:
            self._figures.fail(f"{call} took {seconds:.1f} s")
        killed = bool(call.killable) and isinstance(outcome, polycall.WorkerError)
        self._figures.ended(call, seconds, killed=killed)

    def _reload_on(self) -> None:
        chance = random.Random(self._seed * 1000 + 998)
        versions = dict.fromkeys(PARTS, 0)
        while not self._over.wait(_RELOAD_SECONDS):
            # Seldom an isolated part: each of its reloads starts all its workers anew.
            (part,) = chance.choices(PARTS, (10, 10, 5, 10, 1, 1))
            versions[part] = 1 - versions[part]
            write_part(Path(self._registry.root), part, VERSIONS[versions[part]])
            changed = self._registry.reload().changed
            if not changed:
                self._figures.fail(f"a reload did not see that {part} changed")
            self._figures.reloads += 1

    def _kill_on(self) -> None:
        chance = random.Random(self._seed * 1000 + 999)
        while not self._over.wait(_KILL_SECONDS):
            self._figures.kills += _kill_one(chance)


def _kill_one(chance: random.Random) -> int:
    """Kills a worker and returns how many it killed. Its list ends with it: a worker that is referred to lives on."""
    workers = [worker for worker in live_workers() if not worker.entry_id.endswith(":victim")]
    if workers:
        chance.choice(workers).kill()
    return min(1, len(workers))


def _crash(tag: str) -> str:
    """Kills the worker of the guest that calls this: its entry has but one."""
    for worker in live_workers(f"{NAMESPACE}:victim"):
        worker.kill()
    return tag
