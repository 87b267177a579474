"""Instances in worker processes, in the shape that the dispatcher knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from polycall.interop.context import NO_VALUES, CallContext, Cancellation
from polycall.interop.errors import InternalError
from polycall.interop.values import Value
from polycall.registry.isolation.asking import have_instance
from polycall.registry.isolation.call import WorkerCall, call_message
from polycall.registry.isolation.guest_calls import GuestCalls
from polycall.registry.isolation.process import WorkerProcess

__all__ = ["IsolatedCommand", "IsolatedInstance"]


class IsolatedInstance:
    """An instance in a worker process. The calls that its guest makes are made here, in the thread of its call.

    A guest that its runtime could stop, or that trapped, is replaced inside the worker, which stays in use.

    Attributes:
        poisoned: True once the worker is gone.
    """

    def __init__(
        self,
        ready_worker: Callable[[CallContext | None], WorkerProcess],
        invoker: GuestCalls,
        call_seconds: float | None,
        context: CallContext | None,
        *,
        reads_values: bool,
        closing: Cancellation,
    ) -> None:
        """Starts the worker.

        Args:
            ready_worker: Gives a worker with an instance in it.
            invoker: Where its calls go, if its entry may make them.
            call_seconds: How long a call may take once there is an instance for it, or None.
            context: The call that waits for it, if there is one.
            reads_values: Whether its guest may know the context values of its calls; else the worker is not told.
            closing: Goes on when its guest may wait for nothing any more.
        """
        self._closing = closing
        self.poisoned = False
        self._ready_worker = ready_worker
        self._invoker = invoker
        self._call_seconds = call_seconds
        self._reads_values = reads_values
        self._worker = ready_worker(context)
        self._may_be_without_instance = False

    @property
    def pid(self) -> int:
        """The process id of the worker."""
        return self._worker.pid

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        """Runs the function; blocks the thread until it ends, fails or is interrupted.

        Raises:
            WorkerError: The worker died; the instance is poisoned.
            PolycallError: The call failed, or an argument cannot travel.
        """
        if self.poisoned:
            raise InternalError("an isolated instance was called after its end", entry_id=context.entry_id)
        worker = self._ready(context)
        if self._call_seconds is not None:
            context.limit(self._call_seconds)
        data = self._message(arguments, context)
        call = WorkerCall(worker, self._invoker, context)
        worker.turn_to(context)
        forget = None if context.cancellation is None else context.cancellation.on_cancel(worker.kill)
        let_wait = self._closing.on_cancel(worker.end_waits)
        try:
            return call.run(data)
        finally:
            let_wait()
            if forget is not None:
                forget()
            self._may_be_without_instance = call.discarded
            if not call.answered:  # KeyboardInterrupt, for one: the guest would run on, and answer the next call
                worker.close()
            self.poisoned = worker.ended
            worker.turn_to(None)  # last: a log handler of the user's may raise

    def _message(self, arguments: Sequence[Value], context: CallContext) -> bytes:
        return call_message("run", list(arguments), context, self._values(context))

    def _values(self, context: CallContext) -> Mapping[str, Value]:
        return context.values if self._reads_values else NO_VALUES

    def _ready(self, context: CallContext) -> WorkerProcess:
        """Returns the worker with an instance in it: the time to make one is none of the call's own."""
        if not self._worker.is_alive():  # it was killed while nothing ran in it: nobody needs to hear of that
            self._worker.close()
            self._worker = self._ready_worker(context)
        elif self._may_be_without_instance:
            have_instance(self._worker, context)
        return self._worker

    def close(self) -> None:
        """Ends the worker; harmless when repeated."""
        self.poisoned = True
        self._worker.close()


class IsolatedCommand(IsolatedInstance):
    """One run of a command in a worker, which answers with its exit status."""

    def __init__(self, *arguments: Any, console: list[Any], **options: Any) -> None:
        """Prepares it; see `IsolatedInstance`.

        Args:
            *arguments: Of `IsolatedInstance`.
            console: Stdin, stdout and stderr as the worker has them, arguments and variables of the command.
            **options: Of `IsolatedInstance`.
        """
        super().__init__(*arguments, **options)
        self._console = console

    def _message(self, _arguments: Sequence[Value], context: CallContext) -> bytes:
        return call_message("command", self._console, context, self._values(context))
