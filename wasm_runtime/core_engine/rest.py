"""Where instances of the project's own core modules rest between two guests."""

from __future__ import annotations

from typing import NamedTuple

from polycall.interop.forks import new_lock
from polycall.wasm_runtime.core_engine.instance import CoreInstance

__all__ = ["Rest"]

_MOST = 8
"""How many rest at once: as many guests as threads that start them can be made without the engine."""


class _Resting(NamedTuple):
    """An instance and what a guest must ask for to get it."""

    program: object
    memory_bytes: int | None
    instance: CoreInstance


class Rest:
    """A few instances whose memories are as they were at their beginning. Shared by threads."""

    def __init__(self) -> None:
        """Has none."""
        self._most = _MOST
        self._lock = new_lock()
        self._resting: list[_Resting] = []

    def take(self, program: object, memory_bytes: int | None) -> CoreInstance | None:
        """Returns one of a program, if there is one whose memory may grow to so many bytes."""
        with self._lock:
            for at in range(len(self._resting) - 1, -1, -1):  # the latest: it is what the processor remembers
                found = self._resting[at]
                if found.program is program and found.memory_bytes == memory_bytes:
                    del self._resting[at]
                    return found.instance
        return None

    def put(self, program: object, memory_bytes: int | None, instance: CoreInstance) -> None:
        """Takes one in; the one that has rested longest goes for it."""
        with self._lock:
            self._resting.append(_Resting(program, memory_bytes, instance))
            gone = self._resting.pop(0) if len(self._resting) > self._most else None
        if gone is not None:
            gone.instance.close()

    def close(self) -> None:
        """Lets all of them go; no other one rests from then on."""
        with self._lock:
            self._most = 0
            gone, self._resting = self._resting, []
        for each in gone:
            each.instance.close()
