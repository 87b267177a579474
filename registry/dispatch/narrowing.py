"""What one call from Python allows less than the entries do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from polycall.interop.callees import CalleePattern, Callees
from polycall.interop.context import CallContext
from polycall.interop.errors import CallError
from polycall.interop.ids import EntryId
from polycall.interop.limits import LimitsSpec
from polycall.interop.protocols import Function
from polycall.registry.dispatch.runtimes import FUNCTION_KINDS, Runtimes
from polycall.registry.entries.index import Index

if TYPE_CHECKING:
    from polycall.registry.dispatch.routes import Route

__all__ = ["Narrowing", "limited_function", "narrowing"]

_MOST_KEPT = 8
"""Different limits for which a route keeps what it has made ready: who calls has a few, again and again."""


class Narrowing(NamedTuple):
    """What holds for one call.

    Attributes:
        limits: Limits of the entry that is called, never above its own; None for its own.
        callees: What may be called in the call, at whatever depth; None for everything.
    """

    limits: LimitsSpec | None
    callees: Callees | None

    @property
    def needs_instance(self) -> bool:
        """Whether an instance of a pool will not do: what it may hold, or write, is settled when it is made."""
        limits = self.limits
        return limits is not None and (limits.max_memory_bytes is not None or limits.max_output_bytes is not None)

    def begin(self, context: CallContext) -> None:
        """Has the frame of the call held to the time and the callees."""
        if self.callees is not None:
            context.ceiling = (*context.ceiling, self.callees)
        if self.limits is not None and self.limits.execution_seconds is not None:
            context.limit(self.limits.execution_seconds)


def narrowing(limits: Mapping[str, int] | None, calls: Iterable[str | EntryId] | None) -> Narrowing | None:
    """Reads what Python says of one call; None if that is nothing.

    Raises:
        ValueError: A key or a value of `limits` is none, or an item of `calls`.
        TypeError: One of them is of another type.
    """
    if limits is None and calls is None:
        return None
    if isinstance(calls, str):
        raise TypeError(f'calls is a text; it must be a list, such as ["{calls}"]')
    return Narrowing(
        None if limits is None else _limits(limits),
        None if calls is None else _callees(tuple(map(str, calls))),
    )


@lru_cache(256)
def _callees(patterns: tuple[str, ...]) -> Callees:
    return Callees(_pattern(each) for each in patterns)


def _pattern(text: str) -> str:
    try:
        return CalleePattern.parse(text)
    except ValueError as error:
        raise ValueError(f'calls: {error}, got "{text}"') from None


def _limits(values: Mapping[str, int]) -> LimitsSpec:
    from polycall.registry.reading.python_entries import decoded  # noqa: PLC0415  # most calls have none

    if not isinstance(values, Mapping):
        raise TypeError(f"limits is a {type(values).__name__}; it must be a mapping, such as max_memory_bytes to bytes")
    spec, problems = decoded(LimitsSpec, values, "limits")
    if problems:
        raise ValueError("; ".join(map(str, problems)))
    return spec


def limited_function(
    route: Route, limits: LimitsSpec, index: Index, runtimes: Runtimes, context: CallContext
) -> Function:
    """Returns the function of a route with limits of memory and output that are not above its own.

    Raises:
        CallError: It has no such limits, or what it gives would keep its instance.
        PolycallError: It cannot be made ready.
    """
    if route.language not in FUNCTION_KINDS.values():
        raise CallError("a Python function has no limits of memory and output: only its time can be limited")
    if route.function.has_resources:
        raise CallError(
            "it takes or gives resources, which live in an instance of the pool; memory and output of one call cannot "
            "be limited",
            hint="declare limits in the entry",
        )
    entry = index.get(EntryId.parse(route.entry_id))
    tight = _tighter(entry.spec.limits, limits)
    if tight == entry.spec.limits:
        return route.function
    known = route.limited.get(tight)
    if known is None:
        known = runtimes.prepare(replace(entry, spec=replace(entry.spec, limits=tight)), index, context)
        for oldest in list(route.limited)[: 1 - _MOST_KEPT]:
            route.limited.pop(oldest, None)
        route.limited[tight] = known
    return known


def _tighter(own: LimitsSpec, given: LimitsSpec) -> LimitsSpec:
    memory = [each for each in (own.max_memory_bytes, given.max_memory_bytes) if each is not None]
    output = given.max_output_bytes
    return LimitsSpec(
        max_execution_ms=own.max_execution_ms,
        max_memory_bytes=min(memory, default=None),
        max_output_bytes=own.max_output_bytes if output is None else min(own.output_bytes, output),
    )
