"""Where the instances of an entry run, in the words of ``isolation``."""

from __future__ import annotations

__all__ = ["ISOLATIONS", "combined", "in_process", "in_sandbox"]

ISOLATIONS = ("none", "sandbox", "process", "process+sandbox")
"""``process`` is a worker process for each instance; ``sandbox`` is WebAssembly, which Lua can run in."""


def in_process(isolation: str) -> bool:
    """Says whether instances have a worker process each."""
    return "process" in isolation.split("+")


def in_sandbox(isolation: str) -> bool:
    """Says whether Lua runs inside of WebAssembly; what is WebAssembly anyway has nothing else to ask for."""
    return "sandbox" in isolation.split("+")


def combined(one: str, other: str) -> str:
    """Returns the isolation that has all of two."""
    words = {*one.split("+"), *other.split("+")}
    return "+".join(word for word in ("process", "sandbox") if word in words) or "none"
