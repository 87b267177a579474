"""What `Registry.stats` tells: calls, errors and pools, which are always counted, and times, which are if asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from polycall.interop.host_traffic import HostTraffic
from polycall.interop.pool_figures import PoolSnapshot, PoolTraffic
from polycall.interop.public import public
from polycall.interop.records import record
from polycall.registry.dispatch.routes import Route
from polycall.registry.observers.latencies import Histogram, Latencies

__all__ = ["EntryStats", "Stats", "collect"]


@public
@record
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
        host: What guests had their host do; None for what is not WebAssembly, or runs in workers.
    """

    entry_id: str
    language: str
    calls: int
    errors: Mapping[str, int]
    latency: Histogram | None
    pool: PoolSnapshot
    traffic: PoolTraffic
    host: HostTraffic | None = None


@public
@record
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
        route.function.host_traffic(),
    )
