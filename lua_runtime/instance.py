"""One Lua state that serves calls, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.errors import InternalError, PolycallError
from polycall.interop.values import Value
from polycall.lua_runtime.failure import POISONING, conclude, raise_unforeseen
from polycall.lua_runtime.kernel import Kernel
from polycall.lua_runtime.values import AT_ONCE, lower, lower_scalars, text_of

__all__ = ["LuaInstance"]


class LuaInstance:
    """A started Lua program.

    Attributes:
        poisoned: True after a limit or a host failure: the state must not be used again.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.poisoned = False
        self._kernel: Kernel | None = kernel

    def call(self, arguments: Sequence[Value], context: CallContext) -> Value:
        """Runs the entry's function; see `polycall.interop.protocols.Instance`.

        Raises:
            GuestError: The function raised, or returned an error as its second value.
            ConversionError: An argument or the result cannot travel.
            LimitError: The deadline passed, the call was cancelled, or memory ran out; the instance is poisoned.
            PolycallError: The error of a nested call that the function passed on.
        """
        kernel = self._kernel
        if kernel is None or self.poisoned:
            raise InternalError("a Lua instance was called after its end", entry_id=context.entry_id)
        session = kernel.session
        session.context = context
        try:
            if kernel.call_seconds is not None:
                context.limit(kernel.call_seconds)
            guarded = context.deadline is not None or context.cancellation is not None
            run = lower_scalars(arguments)
            if run is None:
                answer = self._run_fed(kernel, arguments, guarded)
            else:
                if session.cap is not None:
                    kernel.make_room(run)
                answer = kernel.enter_guarded(*run) if guarded else kernel.enter(*run)
            if guarded and session.expired():  # no hook saw it: the time passed inside a C function
                answer = (b"stopped",)
            if type(answer) is bytes:
                return text_of(answer)
            if type(answer) is not tuple:
                return answer  # type: ignore[no-any-return]  # any other scalar is what it is
            self.poisoned = answer[0] in POISONING
            return conclude(answer, session, kernel.more)
        except PolycallError:
            raise
        except BaseException as error:  # noqa: BLE001  # the engine's, or KeyboardInterrupt: raised on as what it means
            self.poisoned = True
            raise_unforeseen(error, session)
        finally:
            session.context = None
            if session.untidy:
                self.poisoned = self.poisoned or session.unread
                session.tidy_up(context)

    def _run_fed(self, kernel: Kernel, arguments: Sequence[Value], guarded: bool) -> Any:
        """Hands the arguments over in pieces, then makes the call: for tables."""
        session = kernel.session
        run: list[Any] = []
        for index, argument in enumerate(arguments):
            run += lower(argument, f"$.args[{index}]", session.marks, session.check)
        kernel.make_room(run)
        try:
            for start in range(0, len(run), AT_ONCE):
                session.check()
                session.lift_cap()
                kernel.feed(*run[start : start + AT_ONCE])
        except BaseException:
            self.poisoned = True  # what was fed is in the state
            raise
        return (kernel.enter_fed_guarded if guarded else kernel.enter_fed)(len(arguments))

    def close(self) -> None:
        """Gives the state's memory back; harmless when repeated."""
        kernel, self._kernel = self._kernel, None
        if kernel is not None:
            kernel.release()

    def __del__(self) -> None:
        """Gives back the memory of a state that nobody called or closed, as of an entry that was only checked."""
        self.close()
