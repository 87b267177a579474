"""One sandboxed Lua state that serves an entry, before and after its chunk is started."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.errors import CancelledError, DeadlineError, InternalError
from polycall.interop.limits import LimitsSpec
from polycall.interop.start_up import start_frame
from polycall.interop.values import Value
from polycall.lua_runtime.instance import LuaKernel
from polycall.lua_runtime.sandbox.snapshot import Snapshot
from polycall.lua_runtime.sandbox.state import SandboxState
from polycall.lua_runtime.session import Session
from polycall.lua_runtime.values import LIST, RECORD, RESOURCE, Marks, lower_scalars

__all__ = ["SandboxKernel", "for_sandbox"]

_seeds = struct.Struct("<qq")
_SPARE_BYTES = 4 << 20
"""What the memory may hold beside what Lua holds, which the limit is about: runs on their way, and fragments."""


def for_sandbox(session: Session) -> Session:
    """Returns a session, made one of a sandboxed state."""
    session.marks = Marks(LIST, RECORD, RESOURCE, session.token)
    session.at_once = None
    return session


class SandboxKernel(LuaKernel):
    """A state in the sandbox."""

    def __init__(self, session: Session, limits: LimitsSpec, snapshot: Snapshot) -> None:
        super().__init__(for_sandbox(session), limits)
        self.bare = None if self._limited else self._enter
        self._snapshot = snapshot
        self._state: SandboxState | None = None

    def start(self, method: str, context: CallContext | None) -> Any:
        """Runs the entry's chunk and looks up its method; see `LuaKernel.start`."""
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
        """Calls the entry's function; see `LuaKernel.call`."""
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

    def release(self, *, lost: bool = False) -> None:
        """Gives the memory back; see `LuaKernel.release`."""
        super().release(lost=lost)
        state, self._state = self._state, None
        if state is not None:
            state.close(lost=lost)
