"""The figures of a pool."""

from __future__ import annotations

from typing import NamedTuple

from polycall.interop.public import public

__all__ = ["PoolSnapshot", "PoolTraffic"]


@public
class PoolSnapshot(NamedTuple):
    """What a pool looks like at one moment.

    Attributes:
        size: Instances there are, those being made or closed included.
        idle: Those that wait for a call.
        in_use: The others: with a call, being made, or being closed.
        waiting: Calls that wait for an instance.
        made: Instances made so far.
        discarded: Instances closed so far.
        peak: The largest size so far.
    """

    size: int
    idle: int
    in_use: int
    waiting: int
    made: int
    discarded: int
    peak: int


@public
class PoolTraffic(NamedTuple):
    """What went through a pool so far, exactly.

    Attributes:
        asked: Calls that asked for an instance, those that got none included.
        waited: Those that queued because all were in use, counted when their wait ends.
        waited_seconds: How long they queued, in sum.
    """

    asked: int
    waited: int
    waited_seconds: float
