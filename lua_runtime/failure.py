"""From what Lua code brought out to a value or an error: the one place that knows the words of `calls.lua`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from polycall.interop.context import CallContext
from polycall.interop.errors import (
    CancelledError,
    ConversionError,
    DeadlineError,
    GuestError,
    InternalError,
    MemoryLimitError,
    PolycallError,
    raise_if,
)
from polycall.interop.exception_text import exception_text
from polycall.interop.json_text import encode_json
from polycall.interop.values import Value
from polycall.lua_runtime.engine import LuaError, LuaMemoryError
from polycall.lua_runtime.session import Session
from polycall.lua_runtime.values import lift_all, readable

__all__ = ["POISONING", "conclude", "memory_error", "raise_stopped", "raise_unforeseen"]

_E = TypeVar("_E", bound=BaseException | None)

POISONING = frozenset({b"stopped", b"memory"})
"""Words after which a state must not be used again."""

_OVERFLOW = "stack overflow"

_LATE_SECONDS = 1.0
_LATE_HINT = "a function of C ran on past it, which only isolation: sandbox interrupts"


def conclude(answer: tuple[Any, ...], session: Session) -> Value:
    """Returns the value that the answer says, or raises the error.

    Args:
        answer: A word and what belongs to it.
        session: Of the state.

    Raises:
        PolycallError: The guest failed, was stopped, or returned what cannot travel.
    """
    word = answer[0]
    if word == b"value":
        return _lifted(answer[1], answer[2:], session)
    if word in {b"raised", b"returned"}:
        _raise_failed(answer, session)
    if word == b"unfit":
        path, expected, got = (_text(part) for part in answer[1:])
        raise ConversionError(path, "lift", expected, got)
    if word == b"memory":
        raise memory_error(session)
    raise_stopped(session)


def _raise_failed(answer: tuple[Any, ...], session: Session) -> NoReturn:
    word, text, kind, retryable, token, cause, trace, length, *details = answer
    raise_if(_marked(session.original(token), returned=word == b"returned"))
    about = _lifted(length, details, session) if length else None
    message = _json_like(about) if text is None else _text(text)
    raise GuestError(
        message,
        entry_id=session.entry_id,
        hint="a function may be calling itself without end" if _OVERFLOW in message else None,
        kind=_text(kind) or "Internal",
        retryable=retryable,
        details=about,
        guest_traceback=_text(trace) if trace else None,
        returned=word == b"returned",
    ) from session.original(cause)


def _marked(error: _E, *, returned: bool) -> _E:
    # An error keeps its mark while it passes from guest to guest: each says for itself.
    if isinstance(error, PolycallError):
        error.returned = returned
    return error


def _json_like(value: Value) -> str:
    try:
        return encode_json(value)
    except ConversionError:
        return repr(value)


def memory_error(session: Session) -> MemoryLimitError:
    """Returns the error for a state that could not allocate."""
    if session.memory_limit is None:
        return MemoryLimitError("the guest asked for more memory than there is", entry_id=session.entry_id)
    return MemoryLimitError(
        f"the guest needs more than its {session.memory_limit} bytes of memory",
        entry_id=session.entry_id,
        hint="limits.max_memory_bytes allows more",
    )


def raise_stopped(session: Session) -> NoReturn:
    """Raises what stopped the guest."""
    raise _marked(_stop(session), returned=False)


def _stop(session: Session) -> BaseException:
    context = session.context or session.starting
    failure, session.failure = session.failure, None  # kept, it would keep what its traceback refers to
    if failure is None:
        failure = _interruption(session, context) if context else None
    if failure is None:
        return InternalError("a Lua guest was stopped for no known reason", entry_id=session.entry_id)
    if _is_fault(failure):
        error = InternalError(f"a host function failed: {exception_text(failure)}", entry_id=session.entry_id)
        error.__cause__ = failure
        return error
    return failure


def _interruption(session: Session, context: CallContext) -> CancelledError | DeadlineError | None:
    interruption = context.interruption()
    if isinstance(interruption, DeadlineError) and session.at_once is not None and context.deadline is not None:
        late_seconds = time.monotonic() - context.deadline
        interruption.hint = _LATE_HINT if late_seconds > _LATE_SECONDS else None
    return interruption


def raise_unforeseen(error: BaseException, session: Session) -> NoReturn:
    """Raises what an exception means that came out of the engine instead of an answer.

    The hook may fire in the host's own Lua code, outside of everything that turns errors into answers.
    """
    if isinstance(error, LuaMemoryError):
        raise memory_error(session) from None
    if isinstance(error, LuaError) and session.stopped:
        raise_stopped(session)
    if _is_fault(error):
        raise InternalError(f"the Lua engine failed: {exception_text(error)}", entry_id=session.entry_id) from error
    try:
        raise error
    finally:
        del error  # see `raise_if`


def _is_fault(error: BaseException) -> bool:
    """Says whether it is a fault: no error of ours, nor raised by a signal's handler, whose owner is to see it."""
    if isinstance(error, PolycallError) or not isinstance(error, Exception):
        return False
    import signal  # noqa: PLC0415  # what is raised here is a PolycallError nearly always
    from traceback import walk_tb  # noqa: PLC0415  # the same

    handlers = {getattr(signal.getsignal(number), "__code__", None) for number in signal.valid_signals()}
    return not any(frame.f_code in handlers for frame, _ in walk_tb(error.__traceback__))


def _lifted(length: int, run: Sequence[Any], session: Session) -> Value:
    whole = run if len(run) == length else _whole(length, session)
    (value,) = lift_all(whole, session.check, session.resources.handle)
    return value


def _whole(length: int, session: Session) -> Sequence[Any]:
    all_of_it: list[Any] = []
    session.broken = session.untidy = True  # if the deadline passes in between, what is left is in the state
    while len(all_of_it) < length:
        session.check()
        piece = session.rest()
        all_of_it += piece if isinstance(piece, tuple) else (piece,)
    session.broken = False
    return all_of_it


def _text(data: object) -> str:
    """Returns text that came from Lua; anything else could be a guest's own table, which is never touched."""
    if type(data) is not bytes:
        raise InternalError(f"the Lua code of the host gave a {type(data).__name__} where it gives text")
    return readable(data)
