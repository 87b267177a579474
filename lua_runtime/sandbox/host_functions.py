"""The host functions of a sandboxed state, by number: the same numbers in a snapshot and in all that start from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from polycall.lua_runtime.sandbox.runs import HostFunctionNumber
from polycall.lua_runtime.session import Session

__all__ = ["FIRST_FUNCTION", "HostFunctions", "Numbering"]

FIRST_FUNCTION = 16
"""The least of their numbers, as in ``c/host.h``."""

Maker = Callable[[Session], Sequence[Any]]


class Numbering:
    """Which functions there are. Grows while a snapshot is made."""

    def __init__(self, makers: Iterable[tuple[Maker, int]] = ()) -> None:
        self._makers = list(makers)

    def copy(self) -> Numbering:
        """Returns one that grows by itself."""
        return Numbering(self._makers)

    def add(self, maker: Maker, session: Session) -> list[Any]:
        """Returns what ``maker`` gives a file of the host's Lua code, with a number for each function."""
        given: list[Any] = []
        for at, item in enumerate(maker(session)):
            if callable(item):
                given.append(HostFunctionNumber(FIRST_FUNCTION + len(self._makers)))
                self._makers.append((maker, at))
            else:
                given.append(item)
        return given

    def of(self, number: int) -> tuple[Maker, int] | None:
        """Returns what makes the function of a number and its place there."""
        return self._makers[number - FIRST_FUNCTION] if FIRST_FUNCTION <= number < self._end else None

    @property
    def _end(self) -> int:
        return FIRST_FUNCTION + len(self._makers)


class HostFunctions:
    """The functions of one session, made when they are first called: most instances call few of them."""

    def __init__(self, numbering: Numbering, session: Session) -> None:
        self._numbering = numbering
        self._session = session
        self._made: dict[Maker, Sequence[Any]] = {}
        self._known: dict[int, Callable[..., Any]] = {}

    def find(self, number: int) -> Callable[..., Any] | None:
        """Returns the function of a number, or None if there is none: the guest has made it up."""
        return self._known.get(number) or self._make(number)

    def _make(self, number: int) -> Callable[..., Any] | None:
        found = self._numbering.of(number)
        if found is None:
            return None
        maker, at = found
        if maker not in self._made:
            self._made[maker] = maker(self._session)
        function: Callable[..., Any] = self._made[maker][at]
        self._known[number] = function
        return function
