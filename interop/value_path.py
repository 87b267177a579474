"""Where a value stands in a larger one: linked on the way down, written out only if there is an error to tell."""

from __future__ import annotations

from typing import TypeAlias

from polycall.interop.ids import cut

__all__ = ["Place", "path_text", "steps_of"]

Place: TypeAlias = "str | tuple[Place, str | int]"
"""The text of the root, such as ``$.args[0]``, or the place of a container with the key or index inside it."""


def steps_of(place: Place) -> tuple[str, list[str | int]]:
    """Returns the text of the root, and the keys and indexes that lead from there to the place."""
    steps: list[str | int] = []
    while not isinstance(place, str):
        place, step = place
        steps.append(step)
    return place, steps[::-1]


def path_text(place: Place) -> str:
    """Returns ``$.users[2].id``; long keys are cut."""
    root, steps = steps_of(place)
    return root + "".join(f"[{step}]" if isinstance(step, int) else f".{cut(step)}" for step in steps)
