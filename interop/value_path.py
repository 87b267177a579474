"""Where a value stands in a larger one: linked on the way down, written out only if there is an error to tell."""

from __future__ import annotations

from typing import TypeAlias

from polycall.interop.ids import cut

__all__ = ["Place", "path_text"]

Place: TypeAlias = "str | tuple[Place, str | int]"
"""The text of the root, such as ``$.args[0]``, or the place of a container with the key or index inside it."""


def path_text(place: Place) -> str:
    """Returns ``$.users[2].id``; long keys are cut."""
    steps: list[str] = []
    while not isinstance(place, str):
        place, step = place
        steps.append(f"[{step}]" if isinstance(step, int) else f".{cut(step)}")
    return place + "".join(reversed(steps))
