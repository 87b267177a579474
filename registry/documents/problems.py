"""Gathering what is wrong with one file, so that a load reports everything at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from polycall.interop.errors import Problem

__all__ = ["Position", "Report", "Slip", "in_reading_order"]


class Position(Protocol):
    """Anything that knows its 1-based line and column: a node, a mark, a location."""

    @property
    def line(self) -> int:
        """The 1-based line."""
        ...

    @property
    def column(self) -> int:
        """The 1-based column, in characters."""
        ...


_MOST = 1000


class Slip(Problem):
    """What does not stop the load, and yet cannot be meant so: ``check`` calls it an error."""

    __slots__ = ()


class Report:
    """What is wrong, and what is merely doubtful, in one file: the first thousand of each, nobody reads on.

    Attributes:
        file: The file's name as messages show it, relative to the project folder.
        problems: What stops the load.
        warnings: What does not.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    @property
    def full(self) -> bool:
        """Whether looking for more, or for what may have been meant, is in vain."""
        return len(self.problems) >= _MOST or len(self.warnings) >= _MOST

    def problem(self, at: Position, path: str, message: str, hint: str | None = None) -> None:
        """Notes something that stops the load.

        Args:
            at: Where it stands.
            path: The key's path from the top of the file; empty for the file as a whole.
            message: What is wrong and what was expected.
            hint: What would mend it.
        """
        if len(self.problems) < _MOST:
            self.problems.append(Problem(self.file, at.line, at.column, path, message, hint))

    def warning(self, at: Position, path: str, message: str, hint: str | None = None) -> None:
        """Notes something that ``check`` shows and that does not stop the load; arguments as for `problem`."""
        if len(self.warnings) < _MOST:
            self.warnings.append(Problem(self.file, at.line, at.column, path, message, hint))

    def slip(self, at: Position, path: str, message: str, hint: str | None = None) -> None:
        """Notes a `Slip`; arguments as for `problem`."""
        if len(self.warnings) < _MOST:
            self.warnings.append(Slip(self.file, at.line, at.column, path, message, hint))


def in_reading_order(problems: Iterable[Problem]) -> list[Problem]:
    """Returns problems by file, line and column; those of one place stay in the order they were found in."""
    return sorted(problems, key=lambda problem: (problem.file.split("/"), problem.line, problem.column))
