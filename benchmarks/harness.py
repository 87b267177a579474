"""Measures candidates against each other in interleaved rounds: a slow spell of the machine hits all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Case", "Effort", "Measurement", "Spread", "compare", "show"]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Attributes:
        rounds: How often each candidate has its turn.
        seconds: How long a turn lasts at least; a candidate that takes longer runs once.
        scale: What numbers of entries, threads and loop rounds are divided by.
        warm: Whether each candidate runs once before it is measured: its first run may prepare something.
    """

    rounds: int
    seconds: float
    scale: int = 1
    warm: bool = True


FULL = Effort(rounds=15, seconds=0.03)
QUICK = Effort(rounds=2, seconds=0.0, scale=10, warm=False)


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle half of several values, and their median."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Returns the spread of at least two values."""
        return cls(*statistics.quantiles(values, n=4, method="inclusive"))


@dataclass(frozen=True, slots=True)
class Case:
    """A candidate.

    Attributes:
        name: What the table calls it.
        run: Does what is measured.
        against: The name of the case it is compared with, or None.
        calls: How many calls one run makes.
    """

    name: str
    run: Callable[[], object]
    against: str | None = None
    calls: int = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one candidate took.

    Attributes:
        name: The candidate.
        seconds: Per call, one value for each round.
        against: The measurement it is compared with, of the same rounds, or None.
    """

    name: str
    seconds: tuple[float, ...]
    against: Measurement | None = None

    @property
    def time(self) -> Spread:
        """Seconds per call."""
        return Spread.of(self.seconds)

    @property
    def ratio(self) -> Spread | None:
        """How many times the other's time it took, round by round."""
        if self.against is None:
            return None
        return Spread.of([own / other for own, other in zip(self.seconds, self.against.seconds, strict=True)])

    def added_to(self, other: Measurement) -> Spread:
        """Returns the seconds it took longer than a measurement of the same rounds."""
        return Spread.of([own - base for own, base in zip(self.seconds, other.seconds, strict=True)])


def compare(cases: Sequence[Case], effort: Effort) -> list[Measurement]:
    """Measures cases against each other; what one is compared with stands before it."""
    if effort.warm:
        for case in cases:
            case.run()
    counts = [_count(case, effort.seconds) for case in cases]
    seconds: list[list[float]] = [[] for _ in cases]
    for _ in range(effort.rounds):
        for case, count, times in zip(cases, counts, seconds, strict=True):
            times.append(_timed(case.run, count) / count / case.calls)
    found: dict[str, Measurement] = {}
    for case, times in zip(cases, seconds, strict=True):
        against = None if case.against is None else found[case.against]
        found[case.name] = Measurement(case.name, tuple(times), against)
    return list(found.values())


def _count(case: Case, seconds: float) -> int:
    """Returns how many runs fill a turn."""
    if not seconds:
        return 1
    count, taken = 1, _best(case.run, 1)
    while taken < seconds / 10:
        count *= 4
        taken = _best(case.run, count)
    return max(1, round(count * seconds / taken))


def _best(run: Callable[[], object], count: int) -> float:
    """Returns the best of three: an early run may prepare something, and a slow spell would make turns too short."""
    return min(_timed(run, count) for _ in range(3))


def _timed(run: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        run()
    return time.perf_counter() - start


def show(measurements: Sequence[Measurement]) -> None:
    """Prints measurements as they are, for a benchmark that runs by itself."""
    for each in measurements:
        time_us, ratio = each.time, each.ratio
        text = f"{time_us.median * 1e6:10.2f} us ({time_us.low * 1e6:.2f} to {time_us.high * 1e6:.2f})"
        print(f"{each.name:44} {text}", "" if ratio is None else f"  x {ratio.median:.2f}")
