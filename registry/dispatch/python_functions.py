"""Python callables as entries: called from Lua and WebAssembly like any other function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar

from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import GuestError, PolycallError
from polycall.interop.exception_text import exception_text
from polycall.interop.protocols import Function, ImportNeed, Signature
from polycall.interop.resources import wrong_with
from polycall.interop.values import Value, describe, plain

__all__ = ["PYTHON_KIND", "PythonFunction", "current_context"]

PYTHON_KIND = "function.python"

_Run = Callable[[tuple[Value, ...], CallContext], object]

_current: ContextVar[CallContext | None] = ContextVar("polycall_current_call", default=None)


current_context: Callable[[], CallContext | None] = _current.get
"""Returns the frame of the registered Python function that is running here, or None outside of one.

A call that such a function makes continues its chain: deadline, depth and values pass through Python as well.
"""


class PythonFunction:
    """A Python callable in the shape of a prepared function.

    Attributes:
        entry_id: ``namespace:name``.
        language: ``python``.
        signature: None: Python callables are not checked by type.
        imports: None.
    """

    language = "python"
    signature: Signature | None = None
    imports: Sequence[ImportNeed] = ()
    has_resources = False
    export = None

    def __init__(self, entry_id: str, body: Callable[..., object], closing: Cancellation) -> None:
        """Takes a function in.

        Args:
            entry_id: ``namespace:name``.
            body: The callable; an ``async def`` runs on the event loop that runs here.
            closing: Goes on when no call may wait for it any more.

        Raises:
            TypeError: It is no callable.
            RuntimeError: It is async, and no event loop runs here.
        """
        if not callable(body):
            raise TypeError(f"{entry_id}: a callable is registered, not {describe(body)}")
        self.entry_id = entry_id
        from polycall.registry.dispatch.loop_functions import LoopFunction, is_async  # noqa: PLC0415  # a cold start pays

        self._run: _Run = lambda arguments, _context: body(*arguments)
        if is_async(body):
            self._run = LoopFunction(entry_id, body, closing).run

    def instantiate(self, _context: CallContext | None = None) -> PythonInstance:
        """Returns an instance for one call."""
        return PythonInstance(self.entry_id, self._run)

    def shares_instances_with(self, _other: Function) -> bool:
        """Says no: it has no resources."""
        return False

    def host_traffic(self) -> None:
        """Returns nothing: nobody counts."""

    def payload_arguments(self, payload: str | bytes) -> Sequence[Value]:
        """Returns the payload as the only argument."""
        return (payload,)


class PythonInstance:
    """One call's hold on a Python callable; the callable itself is shared.

    Attributes:
        poisoned: Never looked at: a Python function keeps no state of a call.
    """

    __slots__ = ("_entry_id", "_run", "poisoned")

    def __init__(self, entry_id: str, run: _Run) -> None:
        self._entry_id = entry_id
        self._run = run
        self.poisoned = False

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        """Calls the body with plain values and checks that its result is plain.

        Raises:
            GuestError: The body raised; the exception is the cause.
            ConversionError: It returned something that no guest language has.
        """
        token = _current.set(context)
        try:
            return plain(self._run(tuple(arguments), context), "$.result", wrong_with)
        except PolycallError:
            raise
        except Exception as error:
            # Without a traceback: it would name the host's paths to the guests that the error passes through.
            raise GuestError(exception_text(error), entry_id=self._entry_id) from error
        finally:
            _current.reset(token)

    def close(self) -> None:
        """Does nothing: there is nothing to give back."""
