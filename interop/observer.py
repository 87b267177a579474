"""The protocol of whoever is told of calls: the log, the metrics, traces and telemetry are all observers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from interop.context import CallContext
from interop.errors import PolycallError
from interop.values import Value

__all__ = ["INTERRUPTED", "OK", "Ended", "Finish", "Observer"]

OK = "ok"
"""The outcome of a call that gave a value, where a failed one has the code of its error."""

INTERRUPTED = "interrupted"
"""The outcome of a call that Python itself broke off, by KeyboardInterrupt for instance."""


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


class Observer(Protocol):
    """Is told when a frame of a call begins and when it ends.

    Both are called in the thread of the call, with no lock held, so frames of one thread end in the reverse order of
    their beginning. Arguments and results are the call's own: an observer neither changes nor keeps them. What it
    raises is logged and changes nothing about the call.
    """

    def start(self, context: CallContext, arguments: Sequence[Value]) -> Finish:
        """Takes note of a call that begins.

        Args:
            context: Its frame; `CallContext.parent` is the frame that makes the call.
            arguments: What it is called with; a payload of ``call-string`` or ``call-bytes`` as it came.

        Returns:
            What to call once when it has ended.
        """
        ...
