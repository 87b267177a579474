"""One sandboxed Lua state that serves an entry, before and after its chunk is started."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.errors import CancelledError, DeadlineError, InternalError
from polycall.interop.limits import LimitsSpec
from polycall.interop.protocols import Invoker, YamlText
from polycall.interop.services import Services
from polycall.interop.start_up import start_frame, start_seconds
from polycall.interop.values import Value
from polycall.lua_runtime.failure import memory_error
from polycall.lua_runtime.sandbox.snapshot import Snapshot
from polycall.lua_runtime.sandbox.state import SandboxState
from polycall.lua_runtime.session import Session
from polycall.lua_runtime.values import LIST, RECORD, RESOURCE, Marks, lower, lower_scalars

__all__ = ["SandboxKernel", "sandbox_session"]

_seeds = struct.Struct("<qq")
_SPARE_BYTES = 4 << 20
"""What the memory may hold beside what Lua holds, which the limit is about: runs on their way, and fragments."""


def sandbox_session(
    entry_id: str, invoker: Invoker, yaml: YamlText, services: Services | None, limits: LimitsSpec
) -> Session:
    """Returns the session of a sandboxed state."""
    session = Session(entry_id, invoker, yaml, services, limits.output_bytes)
    session.memory_limit = limits.max_memory_bytes
    session.marks = Marks(LIST, RECORD, RESOURCE, session.token)
    session.at_once = None
    return session


class SandboxKernel:
    """See `polycall.lua_runtime.kernel.Kernel`.

    Attributes:
        session: What the host functions of the state share.
        start_seconds: How long start-up code may run.
        bare: See `polycall.lua_runtime.instance.LuaKernel`.
    """

    def __init__(
        self,
        entry_id: str,
        invoker: Invoker,
        yaml: YamlText,
        limits: LimitsSpec,
        snapshot: Snapshot,
        *,
        services: Services | None = None,
    ) -> None:
        self.session = sandbox_session(entry_id, invoker, yaml, services, limits)
        self.start_seconds = start_seconds(limits)
        self._call_seconds = limits.execution_seconds
        self._limit = limits.max_memory_bytes
        limited = self._limit is not None or self._call_seconds is not None
        self.bare: Callable[..., Any] | None = None if limited else self._enter
        self._snapshot = snapshot
        self._state: SandboxState | None = None

    def start(self, method: str, context: CallContext | None) -> Any:
        """Runs the entry's chunk and looks up its method; see `polycall.lua_runtime.kernel.Kernel.start`."""
        session, snapshot = self.session, self._snapshot
        session.starting = frame = start_frame(session.entry_id, "lua", self.start_seconds, context)
        most = None if self._limit is None else snapshot.memory_bytes + 2 * self._limit + _SPARE_BYTES
        state = self._state = snapshot.state(session, frame, most)
        try:
            state.seed(_seeds.unpack(os.urandom(_seeds.size)), self._limit)
            return state.invoke(snapshot.start, session.entry_id.encode(), method.encode())
        except (DeadlineError, CancelledError):
            return (b"stopped",)
        finally:
            state.end()

    def call(self, arguments: Sequence[Value], context: CallContext) -> Any:
        """Calls the entry's function; see `polycall.lua_runtime.kernel.Kernel.call`."""
        if self._call_seconds is not None:
            context.limit(self._call_seconds)
        run = lower_scalars(arguments)
        if run is None:
            run = self._lowered(arguments)
        if self._limit is not None:
            self._admit(run, self._limit)
        return self._enter(*run)

    def _enter(self, *run: Any) -> Any:
        state, session = self._state, self.session
        if state is None or session.context is None:
            raise InternalError("a sandboxed Lua state was called after its end", entry_id=session.entry_id)
        state.begin(session.context)
        try:
            return state.enter(run)
        except BaseException:
            session.broken = session.untidy = True
            raise
        finally:
            state.end()

    def _lowered(self, arguments: Sequence[Value]) -> list[Any]:
        session, run = self.session, []
        for index, argument in enumerate(arguments):
            run += lower(argument, f"$.args[{index}]", session.marks, session.check)
        return run

    def _admit(self, run: Sequence[Any], limit: int) -> None:
        if sum(len(item) for item in run if type(item) is bytes) > limit:
            raise memory_error(self.session)

    def more(self) -> tuple[Any, ...]:
        """Returns nothing: what comes out comes as a whole."""
        return ()

    def release(self, *, lost: bool = False) -> None:
        """Gives the memory back; see `polycall.lua_runtime.instance.LuaKernel.release`."""
        self.session.end_call()
        self.session.marks = self.bare = None
        state, self._state = self._state, None
        if state is not None:
            state.close(lost=lost)
