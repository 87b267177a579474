"""What the options before the command say, handed to every command."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from polycall.registry.loading import load
from polycall.registry.reading.project_folder import find_project
from polycall.registry.registry import Registry

__all__ = ["Session"]


class Session(NamedTuple):
    """The options that all commands share.

    Attributes:
        named: The project folder that was named, or None.
        debug: Whether errors show Python tracebacks.
        isolation: What every function has at least, or None for what the project says.
    """

    named: Path | None
    debug: bool
    isolation: str | None = None

    @property
    def project(self) -> Path:
        """The project folder: the one that was named, else the one that the working directory lies in."""
        return find_project(Path()) if self.named is None else self.named

    def load(self) -> Registry:
        """Loads the project."""
        return load(self.project, isolation=self.isolation)
