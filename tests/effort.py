"""How often a test repeats itself: a few times, for people wait; with ``WHOLE=1 make test`` as often as it takes."""

from __future__ import annotations

import os

__all__ = ["WHOLE", "times"]

WHOLE = bool(os.environ.get("WHOLE"))
"""Whether everything is done as often as it takes."""


def times(whole: int, short: int) -> int:
    """Returns how often something is done: `whole` where all is wanted, else `short`."""
    return whole if WHOLE else short
