"""A call that waits gives its place to another: for threads that calls share, of which only some may run at once."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

__all__ = ["PLACE", "Place", "place_free"]


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


class place_free:  # noqa: N801  # like `contextlib.suppress`: a generator would take longer, and another two objects
    """Gives the place of the running call away while its thread waits."""

    __slots__ = ("_place",)

    def __enter__(self) -> None:
        self._place = PLACE.get()
        if self._place is not None:
            self._place.leave()

    def __exit__(self, *_error: object) -> None:
        if self._place is not None:
            self._place.retake()
