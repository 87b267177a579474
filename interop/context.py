"""The context of a call: what a nested call inherits from its caller."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from polycall.interop.errors import CancelledError, DeadlineError, DepthError, Frame, raise_if
from polycall.interop.forks import new_lock
from polycall.interop.public import public
from polycall.interop.values import describe

if TYPE_CHECKING:
    from polycall.interop.callees import Callees
    from polycall.interop.observer import Observer
    from polycall.interop.resources import Keeper
    from polycall.interop.values import Value

__all__ = ["DEFAULT_MAX_DEPTH", "NO_VALUES", "CallContext", "Cancellation", "deadline_in"]

DEFAULT_MAX_DEPTH = 32
"""Hops of one chain. About 100 nested guest-host-guest hops overflow the native stack, which kills the process."""

NO_VALUES: Mapping[str, Value] = MappingProxyType({})

_LAZILY = new_lock()
"""Two threads of one chain that ask at once for its id, or its files, must get the same."""


@public
class Cancellation:
    """A switch that stops a call chain from another thread; it goes on once and stays on."""

    def __init__(self) -> None:
        self.cancelled = False
        # Guarded by no lock: a signal handler may cancel in the very thread that it interrupted in here. What is done
        # to the dict is atomic; `on_cancel` looks at the switch after adding, `cancel` at the dict after switching.
        self._wakers: dict[Callable[[], None], None] = {}

    def cancel(self) -> None:
        """Stops every call that runs or waits under this switch, and every later one."""
        self.cancelled = True
        while True:
            try:
                wake, _ = self._wakers.popitem()
            except KeyError:
                return
            wake()

    def on_cancel(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Has `wake` called once, from the cancelling thread (at once if it is too late); returns how to call it off.

        `wake` must not block and must not raise.
        """
        waker = partial(wake)  # one of its own: the same function may be there already, for somebody else
        self.add(waker)
        return partial(self.remove, waker)

    def add(self, waker: Callable[[], None]) -> None:
        """Does what `on_cancel` does for an object that nobody else adds, which is how `remove` finds it.

        A thousand calls may wait: the garbage collector looks at all that is made for them.
        """
        self._wakers[waker] = None
        if self.cancelled:
            self.cancel()

    def remove(self, waker: Callable[[], None]) -> None:
        """Calls off what `add` has begun; harmless when it has been called, or called off before."""
        self._wakers.pop(waker, None)

    def joined(self, other: Cancellation) -> tuple[Cancellation, Callable[[], None]]:
        """Returns a switch that goes on when one of two does, and how to let go of both."""
        both = Cancellation()
        forgets = [each.on_cancel(both.cancel) for each in (self, other)]

        def forget() -> None:
            for each in forgets:
                each()

        return both, forget


