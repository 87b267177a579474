"""How long the calls of each entry took: what ``polycall.load(..., metrics=True)`` keeps."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from polycall.interop.forks import new_lock
from polycall.interop.observer import Ended, Finish, ObservedCall
from polycall.interop.public import public
from polycall.interop.records import record
from polycall.interop.values import Value

__all__ = ["BUCKET_SECONDS", "Histogram", "Latencies"]

BUCKET_SECONDS = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""The upper ends of the buckets, inclusive: a call of a small function takes microseconds."""


@public
@record
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


class _Buckets:
    """The histogram of one entry, while it grows."""

    __slots__ = ("_counts", "_lock", "_sum_seconds")

    def __init__(self) -> None:
        self._lock = new_lock()
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

    def start(self, context: ObservedCall, arguments: Sequence[Value]) -> Finish:
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
