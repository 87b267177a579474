"""One thing that a check of a project found."""

from __future__ import annotations

from typing import Literal, NamedTuple

from polycall.interop.errors import Problem
from polycall.interop.public import public

__all__ = ["Finding"]


@public
class Finding(NamedTuple):
    """One thing that `check` found.

    Attributes:
        severity: An error stops an entry from running; a warning does not.
        code: The code of the error, or ``warning``.
        problem: Where it is and what it is.
    """

    severity: Literal["error", "warning"]
    code: str
    problem: Problem

    def __str__(self) -> str:
        """Returns ``file:line:column: error: message (hint)``."""
        found = self.problem
        place = f"{found.file}:{found.line}:{found.column}" if found.line else found.file
        where = f"{place}: {self.severity}: "
        path = f"{found.path}: " if found.path else ""
        return where + path + found.message + (f" ({found.hint})" if found.hint else "")
