"""What `Registry.stats` tells: calls, errors and pools, which are always counted, and times, which are if asked for."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from interop.context import CallContext
from interop.observer import Ended, Finish
from interop.pool import PoolSnapshot, PoolTraffic
from interop.values import Value
from registry.routes import Route

__all__ = ["BUCKET_SECONDS", "EntryStats", "Histogram", "Latencies", "Stats", "collect"]

BUCKET_SECONDS = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""The upper ends of the buckets, inclusive: a call of a small function takes microseconds."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How long calls took.

    Attributes:
        bounds_seconds: The upper ends of the buckets, inclusive.
        counts: Calls in each bucket; one more than bounds, for the calls beyond the last.
        sum_seconds: All of them together.
    """

    bounds_seconds: tuple[float, ...]
    counts: tuple[int, ...]
    sum_seconds: float

    @property
    def count(self) -> int:
        """The calls measured."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class EntryStats:
    """The figures of one entry.

    Attributes:
        entry_id: ``namespace:name``.
        language: ``lua``, ``wasm`` or ``python``.
        calls: Calls that began.
        errors: Calls that failed, by the code of their error.
        latency: How long the calls that ended took, or None unless the registry was loaded with ``metrics=True``.
        pool: Its instances at this moment.
        traffic: What went through the pool, and how long calls waited for an instance.
    """

    entry_id: str
    language: str
    calls: int
    errors: Mapping[str, int]
    latency: Histogram | None
    pool: PoolSnapshot
    traffic: PoolTraffic


@dataclass(frozen=True, slots=True)
class Stats:
    """The figures of a registry.

    Each entry's are exact; those of different entries are read one after the other.

    Attributes:
        entries: By id, of the entries that were called or prepared.
    """

    entries: Mapping[str, EntryStats]

    @property
    def calls(self) -> int:
        """The calls of all entries."""
        return sum(entry.calls for entry in self.entries.values())

    @property
    def errors(self) -> Mapping[str, int]:
        """The errors of all entries, by code. One that passes through several calls counts in each."""
        return MappingProxyType(sum((Counter(entry.errors) for entry in self.entries.values()), Counter()))


class _Buckets:
    """The histogram of one entry, while it grows."""

    __slots__ = ("_counts", "_lock", "_sum_seconds")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = [0] * (len(BUCKET_SECONDS) + 1)
        self._sum_seconds = 0.0

    def add(self, ended: Ended) -> None:
        bucket = bisect_left(BUCKET_SECONDS, ended.seconds)
        with self._lock:
            self._counts[bucket] += 1
            self._sum_seconds += ended.seconds

    def histogram(self) -> Histogram:
        with self._lock:
            return Histogram(BUCKET_SECONDS, tuple(self._counts), self._sum_seconds)


class Latencies:
    """The observer that measures: a histogram for each entry."""

    def __init__(self) -> None:
        self._by_entry: dict[str, _Buckets] = {}

    def start(self, context: CallContext, arguments: Sequence[Value]) -> Finish:
        """Returns what adds the call to the histogram of its entry."""
        return self._buckets(context.entry_id).add

    def histogram(self, entry_id: str) -> Histogram:
        """Returns the histogram of an entry; an empty one if it was never called."""
        return self._buckets(entry_id).histogram()

    def forget(self, entry_ids: Iterable[str]) -> None:
        """Begins anew for entries that are others now; calls of the old ones that still run are not measured."""
        for entry_id in entry_ids:
            self._by_entry.pop(entry_id, None)

    def _buckets(self, entry_id: str) -> _Buckets:
        # setdefault is atomic: of two threads that meet a new entry at once, both get the same buckets.
        return self._by_entry.get(entry_id) or self._by_entry.setdefault(entry_id, _Buckets())


def collect(routes: Iterable[Route], latencies: Latencies | None) -> Stats:
    """Returns the figures of routes, in the order of their ids."""
    found = (_of_route(route, latencies) for route in routes)
    return Stats(MappingProxyType({entry.entry_id: entry for entry in sorted(found, key=lambda entry: entry.entry_id)}))


def _of_route(route: Route, latencies: Latencies | None) -> EntryStats:
    entry_id = route.function.entry_id
    latency = None if latencies is None else latencies.histogram(entry_id)
    calls, errors = route.counts()
    return EntryStats(
        entry_id,
        route.function.language,
        calls,
        MappingProxyType(errors),
        latency,
        route.pool.snapshot(),
        route.pool.traffic(),
    )
