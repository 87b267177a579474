"""One Lua state that serves calls, one at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.errors import InternalError, PolycallError
from polycall.interop.limits import LimitsSpec
from polycall.interop.start_up import start_seconds
from polycall.interop.values import Value
from polycall.lua_runtime.failure import POISONING, conclude, memory_error, raise_unforeseen
from polycall.lua_runtime.session import Session
from polycall.lua_runtime.values import LARGEST, SMALLEST, lower, lower_scalars

__all__ = ["LuaInstance", "LuaKernel"]


class LuaKernel(ABC):
    """One Lua state with the host's Lua code in it, before and after a guest's chunk is started.

    Attributes:
        session: What the host functions of the state share.
        start_seconds: How long start-up code may run.
        bare: Calls the entry's function with scalars, as `call` does, where nothing limits or interrupts the call; None
            where something always does.
    """

    bare: Callable[..., Any] | None = None

    def __init__(self, session: Session, limits: LimitsSpec) -> None:
        """Makes nothing yet.

        Args:
            session: Of this state alone.
            limits: What it may use.
        """
        self.session = session
        self.start_seconds = start_seconds(limits)
        self._call_seconds = limits.execution_seconds
        self._limit = session.memory_limit = limits.max_memory_bytes
        self._limited = self._limit is not None or self._call_seconds is not None

    @abstractmethod
    def start(self, method: str, context: CallContext | None) -> Any:
        """Runs the entry's chunk and looks up its method.

        Args:
            method: The name of the function.
            context: The call that waits for it, if there is one.

        Returns:
            ``b"started"``, or the words of ``lua/guard/calls.lua`` that say why not.
        """

    @abstractmethod
    def call(self, arguments: Sequence[Value], context: CallContext) -> Any:
        """Calls the entry's function; returns a scalar, or a word of ``lua/guard/calls.lua`` and what it says."""

    def release(self, *, lost: bool = False) -> None:
        """Gives the memory back; harmless when repeated.

        Args:
            lost: That nobody ended it: what it consists of may be freed at the same time, in any order.
        """
        self.session.end_call()
        # They and the state refer to each other: without them its memory goes back at once.
        self.session.marks = self.bare = None
        self.session.rest = tuple

    def _lowered(self, arguments: Sequence[Value]) -> list[Any]:
        session, run = self.session, []
        for index, argument in enumerate(arguments):
            run += lower(argument, f"$.args[{index}]", session.marks, session.check)
        return run

    def _admit(self, run: Iterable[Any], limit: int) -> None:
        """Lets a run in, whatever the state holds already, unless the run alone is more than it may hold."""
        if sum(len(item) for item in run if type(item) is bytes) > limit:
            raise memory_error(self.session)


class LuaInstance:
    """A started Lua program.

    Attributes:
        poisoned: True after a limit or a host failure: the state must not be used again.
    """

    def __init__(self, kernel: LuaKernel) -> None:
        self.poisoned = False
        self._session = kernel.session
        self._bare = kernel.bare
        self._kernel: LuaKernel | None = kernel

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        """Runs the entry's function; see `polycall.interop.protocols.Instance`.

        Raises:
            GuestError: The function raised, or returned an error as its second value.
            ConversionError: An argument or the result cannot travel.
            LimitError: The deadline passed, the call was cancelled, or memory ran out; the instance is poisoned.
            PolycallError: The error of a nested call that the function passed on.
        """
        if self.poisoned:
            raise _ended(context)
        session = self._session
        session.context = context
        try:
            bare = self._bare
            if bare is None or context.deadline is not None or context.cancellation is not None:
                answer = self._call(arguments, context)
            # What most calls have, for which each step is a twentieth of what they take; `lower_scalars` does the same.
            elif len(arguments) == 1 and type(first := arguments[0]) is int and SMALLEST <= first <= LARGEST:
                answer = bare(first)
            else:
                run = lower_scalars(arguments)
                answer = self._call(arguments, context) if run is None else bare(*run)
            kind = type(answer)
            if kind is bytes:
                try:
                    return answer.decode()  # type: ignore[no-any-return]
                except UnicodeDecodeError:
                    return answer  # type: ignore[no-any-return]  # as `text_of` says
            if kind is not tuple:
                return answer  # type: ignore[no-any-return]  # any other scalar is what it is
            self.poisoned = answer[0] in POISONING
            return conclude(answer, session)
        except PolycallError:
            raise
        except BaseException as error:  # noqa: BLE001  # the engine's, or KeyboardInterrupt: raised on as what it means
            self.poisoned = True
            raise_unforeseen(error, session)
        finally:
            session.context = None
            if session.untidy:
                self.poisoned = self.poisoned or session.broken or self._kernel is None
                session.tidy_up(context)

    def _call(self, arguments: Sequence[Value], context: CallContext) -> Any:
        if self._kernel is None:
            raise _ended(context)
        return self._kernel.call(arguments, context)

    def close(self) -> None:
        """Gives the state's memory back; harmless when repeated."""
        self._end(lost=False)

    def _end(self, *, lost: bool) -> None:
        self.poisoned = True
        kernel, self._kernel, self._bare = self._kernel, None, None
        if kernel is not None:
            kernel.release(lost=lost)

    def __del__(self) -> None:
        """Gives back the memory of a state that nobody called or closed, as of an entry that was only checked."""
        self._end(lost=True)


def _ended(context: CallContext) -> InternalError:
    return InternalError("a Lua instance was called after its end", entry_id=context.entry_id)
