"""What is asked of a worker outside calls: to start, to make an instance."""

from __future__ import annotations

from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.errors import WorkerError
from polycall.interop.start_up import start_frame, start_interruption
from polycall.registry.isolation.error_data import decode_error
from polycall.registry.isolation.messages import MessageError, pack
from polycall.registry.isolation.process import TimeIsUp, WorkerProcess

__all__ = ["asked", "have_instance"]

_START_SECONDS = 60.0
"""How long a worker may take to start, compile and prepare. What it runs then has bounds of its own (10 s)."""

_INSTANTIATE = pack("instantiate", None, "$")


def have_instance(worker: WorkerProcess, context: CallContext | None) -> None:
    """Has a worker make an instance, unless it has one."""
    if asked(worker, _INSTANTIATE, context) != ["instantiated", None]:
        raise worker.broken("no word of an instance")


def asked(worker: WorkerProcess, request: bytes, context: CallContext | None) -> list[Any]:
    """Returns the worker's answer to what is asked of it outside calls; a worker that fails is ended."""
    frame = start_frame(worker.entry_id, "python", _START_SECONDS, context)
    forget = None if frame.cancellation is None else frame.cancellation.on_cancel(worker.kill)
    try:
        worker.send(request, frame.deadline)
        return _unfailed(worker, worker.receive(frame.deadline))
    except BaseException as error:
        worker.close()
        # A worker that was killed because nobody waits for it any more is no failure of the worker.
        if isinstance(error, (TimeIsUp, WorkerError)) and frame.interruption() is not None:
            raise start_interruption(worker.entry_id, _START_SECONDS, context) from None
        raise
    finally:
        if forget is not None:
            forget()


def _unfailed(worker: WorkerProcess, answer: list[Any]) -> list[Any]:
    if answer[0] != "error":
        return answer
    try:
        raise decode_error(answer[1] if len(answer) == 2 else None)
    except MessageError as error:
        raise worker.broken(str(error)) from error
