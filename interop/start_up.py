"""The bounds of a guest's start-up code: what runs when an instance is made, before its first call."""

from __future__ import annotations

import time

from polycall.interop.context import CallContext
from polycall.interop.errors import CancelledError, DeadlineError
from polycall.interop.limits import LimitsSpec

__all__ = ["start_frame", "start_interruption", "start_seconds"]

_START_SECONDS = 10.0
"""For an entry that declares no limit of its own: start-up code computes, it cannot call or wait."""


def start_seconds(limits: LimitsSpec) -> float:
    """Returns how long the start-up code of an entry may run, whoever waits for it."""
    return limits.execution_seconds or _START_SECONDS


def start_frame(entry_id: str, language: str, seconds: float, call: CallContext | None) -> CallContext:
    """Returns the frame in which start-up code runs.

    Args:
        entry_id: Whose it is.
        language: ``lua`` or ``wasm``.
        seconds: How long it may run.
        call: The call that waits for the instance, if there is one: its deadline and its cancellation hold as well.
    """
    return CallContext(entry_id, language, call, deadline=time.monotonic() + seconds)


def start_interruption(entry_id: str, seconds: float, call: CallContext | None) -> CancelledError | DeadlineError:
    """Returns the error of start-up code that was stopped: the waiting call is over, or else its own time is."""
    interruption = None if call is None else call.interruption(f'"{entry_id}" started up')
    return interruption or DeadlineError(
        f"the start-up code ran longer than {seconds:g} s",
        entry_id=entry_id,
        hint="what runs before the first call runs once for each instance: move the work into the function",
    )
