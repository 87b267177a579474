"""What polycall does not have, by name: a command that needs it is gated, and nothing else is."""

from __future__ import annotations

__all__ = ["gate_of", "gate_of_command", "gate_of_script"]

_ASYNC = "async functions, streams and futures"
_MEMORY64 = "memories with 64-bit addresses"
_GC = "GC types in canonical definitions"
_VALUES = "values and start functions"
_WORDS = {
    "threads are not supported": "threads",
    "wasmtime set-max-table-capacity": "wasmtime's own test host",
    "of WASI 0.3": _ASYNC,
    "belongs to WASI 0.3": _ASYNC,
    "`async`": _ASYNC,
    "`async` option": _ASYNC,
    "error-context": "error contexts",
    "Fixed-length lists require": "fixed-length lists: the engine's validator does not know them yet",
    "start functions and values": _VALUES,
    "values that cross when": _VALUES,
    "a whole module or component": "modules and components as imports",
    _MEMORY64: _MEMORY64,
    "`cm64`": _MEMORY64,
    "immediate must be zero": "context slots beyond the first: the engine's validator does not know them yet",
    "conflicts with previous name": "names that the engine's validator takes for the same as others",
    "0x08 is no canonical option": _GC,
    "0x09 is no canonical option": _GC,
    "`cm-gc`": _GC,
}
"""What stands in a message of polycall's or the engine's, and the feature that it names."""


_SCRIPTS = {"implements-disabled": "features switched off"}


_REENTRANCE = "calls between a component and one in it: the script forbids what the specification's definitions allow"
_COMMANDS = {
    ("async/trap-on-reenter", 86): _REENTRANCE,
    ("async/trap-on-reenter", 110): _REENTRANCE,
    ("adapter", 98): "a component that calls itself while it starts: as above",
    ("strings", 122): "a string is stored in its last encoding at once: the allocator is never asked to grow one",
    ("async/task-builtins", 466): _ASYNC,
}
"""Single commands that fail, by script and line, and why that is as it should be."""


def gate_of_command(script: str, line: int) -> str | None:
    """Returns why a command that failed asks for what polycall does not do, or None."""
    return _COMMANDS.get((script, line))


def gate_of_script(name: str) -> str | None:
    """Returns what a whole script is about that polycall does not have, or None."""
    return _SCRIPTS.get(name)


def gate_of(message: str) -> str | None:
    """Returns the feature for whose lack something is refused or trapped, as the message says; None for a failure."""
    return next((feature for words, feature in _WORDS.items() if words in message), None)
