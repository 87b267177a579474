"""The tree of the calls of one chain, with times and sizes: what ``polycall call --trace`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from polycall.interop.forks import new_lock
from polycall.interop.observer import OK, Ended, Finish, ObservedCall
from polycall.interop.values import Value

__all__ = ["Trace", "TracedCall", "size"]

_MAX_CALLS = 1_000
"""Calls that a trace keeps: a loop in a guest can make millions."""

_MAX_WAITS = 20
"""Different things that one call waited for."""

_SHOWN_ARGUMENTS = 4


class TracedCall:
    """One call of the tree.

    Attributes:
        name: Entry and language: ``app:tax (lua)``.
        arguments: Their sizes.
        calls: The calls that it made, in order.
        waits: What its guest waited for, and how long in all, in seconds.
        seconds: How long it took; None while it runs.
        result: The size of the result, or ``error`` and its code; None while it runs.
    """

    __slots__ = ("arguments", "calls", "name", "result", "seconds", "waits")

    def __init__(self, name: str, arguments: str) -> None:
        self.name = name
        self.arguments = arguments
        self.calls: list[TracedCall] = []
        self.waits: dict[str, float] = {}
        self.seconds: float | None = None
        self.result: str | None = None


class Trace:
    """The observer that keeps the tree.

    Attributes:
        calls: The outermost calls, in order.
        left_out: Calls beyond the first thousand, which are only counted.
    """

    def __init__(self) -> None:
        self.calls: list[TracedCall] = []
        self.left_out = 0
        self._kept = 0
        self._running: dict[ObservedCall, TracedCall] = {}
        self._lock = new_lock()

    def start(self, context: ObservedCall, arguments: Sequence[Value]) -> Finish:
        """Hangs a call into the tree; returns what completes it."""
        call = TracedCall(f"{context.entry_id} ({context.language})", _sizes(arguments))
        with self._lock:
            caller = None if context.parent is None else self._running.get(context.parent)
            if self._kept == _MAX_CALLS:
                self.left_out += 1
            else:
                self._kept += 1
                (self.calls if caller is None else caller.calls).append(call)
            self._running[context] = call

        def finish(ended: Ended) -> None:
            call.seconds = ended.seconds
            call.result = size(ended.result) if ended.outcome == OK else f"error {ended.outcome}"
            with self._lock:
                del self._running[context]

        return finish

    def waited(self, context: ObservedCall, what: str, seconds: float) -> None:
        """Adds a wait to its call; of many different ones, those that came last are one."""
        with self._lock:
            call = self._running.get(context)
            if call is not None:
                known = what in call.waits or len(call.waits) < _MAX_WAITS
                name = what if known else "other things"
                call.waits[name] = call.waits.get(name, 0.0) + seconds

    def lines(self) -> list[str]:
        """Returns the tree as lines of text: a name, milliseconds, the sizes of arguments and result."""
        rows = [row for call in self.calls for row in _rows(call, "", "")]
        width = max((len(name) for name, _ in rows), default=0)
        lines = [f"{name:{width}} {_figures(call)}" for name, call in rows]
        return [*lines, f"and {self.left_out} more calls"] if self.left_out else lines


def size(value: Value) -> str:
    """Says how large a value is: the bytes of text and bytes, the items of a list, the fields of a record."""
    if isinstance(value, str):
        return f"text of {_count(len(value.encode(errors='surrogatepass')), 'byte')}"
    if isinstance(value, bytes):
        return _count(len(value), "byte")
    if isinstance(value, list):
        return f"list of {_count(len(value), 'item')}"
    if isinstance(value, dict):
        return f"record of {_count(len(value), 'field')}"
    if value is None:
        return "nothing"
    return "boolean" if isinstance(value, bool) else "number"


def _sizes(arguments: Sequence[Value]) -> str:
    shown = [size(argument) for argument in arguments[:_SHOWN_ARGUMENTS]]
    more = len(arguments) - len(shown)
    return ", ".join([*shown, f"{more} more"] if more else shown)


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _figures(call: TracedCall) -> str:
    if call.seconds is None:
        return f"{'?':>9} ms  ({call.arguments}) -> not ended"
    waits = "".join(f"; waited {seconds * 1000:.3f} ms for {what}" for what, seconds in call.waits.items())
    return f"{call.seconds * 1000:9.3f} ms  ({call.arguments}) -> {call.result}{waits}"


def _rows(call: TracedCall, head: str, indent: str) -> Iterator[tuple[str, TracedCall]]:
    yield head + call.name, call
    for inner in call.calls:
        last = inner is call.calls[-1]
        yield from _rows(inner, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  "))
