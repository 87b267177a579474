"""One Lua state with the host's Lua code in it, before and after a guest's chunk is started."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from polycall.interop.context import CallContext
from polycall.interop.limits import LimitsSpec
from polycall.interop.start_up import start_frame
from polycall.interop.values import Value
from polycall.lua_runtime.compiling import Chunk
from polycall.lua_runtime.engine import LuaFunctionHandle, State
from polycall.lua_runtime.instance import LuaKernel
from polycall.lua_runtime.modules import MODULES, files_of
from polycall.lua_runtime.modules.logger import line_writer
from polycall.lua_runtime.resources import resource_functions
from polycall.lua_runtime.scripts import bytecodes
from polycall.lua_runtime.session import Session
from polycall.lua_runtime.values import LIST, RECORD, RESOURCE, Marks, lower_scalars

__all__ = ["Kernel"]

_HAND_OUT = b"""
local kernel = ...
return kernel.IN_LIST, kernel.IN_RECORD, kernel.IN_RESOURCE, kernel.enter, kernel.enter_guarded,
    kernel.enter_run, kernel.enter_run_guarded, kernel.more, kernel.start, kernel.define
"""
_FILES = (
    "guard/trace",
    "guard/guard",
    "guard/metatables",
    "library/identities",
    "values/objects",
    "values/errors",
    "values/resources",
    "values/shapes",
    "values/values",
    "values/host_calls",
    "values/nones",
    "values/arguments",
    "library/strings",
    "library/bounds",
    "library/library",
    "library/environment",
    "guard/calls",
)
# What is made until `_SHUT` stays: to look at it is waste.
_BEGIN = b"""
collectgarbage('stop')
local list, record, resource = ...
return { OUT_LIST = list, OUT_RECORD = record, OUT_RESOURCE = resource }
"""
# False, not nil: lupa looks "debug" up in each call, outside of protection, so the name must exist and cost no memory.
_SHUT = b"collectgarbage('restart') python = nil debug = false"


class Kernel(LuaKernel):
    """A state of the host's engine, and handles on the host's Lua functions in it; `calls.lua` says what they do."""

    def __init__(self, session: Session, limits: LimitsSpec, modules: Iterable[str], chunks: Iterable[Chunk]) -> None:
        """Makes a state.

        Args:
            session: Of this state alone.
            limits: What it may use.
            modules: Host modules that it or its libraries list.
            chunks: Its own and those of its libraries.
        """
        super().__init__(session, limits)
        self._chunks = chunks
        self._state = State(counted=self._limit is not None)
        session.cap = None if self._limit is None else self._state
        self._enter: LuaFunctionHandle
        (
            in_list,
            in_record,
            in_resource,
            self._enter,
            self._enter_guarded,
            self._enter_run,
            self._enter_run_guarded,
            session.rest,
            self._start,
            self._define,
        ) = self._boot(modules)
        session.marks = Marks(in_list, in_record, in_resource, session.token)
        self.bare = None if self._limited else self._enter

    def _boot(self, modules: Iterable[str]) -> Any:
        """Runs the host's Lua code, each file building on the ones before; the order is that of their needs."""
        session, run, code = self.session, self._state.run, bytecodes(_FILES)
        restore = None if session.cap is None else session.cap.restore
        kernel = run(_BEGIN, LIST, RECORD, RESOURCE)
        run(code["guard/trace"], kernel)
        run(code["guard/guard"], kernel, session.expired, restore)
        install: LuaFunctionHandle = run(b"return (...).install", kernel)
        given: Mapping[str, tuple[Any, ...]] = {
            "library/identities": struct.unpack("<qq", os.urandom(16)),
            "values/resources": tuple(resource_functions(session)),
            "values/values": (session.collect, session.more),
            "library/environment": (*line_writer(session), " ".join(sorted(MODULES)).encode()),
        }
        for name in _FILES[2:]:
            install(code[name], *given.get(name, ()))
        for path, maker in files_of(modules).items():
            install(bytecodes((path,))[path], *maker(session))
        handles = run(_HAND_OUT, kernel)
        run(_SHUT)
        return handles

    def start(self, method: str, context: CallContext | None) -> Any:
        """Makes the chunks known, runs the entry's own; see `LuaKernel.start`."""
        session = self.session
        for chunk in self._chunks:
            self._define(*chunk.definition(session.marks))
        session.starting = start_frame(session.entry_id, "lua", self.start_seconds, context)
        if self._limit is not None:
            self._state.limit(self._limit)
        return self._start(session.entry_id.encode(), method.encode())

    def call(self, arguments: Sequence[Value], context: CallContext) -> Any:
        """Calls the entry's function; see `LuaKernel.call`."""
        if self._call_seconds is not None:
            context.limit(self._call_seconds)
        guarded = context.deadline is not None or context.cancellation is not None
        scalars = lower_scalars(arguments)
        run = self._lowered(arguments) if scalars is None else scalars
        if self._limit is not None:
            self._admit(run, self._limit)
            self._state.lift()
        if scalars is None:
            enter = self._enter_run_guarded if guarded else self._enter_run
            answer = enter(len(arguments), *self.session.first_piece(run))
        else:
            answer = self._enter_guarded(*run) if guarded else self._enter(*run)
        if guarded and self.session.expired():  # no hook saw it: the time passed inside a C function
            return (b"stopped",)
        return answer

    def release(self, *, lost: bool = False) -> None:
        """Gives the memory back; see `LuaKernel.release`."""
        super().release(lost=lost)
        self._state.release()
