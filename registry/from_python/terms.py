"""What Python says of a call beside its target and its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from polycall.interop.context import deadline_in
from polycall.interop.ids import EntryId
from polycall.interop.observer import Observer
from polycall.interop.public import public
from polycall.registry.dispatch.narrowing import narrowing
from polycall.registry.from_python.names import context_values

__all__ = ["CallOptions", "Terms", "result_check", "terms"]


@public
class CallOptions(TypedDict, total=False):
    """What `Registry.call`, `call_async` and `map` all take by name; `Registry.call` says what each of them is."""

    timeout: float | None
    values: Mapping[str, object] | None
    limits: Mapping[str, int] | None
    calls: Sequence[str | EntryId] | None
    observer: Observer | None


class Terms:
    """The same, read once: for calls that are made later, in whatever thread, or again and again.

    Raises:
        ValueError, TypeError: As `Registry.call`.
    """

    def __init__(
        self,
        timeout: float | None,
        values: Mapping[str, object] | None,
        *,
        limits: Mapping[str, int] | None,
        calls: Sequence[str | EntryId] | None,
        observer: Observer | None,
    ) -> None:
        self.timeout = timeout
        self.values = None if values is None else context_values(values)
        self.observer = observer
        self.narrowing = narrowing(limits, calls)
        self.deadline()

    def deadline(self) -> float | None:
        """Returns when a call must have ended that begins now, in seconds of `time.monotonic`."""
        return None if self.timeout is None else deadline_in(self.timeout)


_NONE = Terms(None, None, limits=None, calls=None, observer=None)


def terms(
    timeout: float | None,
    values: Mapping[str, object] | None,
    *,
    limits: Mapping[str, int] | None,
    calls: Sequence[str | EntryId] | None,
    observer: Observer | None,
) -> Terms:
    """Returns the `Terms` of a call: one object for all those that have none, of which a thousand may wait."""
    if timeout is None and values is None and limits is None and calls is None and observer is None:
        return _NONE
    return Terms(timeout, values, limits=limits, calls=calls, observer=observer)


def result_check(returns: Any) -> Callable[[Any], Any]:
    """Returns what checks a result, and gives it back.

    Raises:
        TypeError: The type is none that a plain value can be of.
    """
    from polycall.interop.typed import checked, type_check  # noqa: PLC0415  # most calls have none

    type_check(returns)
    return lambda value: checked(value, returns)
