"""A mapping that never changes, of which a copy with one item more costs the same however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

__all__ = ["SharedMap"]

K = TypeVar("K")
V = TypeVar("V")

_BUCKETS = 1 << 9
"""So many dicts are shared between a map and its copy, all but one. A tuple of them is copied in a microsecond."""


class SharedMap(Mapping[K, V]):
    """Items in no order. What makes another map shares with this one all that stays. Shared by threads."""

    __slots__ = ("_buckets", "_count")

    def __init__(self, items: Mapping[K, V]) -> None:
        nothing: dict[K, V] = {}
        buckets = [nothing] * _BUCKETS
        for key, value in items.items():
            at = hash(key) % _BUCKETS
            if buckets[at] is nothing:
                buckets[at] = {}
            buckets[at][key] = value
        self._buckets: tuple[dict[K, V], ...] = tuple(buckets)
        self._count = len(items)

    def with_item(self, key: K, value: V) -> SharedMap[K, V]:
        """Returns a map with an item more, or another value for a key that is there."""
        own = self._buckets[hash(key) % _BUCKETS]
        return self._with_bucket(key, {**own, key: value}, self._count + (key not in own))

    def without(self, key: K) -> SharedMap[K, V]:
        """Returns a map without a key, which must be there."""
        bucket = self._buckets[hash(key) % _BUCKETS].copy()
        del bucket[key]
        return self._with_bucket(key, bucket, self._count - 1)

    def _with_bucket(self, key: K, bucket: dict[K, V], count: int) -> SharedMap[K, V]:
        buckets = list(self._buckets)
        buckets[hash(key) % _BUCKETS] = bucket
        changed: SharedMap[K, V] = SharedMap.__new__(SharedMap)
        changed._buckets, changed._count = tuple(buckets), count
        return changed

    def __getitem__(self, key: K) -> V:
        return self._buckets[hash(key) % _BUCKETS][key]

    def __contains__(self, key: object) -> bool:
        return key in self._buckets[hash(key) % _BUCKETS]

    def __iter__(self) -> Iterator[K]:
        for bucket in self._buckets:
            yield from bucket

    def __len__(self) -> int:
        return self._count
