"""What calls of other threads have come to, on its way to the loop of asyncio where it is awaited."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from polycall.interop.values import Value

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

__all__ = ["Answers"]


class Answers:
    """Those of one loop: it is woken once for all that there is by the time it looks. Shared by threads.

    Attributes:
        loop: The loop.
    """

    __slots__ = ("__weakref__", "_coming", "_is_woken", "_looks", "loop")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self._coming: deque[tuple[Callable[..., None], Future[Value], Any]] = deque()
        self._is_woken = False
        self._looks = False

    def give(self, outcome: Future[Value], result: Value) -> None:
        """Has a call end with a result."""
        self._put(_give, outcome, result)

    def fail(self, outcome: Future[Value], error: BaseException) -> None:
        """Has a call end with an error."""
        self._put(_fail, outcome, error)

    def call_off(self, outcome: Future[Value]) -> None:
        """Has a call end that nobody makes any more."""
        self._put(_call_off, outcome, None)

    def _put(self, how: Callable[..., None], outcome: Future[Value], what: object) -> None:
        self._coming.append((how, outcome, what))
        if not self._is_woken:  # looked at after adding, as `_hand_over` takes after switching
            self._is_woken = True
            with suppress(RuntimeError):  # the loop is closed: nobody awaits anything
                self.loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        self._is_woken = False
        try:
            while self._coming:
                how, outcome, what = self._coming.popleft()
                how(outcome, what)
        finally:
            if self._coming:  # Ctrl-C
                self.loop.call_soon(self._hand_over)

    def look_after(self, look: Callable[[], float | None], seconds: float) -> None:
        """Has the loop call something again and again, unless it does; from the loop itself.

        Args:
            look: Returns after how many seconds it wants to be called again, or None.
            seconds: After how many it wants to be called first, and again if Ctrl-C kept it from saying it.
        """
        if not self._looks:
            self.loop.call_later(seconds, self._look, look, seconds)
            self._looks = True  # and not before: Ctrl-C may come in between, and nobody would look ever again

    def _look(self, look: Callable[[], float | None], first: float) -> None:
        self._looks = False
        seconds: float | None = first
        try:
            seconds = look()
        finally:
            if seconds is not None:
                self.look_after(look, seconds)


def _give(outcome: Future[Value], result: Value) -> None:
    if not outcome.done():
        outcome.set_result(result)


def _fail(outcome: Future[Value], error: BaseException) -> None:
    if not outcome.done():
        outcome.set_exception(error)


def _call_off(outcome: Future[Value], _: object) -> None:
    outcome.cancel()
