"""Source text together with where it stands, so that a guest's errors name the user's own file and line."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SourceText"]


class SourceText(NamedTuple):
    """Program text of an entry.

    Attributes:
        text: The program.
        name: The file it stands in, relative to the project folder: ``lua/tax.lua``, or the YAML file for inline text.
        first_line: The 1-based line of `name` on which the text begins.
    """

    text: str
    name: str
    first_line: int = 1

    def aligned(self) -> str:
        """Returns the text behind as many empty lines as put its lines at the numbers they have in the file."""
        return "\n" * (self.first_line - 1) + self.text
