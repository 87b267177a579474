"""How many calls begin at the same time: few, where calls soon wait; as many as there are places, where they do not."""

from __future__ import annotations

import time

__all__ = ["LONG_SECONDS", "StartingGate"]

LONG_SECONDS = 0.005
"""A call that has neither ended nor waited by then no longer keeps others from beginning. So long a thread of Python's
may keep the interpreter's lock, too."""

_PROMPT_SECONDS = 0.002
_PROMPT_CALLS = 150
"""So many calls in a row must have waited, each so soon, before others begin one at a time. Where other programs keep
the processors busy, a new thread waits for one as long as those may run: milliseconds. One call alone would hold up all
that come after it, so two begin together there."""


class StartingGate:
    """Lets calls begin; guarded by the lock of whoever has it.

    A call takes the interpreter's lock some ten times until it waits, and those that begin together take it away from
    each other, with a switch of threads each time. So each call that waits halves the number of those that may begin
    together: down to two, and to one where all come to that soon. A call that ends without having waited may have done
    its work outside of the interpreter, or have blocked where nobody sees it: it doubles the number.

    Args:
        most: How many may ever begin together.
        first: How many may as long as nothing is known of them.
    """

    def __init__(self, most: int, first: int = 8) -> None:
        self._most, self._width = most, first
        self._beginning: dict[object, float] = {}  # until when each keeps others from it
        self._long: set[object] = set()  # those that have not waited since
        self._prompt = 0  # how many in a row have waited within `_PROMPT_SECONDS`

    @property
    def is_open(self) -> bool:
        """Whether another call may begin."""
        return len(self._beginning) < self._width

    def begin(self, call: object) -> None:
        """Says that a call begins."""
        self._beginning[call] = time.monotonic() + LONG_SECONDS

    def wait(self, call: object) -> None:
        """Says that a call waits; only the first time counts."""
        until = self._beginning.get(call, 0.0)
        if self.forget(call):
            late = time.monotonic() > until - LONG_SECONDS + _PROMPT_SECONDS
            self._prompt = 0 if late else self._prompt + 1
            self._width = max(1 if self._prompt >= _PROMPT_CALLS else 2, self._width // 2)

    def end(self, call: object) -> None:
        """Says that a call has ended."""
        if self.forget(call):
            self._width = min(self._most, self._width * 2)

    def look(self) -> None:
        """Lets those go by that take long; whoever has calls that want to begin comes here every `LONG_SECONDS`."""
        now = time.monotonic()
        for call in [call for call, until in self._beginning.items() if until <= now]:
            del self._beginning[call]
            self._long.add(call)

    def forget(self, call: object) -> bool:
        """Forgets a call that is not to count; says whether it began, and has neither waited nor ended since."""
        if self._beginning.pop(call, None) is not None:
            return True
        if call in self._long:
            self._long.remove(call)
            return True
        return False
