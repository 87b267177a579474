"""How a runtime describes the keys of its entry kinds: a `record` whose fields are made with `key`.

The registry reads declarations by these fields alone: the annotation gives the type (str, bool, int, float,
`SourceText`, `EntryId` for a reference, ``tuple[T, ...]``, ``Mapping[str, T]``, a nested such dataclass, ``T | None``,
`Any`), `key` the rest. A dataclass may also have a method ``problems(self) -> Iterable[tuple[str, str]]`` that yields
(key, message) for what only several keys together can get wrong.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["AtLeast", "Check", "Key", "Matches", "OneOf", "at_least", "key", "key_of", "matches", "no_check", "one_of"]

Check = Callable[[Any], "str | None"]
"""Takes a value of the right type; returns what was expected instead, or None if it is good."""

_METADATA = "polycall"


class Key(NamedTuple):
    """What a field says about its key in YAML.

    Attributes:
        doc: One sentence for documentation and schema.
        check: What a value of the right type must also satisfy.
        non_empty: Whether a str or list must not be empty.
        refers_to: The kinds that a reference may point to; empty for any.
        element_check: Like `check`, for each element of a list or value of a mapping.
    """

    doc: str
    check: Check
    non_empty: bool
    refers_to: tuple[str, ...]
    element_check: Check


def no_check(_value: Any) -> None:
    """Accepts everything."""


class OneOf:
    """A check that a schema can say as well: the strings that are allowed."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        self.choices = choices

    def __call__(self, value: Any) -> str | None:
        """Returns None for one of the choices, else what they are."""
        return None if value in self.choices else "one of " + ", ".join(f'"{choice}"' for choice in self.choices)


class AtLeast:
    """A check that a schema can say as well: the least number that is allowed, and the greatest if there is one."""

    def __init__(self, minimum: float, maximum: float | None = None) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def __call__(self, value: Any) -> str | None:
        """Returns None for a number within the bounds, else what was expected."""
        if self.maximum is None:
            return None if value >= self.minimum else f"at least {self.minimum}"
        return None if self.minimum <= value <= self.maximum else f"{self.minimum} to {self.maximum}"


class Matches:
    """A check that a schema can say as well: the form of a whole string.

    Attributes:
        pattern: A regular expression that Python and ECMAScript read alike.
        expected: The form in words.
    """

    def __init__(self, pattern: str, expected: str) -> None:
        self.pattern = pattern
        self.expected = expected

    def __call__(self, value: Any) -> str | None:
        """Returns None for a string of that form, else the form in words."""
        return None if re.fullmatch(self.pattern, value) else self.expected


def one_of(*choices: str) -> Check:
    """Accepts the strings given."""
    return OneOf(choices)


def at_least(minimum: float, *, at_most: float | None = None) -> Check:
    """Accepts numbers from `minimum` on, up to `at_most` if it is given."""
    return AtLeast(minimum, at_most)


def matches(pattern: str, expected: str) -> Check:
    """Accepts the strings that a regular expression matches as a whole; see `Matches`."""
    return Matches(pattern, expected)


def key(
    doc: str,
    *,
    default: Any = dataclasses.MISSING,
    check: Check = no_check,
    non_empty: bool = False,
    refers_to: Sequence[str] = (),
    element_check: Check = no_check,
) -> Any:
    """Declares a field of an entry kind; without a default the key is required.

    Args:
        doc: One sentence that tells a user what the key is for.
        default: The value when the key is missing; an immutable one.
        check: A further condition on the value.
        non_empty: Refuse "" and [].
        refers_to: For `EntryId` (also in lists and mappings): the kinds of entry that make sense.
        element_check: A further condition on each element.

    Returns:
        A dataclass field.
    """
    about = Key(doc, check, non_empty, tuple(refers_to), element_check)
    metadata = {_METADATA: about}
    if isinstance(default, Mapping):  # dataclasses refuse an unhashable default, even one that cannot change
        return dataclasses.field(default_factory=lambda: default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def key_of(field: dataclasses.Field[Any]) -> Key:
    """Returns what `key` said about a field."""
    about: Key = field.metadata[_METADATA]
    return about
