"""Python's signal handlers kept from raising where the engine would pay for it.

A guest that runs in the main thread may be in the engine when a signal comes. Python then runs the signal's handler at
the very first instruction of the next callback, before any ``try`` of it is entered; what the handler raises (Ctrl-C:
`KeyboardInterrupt`) ends the callback without a result, and the engine takes what lies in its place for a pointer.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # no stub; `signal` itself takes ten times longer: it makes enums
import signal
from collections import deque
from collections.abc import Callable
from operator import is_
from threading import get_ident
from types import FrameType

from polycall.interop.forks import watch_forks

__all__ = ["SignalShield"]

_NAMES = "INT TERM HUP QUIT ALRM VTALRM PROF USR1 USR2 XCPU CHLD WINCH BREAK"
_GUARDED = tuple(int(getattr(signal, f"SIG{name}")) for name in _NAMES.split() if hasattr(signal, f"SIG{name}"))
"""The signals that programs handle, where the platform has them."""


class SignalShield:
    """Holds handlers back while the main thread is in the engine, and runs them where they may raise.

    That is: as soon as a callback is inside of its ``try`` (`open`), and after the engine has returned (`end`). Signals
    whose handler is not written in Python, or that have none, are left alone. Used in the main thread only, where alone
    Python runs handlers.

    Attributes:
        holding: Whether handlers are held back now. Plain assignment is the one way to switch it on that no signal can
            come in between.
        held: What is held back; where it is empty, `open` need not be called to switch `holding` off.
    """

    __slots__ = ("__weakref__", "_depth", "_guarding", "_handlers", "_here", "_seen", "_thread", "held", "holding")

    def __init__(self) -> None:
        self.holding = False
        self._here = self._arrived  # one object, to be told from handlers of others
        self._depth = 0
        self._thread = 0
        self._seen: list[object] = [self] * len(_GUARDED)  # their handlers, as they were last found
        self._guarding: tuple[int, ...] = ()  # those of them that are written in Python
        self._handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
        self.held: deque[tuple[int, FrameType | None]] = deque()
        watch_forks(self)

    def begin(self) -> None:
        """Holds handlers back from here on; `end` must follow. Calls nest."""
        if not self._depth:
            self._thread = get_ident()
            self._stand_in()
        self._depth += 1
        self.holding = True

    def open(self) -> None:
        """Lets handlers run again, those held back first; to be called in a callback's ``try``."""
        self.holding = False
        while self.held:
            number, frame = self.held.popleft()
            self._handlers[number](number, frame)

    def end(self) -> None:
        """Ends what `begin` began, and runs what was held back: it may raise."""
        self._depth -= 1
        try:
            if not self._depth:
                self._give_back()
        finally:
            self.open()

    def after_fork(self) -> None:
        """Lets go in a child forked by another thread, which is its main one: nobody in there is in the engine."""
        if self._depth and self._thread != get_ident():
            self._depth, self.holding = 0, False
            self.held.clear()
            self._give_back()

    def _stand_in(self) -> None:
        # Looked at each time: a program may set a handler between any two calls, and nothing tells of it.
        if not all(map(is_, map(_signal.getsignal, _GUARDED), self._seen)):
            self._look()
        # A signal between two of these lines is passed on at once: nothing is held back yet.
        for number in self._guarding:
            _signal.signal(number, self._here)

    def _look(self) -> None:
        found = [_signal.getsignal(number) for number in _GUARDED]
        handlers = {number: handler for number, handler in zip(_GUARDED, found, strict=True) if callable(handler)}
        # Ours is found where it stayed behind: what it stands for is known.
        self._handlers |= {number: handler for number, handler in handlers.items() if handler is not self._here}
        self._guarding = tuple(handlers)
        self._seen = found

    def _give_back(self) -> None:
        # A handler given back may raise here. The others then stay behind ours, which passes on, until the next call.
        for number in self._guarding:
            if _signal.getsignal(number) is self._here:  # else a host function has set another one
                _signal.signal(number, self._handlers[number])

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if self.holding:
            self.held.append((number, frame))
        else:
            self._handlers[number](number, frame)
