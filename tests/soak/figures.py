"""What a soak counts and measures, and what goes wrong in it."""

from __future__ import annotations

import threading
from collections import Counter

from soak.calls import Call
from soak.machine import Resources

__all__ = ["Figures"]

_MOST_SHOWN = 20


class Figures:
    """Filled by all threads of a soak; holds nothing of the registry, so that one may see what that leaves behind.

    Attributes:
        failures: What went wrong, with the call; the first ones.
        failed: How much went wrong.
        samples: What was measured, and when: seconds from the start on.
        counts: Ended calls by kind.
        slowest: Seconds that the slowest took, by kind.
        killed: Calls of others than the crashing kind that ended because their worker was killed.
        reloads: Reloads so far.
        kills: Workers that were killed at a random moment, beside those that crashed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.failures: list[str] = []
        self.failed = 0
        self.samples: list[tuple[float, Resources]] = []
        self.counts: Counter[str] = Counter()
        self.slowest: dict[str, float] = {}
        self.killed = 0
        self.reloads = 0
        self.kills = 0

    def fail(self, failure: str) -> None:
        """Notes something that went wrong."""
        with self._lock:
            self.failed += 1
            if len(self.failures) < _MOST_SHOWN:
                self.failures.append(failure)

    def ended(self, call: Call, seconds: float, *, killed: bool) -> None:
        """Counts a call that ended, rightly or not."""
        with self._lock:
            self.counts[call.kind] += 1
            self.slowest[call.kind] = max(self.slowest.get(call.kind, 0.0), seconds)
            self.killed += killed
