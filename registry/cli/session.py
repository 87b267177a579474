"""What the options before the command say, handed to every command."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from polycall.registry.registry import Registry, load

__all__ = ["Session"]


class Session(NamedTuple):
    """The options that all commands share.

    Attributes:
        project: The project folder.
        debug: Whether errors show Python tracebacks.
        isolation: What every function has at least, or None for what the project says.
    """

    project: Path
    debug: bool
    isolation: str | None = None

    def load(self) -> Registry:
        """Loads the project."""
        return load(self.project, isolation=self.isolation)
