"""The protocol of whoever is told of calls: the log, the metrics, traces and telemetry are all observers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from polycall.interop.errors import PolycallError
from polycall.interop.public import public
from polycall.interop.values import Value

__all__ = ["INTERRUPTED", "OK", "Ended", "Finish", "ObservedCall", "Observer", "WaitObserver", "observed"]

OK = "ok"
"""The outcome of a call that gave a value, where a failed one has the code of its error."""

INTERRUPTED = "interrupted"
"""The outcome of a call that Python itself broke off, by KeyboardInterrupt for instance."""


@public
class Ended(NamedTuple):
    """How one frame ended.

    Attributes:
        seconds: How long it took, waiting for an instance included.
        result: What it gave; None if it failed.
        error: What made it fail, or None.
    """

    seconds: float
    result: Value
    error: BaseException | None

    @property
    def outcome(self) -> str:
        """`OK`, the code of the error, or `INTERRUPTED`."""
        if self.error is None:
            return OK
        return self.error.code if isinstance(self.error, PolycallError) else INTERRUPTED


Finish: TypeAlias = Callable[[Ended], None]


@public
class ObservedCall(Protocol):
    """What an observer may know of one frame of a call chain; `interop.context.CallContext` is it.

    Attributes:
        entry_id: The entry that runs in this frame, as text.
        language: ``lua``, ``wasm`` or ``python``.
        parent: The caller's frame, or None for a call from outside.
        depth: 1 for a call from outside.
        frame_id: 16 hexadecimal digits of this frame alone.
        call_id: The id that all frames of the chain share: that of the outermost one.
    """

    @property
    def entry_id(self) -> str: ...  # noqa: D102  # all of them: the class says it
    @property
    def language(self) -> str: ...  # noqa: D102
    @property
    def parent(self) -> ObservedCall | None: ...  # noqa: D102
    @property
    def depth(self) -> int: ...  # noqa: D102
    @property
    def frame_id(self) -> str: ...  # noqa: D102
    @property
    def call_id(self) -> str: ...  # noqa: D102


@public
class Observer(Protocol):
    """Is told when a frame of a call begins and when it ends.

    Both are called in the thread of the call, with no lock held, so frames of one thread end in the reverse order of
    their beginning. Arguments and results are the call's own: an observer neither changes nor keeps them. What it
    raises is logged and changes nothing about the call.
    """

    def start(self, context: ObservedCall, arguments: Sequence[Value]) -> Finish:
        """Takes note of a call that begins.

        Args:
            context: Its frame; its `parent` is the frame that makes the call.
            arguments: What it is called with; a payload of ``call-string`` or ``call-bytes`` as it came.

        Returns:
            What to call once when it has ended.
        """
        ...


@public
@runtime_checkable
class WaitObserver(Protocol):
    """An observer that is told of waits, too."""

    def waited(self, context: ObservedCall, what: str, seconds: float) -> None:
        """Takes note of what a guest of WebAssembly has waited for; in the thread of the call.

        Args:
            context: The frame of the call.
            what: A file, a host and its port, a point in time; never what is in them.
            seconds: How long.
        """
        ...


def observed(observer: Observer, context: ObservedCall, arguments: Sequence[Value], work: Callable[[], Value]) -> Value:
    """Runs the call that `work` makes and tells an observer of it.

    Raises:
        BaseException: What `work` raised.
    """
    finish = observer.start(context, arguments)
    started = time.perf_counter()
    try:
        result = work()
    except BaseException as error:
        finish(Ended(time.perf_counter() - started, None, error))
        raise
    finish(Ended(time.perf_counter() - started, result, None))
    return result
