"""The host functions of a sandboxed state, by number: the same numbers in a snapshot and in all that start from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from polycall.lua_runtime.sandbox.runs import HostFunctionNumber
from polycall.lua_runtime.session import Session

__all__ = ["FIRST_FUNCTION", "HostFunctions", "Numbering", "numbered"]

FIRST_FUNCTION = 16
"""The least of their numbers, as in ``c/host.h``."""

Maker: TypeAlias = Callable[[Session], Sequence[Any]]
Numbering: TypeAlias = list[tuple[Maker, int]]
"""What makes the function of each number, and its place there. Grows while a snapshot is made."""


def numbered(maker: Maker, session: Session, numbering: Numbering) -> list[Any]:
    """Returns what ``maker`` gives a file of the host's Lua code, with a new number for each function."""
    given = list(maker(session))
    for place, item in enumerate(given):
        if callable(item):
            given[place] = HostFunctionNumber(FIRST_FUNCTION + len(numbering))
            numbering.append((maker, place))
    return given


class HostFunctions(dict[int, Callable[..., Any] | None]):
    """The functions of one session, made when they are first called: most instances call few of them."""

    def __init__(self, numbering: Numbering, session: Session) -> None:
        self._numbering = numbering
        self._session = session
        self._made: dict[Maker, Sequence[Any]] = {}

    def __missing__(self, number: int) -> Callable[..., Any] | None:
        """Returns the function of a number, or None if there is none: the guest has made it up."""
        if not FIRST_FUNCTION <= number < FIRST_FUNCTION + len(self._numbering):
            return None
        maker, place = self._numbering[number - FIRST_FUNCTION]
        if maker not in self._made:
            self._made[maker] = maker(self._session)
        function: Callable[..., Any] = self._made[maker][place]
        self[number] = function
        return function
