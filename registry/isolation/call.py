"""One call of a guest in a worker: what goes there, and what comes back until it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.errors import CancelledError, DeadlineError, PolycallError, WorkerError, raise_if
from polycall.interop.guest_log import guest_logger
from polycall.interop.observer import WaitObserver
from polycall.interop.values import Value
from polycall.registry.isolation.error_data import ToldErrors, decode_error, error_message
from polycall.registry.isolation.guest_calls import GuestCalls
from polycall.registry.isolation.messages import MessageError, pack
from polycall.registry.isolation.process import TimeIsUp, WorkerProcess

__all__ = ["WorkerCall", "call_message"]

_GRACE_SECONDS = 0.03
"""How much later than the deadline a worker is killed: a guest that its runtime can stop has ended by then."""


class WorkerCall:
    """One call of an isolated guest.

    Attributes:
        answered: Whether the worker gave its answer, and so is ready for another call.
        discarded: Whether the worker may have discarded its instance: if it says so, or after anything but a result.
    """

    def __init__(self, worker: WorkerProcess, invoker: GuestCalls, context: CallContext) -> None:
        self._worker = worker
        self._invoker = invoker
        self._context = context
        self._until = None if context.deadline is None else context.deadline + _GRACE_SECONDS
        self._told = ToldErrors()
        self.answered = False
        self.discarded = True

    def run(self, data: bytes) -> Value:
        """Sends the message of the call, and serves the worker until it answers.

        Raises:
            WorkerError: The worker died, or talks nonsense.
            PolycallError: The call failed.
        """
        try:
            self._worker.send(data, self._until)
            return self._serve()
        except (TimeIsUp, WorkerError) as end:  # a WorkerError may also be the guest's answer: of a call that it made
            # A worker that was killed because the call is over is no failure of the worker.
            if not self.answered:
                raise_if(self._interruption(end.__cause__))
            raise

    def _serve(self) -> Value:
        while True:
            match self._worker.receive(self._until):
                case ["result", value, *discarded] if discarded in ([], [True]):
                    self.answered, self.discarded = True, bool(discarded)
                    result: Value = value
                    return result
                case ["error", data, *returned] if returned in ([], [True]):
                    raise self._failure(data, returned=bool(returned))
                case [str(way), what, str(target)] if self._invoker.allows(way, what, target):
                    self._worker.send(self._answer(way, target, what), self._until)
                case [str(word), *_]:
                    raise self._worker.broken(f'"{word[:40]}", which is out of place')
                case _:
                    raise self._worker.broken("a message without a word")

    def _answer(self, way: str, target: str, what: Any) -> bytes:
        try:
            value = self._invoker.call(way, target, what, self._context)
            return pack("result", value, "$.result", check=lambda: raise_if(self._context.interruption()))
        except PolycallError as error:
            if self._context.interruption() is None:
                message = error_message(error)
                self._told.add(error, self._worker.last_bytes + len(message))
                return message
            # The guest's own time is up too: it gets no chance to go on.
            if not isinstance(error, (DeadlineError, CancelledError)):
                raise_if(self._interruption(error))
            raise

    def _interruption(self, cause: BaseException | None) -> PolycallError | None:
        interruption = self._context.interruption()
        if interruption is not None:
            interruption.__cause__ = cause
        return interruption

    def _failure(self, data: Any, *, returned: bool) -> PolycallError:
        try:
            error = decode_error(data, self._told, returned=returned)
        except MessageError as broken:
            error = self._worker.broken(str(broken))
        self.answered = not self._worker.ended
        return error


def call_message(word: str, what: list[Any], context: CallContext, values: Mapping[str, Value]) -> bytes:
    """Returns the message that begins a call.

    Args:
        word: What the worker is to run.
        what: On what.
        context: The call.
        values: What its guest may know of the context's values.
    """
    seconds = context.remaining_seconds()
    log_level = max(1, guest_logger(context.entry_id).getEffectiveLevel())
    about = (seconds, context.depth, dict(values), log_level, isinstance(context.observer, WaitObserver))
    return pack(word, what, "$.args", *about, check=lambda: raise_if(context.interruption()))
