"""A call that waits gives its place to another: for threads that calls share, of which only some may run at once."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

__all__ = ["PLACE", "Place"]


class Place(Protocol):
    """What a running call takes up among those that may run at once, whatever threads it has. Shared by threads."""

    def leave(self) -> None:
        """Lets another call have it for a while."""
        ...

    def retake(self) -> None:
        """Takes it again; never waits for it."""
        ...


PLACE: ContextVar[Place | None] = ContextVar("polycall_place", default=None)
"""The place of the running call; None where calls need none."""
