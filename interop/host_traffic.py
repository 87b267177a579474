"""What guests of an entry had their host do, in figures."""

from __future__ import annotations

from typing import NamedTuple

from polycall.interop.forks import new_lock
from polycall.interop.public import public

__all__ = ["HostCounter", "HostTraffic"]


@public
class HostTraffic(NamedTuple):
    """What went between guests and their host.

    Attributes:
        calls: Calls of imported functions.
        bytes_in: Bytes that guests read: from files, connections, input.
        bytes_out: Bytes that they wrote.
        refusals: What was not granted, or not allowed: imports, addresses, paths, writing.
    """

    calls: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    refusals: int = 0


class HostCounter:
    """The figures of all instances of an entry so far. Shared by threads."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._calls = self._bytes_in = self._bytes_out = self._refusals = 0

    def add(self, calls: int, bytes_in: int, bytes_out: int, refusals: int) -> None:
        """Counts what one call did; see `HostTraffic`."""
        with self._lock:
            self._calls += calls
            self._bytes_in += bytes_in
            self._bytes_out += bytes_out
            self._refusals += refusals

    def snapshot(self) -> HostTraffic:
        """Returns the figures at this moment."""
        with self._lock:
            return HostTraffic(self._calls, self._bytes_in, self._bytes_out, self._refusals)
