"""Names that stand in many files and belong, for who uses them, to the package ``polycall``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["public"]

T = TypeVar("T", bound="type[Any] | Callable[..., Any]")


def public(thing: T) -> T:
    """Says that a class or function is ``polycall``'s: so tracebacks, pickles and documentation call it.

    For use as the outermost decorator: whoever reads the annotations of a dataclass looks for them in its module, and
    `dataclasses` has done that by then.
    """
    thing.__module__ = "polycall"
    return thing