class CallContext:
    """One frame of a call chain. Made by the dispatcher, read by runtimes, never changed by guests.

    Attributes:
        entry_id: The entry that runs in this frame, as text.
        language: ``lua``, ``wasm`` or ``python``.
        parent: The caller's frame, or None for a call from outside.
        depth: 1 for a call from outside.
        deadline: When the frame must have ended, in seconds of `time.monotonic`, or None; never after the caller's.
        cancellation: What stops the frame and those below it, or None if nobody can. One given to a nested frame must
            go on with its parent's (`Cancellation.joined`).
        values: What ``ctx.get`` sees: the caller's values, merged with the frame's own.
        observer: Who is told of this frame and those below it, or None; the dispatcher may set it before the call runs.
        holds: Of the outermost frame alone: what keeps instances for the resources that the chain has got, in order;
            None if it has got none.
        callees: What the entry of the frame may call; None for everything. Of this frame alone: a callee has its own.
        ceiling: Lists that all frames of the chain from here on are held to besides.
    """

    __slots__ = (
        "_files",
        "_frame_id",
        "callees",
        "cancellation",
        "ceiling",
        "deadline",
        "depth",
        "entry_id",
        "holds",
        "language",
        "observer",
        "parent",
        "values",
    )

    def __init__(  # noqa: PLR0917  # by position, which is faster: every call makes one
        self,
        entry_id: str,
        language: str,
        parent: CallContext | None = None,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
        values: Mapping[str, Value] | None = None,
        callees: Callees | None = None,
    ) -> None:
        self.entry_id = entry_id
        self.language = language
        self.parent = parent
        self.callees = callees
        if parent is None:
            self.depth = 1
            self.ceiling: tuple[Callees, ...] = ()
            self.deadline = deadline
            self.cancellation = cancellation
            self.values = values or NO_VALUES
            self.observer: Observer | None = None
            self.holds: dict[Keeper, None] | None = None
            return
        self.observer = parent.observer
        self.ceiling = parent.ceiling
        self.depth = parent.depth + 1
        self.deadline = parent.deadline
        if deadline is not None and (self.deadline is None or deadline <= self.deadline):
            self.deadline = deadline
        self.cancellation = parent.cancellation if cancellation is None else cancellation
        self.values = {**parent.values, **values} if values else parent.values

    @property
    def guarded(self) -> bool:
        """Whether the call may have to be interrupted: a runtime pays for interruption only then."""
        return self.deadline is not None or self.cancellation is not None

    @property
    def restricted(self) -> bool:
        """Whether there is anything that it may not call."""
        return self.callees is not None or bool(self.ceiling)

    @property
    def frame_id(self) -> str:
        """16 hexadecimal digits, drawn when they are first asked for: a call that nobody names pays for no name."""
        with _LAZILY:
            if not hasattr(self, "_frame_id"):  # not set to None from the start: that would cost every call
                self._frame_id = os.urandom(8).hex()
            return self._frame_id

    @property
    def call_id(self) -> str:
        """The id that all frames of the chain share: that of the outermost one."""
        return self.outermost().frame_id

    @property
    def files(self) -> WeakSet[Any]:
        """What the guests of all frames of the chain have open; see `polycall.interop.open_files`."""
        if self.parent is not None:
            return self.outermost().files
        with _LAZILY:
            if not hasattr(self, "_files"):  # as for `frame_id`
                self._files: WeakSet[Any] = WeakSet()
            return self._files

    def outermost(self) -> CallContext:
        """Returns the frame of the call from outside."""
        frame = self
        while frame.parent is not None:
            frame = frame.parent
        return frame

    def frames(self) -> tuple[Frame, ...]:
        """Returns the chain up to this frame, outermost first."""
        frames: list[Frame] = []
        context: CallContext | None = self
        while context is not None:
            frames.append(Frame(context.entry_id, context.language))
            context = context.parent
        return tuple(reversed(frames))

    def limit(self, seconds: float) -> None:
        """Gives the frame no more than that from now on; for an instance, before its guest runs."""
        own = time.monotonic() + seconds
        if self.deadline is None or own < self.deadline:
            self.deadline = own

    def remaining_seconds(self) -> float | None:
        """Returns the time left until the deadline (0 when it is past), or None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def interruption(self, doing: str = "") -> CancelledError | DeadlineError | None:
        """Returns the error that must end this call now, or None while it may go on.

        Args:
            doing: What the call is busy with, for the error's text: ``it waited for an instance``.
        """
        when = f" while {doing}" if doing else ""
        if self.cancellation is not None and self.cancellation.cancelled:
            return CancelledError(f"the call was cancelled{when}", entry_id=self.entry_id)
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return DeadlineError(f"the deadline of the call passed{when}", entry_id=self.entry_id)
        return None

    def check(self, max_depth: int = DEFAULT_MAX_DEPTH) -> None:
        """Raises if the call may not start: too deep, cancelled, or out of time.

        Raises:
            DepthError: The chain is longer than `max_depth`.
            CancelledError: The chain was cancelled.
            DeadlineError: There is no time left.
        """
        if self.depth > max_depth:
            raise DepthError(
                f"the call chain is deeper than {max_depth}",
                entry_id=self.entry_id,
                hint="two functions may be calling each other without end",
            )
        if self.deadline is not None or self.cancellation is not None:
            raise_if(self.interruption())


def deadline_in(timeout: float) -> float:
    """Returns when so many seconds will have passed, in seconds of `time.monotonic`.

    Raises:
        TypeError: It is no number.
        ValueError: It is negative, infinite or not a number.
    """
    if not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout is {describe(timeout)}; it must be a number of seconds from 0 on, or None")
    try:
        seconds = float(timeout)
    except OverflowError:  # a huge integer
        seconds = math.inf
    if not seconds >= 0 or math.isinf(seconds):
        raise ValueError(f"timeout is {seconds}; it must be a number of seconds from 0 on, or None")
    return time.monotonic() + seconds
