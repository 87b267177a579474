"""The one shape in which the security tests say what they attempt: `tests/security/attacks_table.py` collects it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from polycall.interop.values import Value

__all__ = ["Attack", "attacks", "outcome"]

_Test = TypeVar("_Test", bound=Callable[..., None])


class Attack(NamedTuple):
    """A row of the table.

    Attributes:
        attempt: What is attempted, in a few words.
        language: What the attacker writes: Lua, component, core module, ...
        result: What must happen, as the test asserts it.
        control: The honest twin of the attempt, and what it must give.
    """

    attempt: str
    language: str
    result: str
    control: str


def attacks(*rows: Attack) -> Callable[[_Test], _Test]:
    """Says which attempts a test makes. A parametrised test gives the rows of the cases that it runs."""

    def noted(test: _Test) -> _Test:
        test.attacks = rows  # type: ignore[attr-defined]  # functions take attributes
        return test

    return noted


def outcome(expected: type[BaseException] | Value) -> str:
    """Returns what must happen as words: the class of an error, or a value."""
    return expected.__name__ if isinstance(expected, type) else f"gives `{expected!r}`"
