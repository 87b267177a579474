"""One Lua state with the host's Lua code in it, before and after a guest's chunk is started."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from polycall.interop.context import CallContext
from polycall.interop.limits import LimitsSpec
from polycall.interop.protocols import Invoker, YamlText
from polycall.interop.services import Services
from polycall.interop.start_up import start_frame, start_seconds
from polycall.interop.values import Value
from polycall.lua_runtime.engine import LuaFunctionHandle, MemoryCap, State
from polycall.lua_runtime.failure import memory_error
from polycall.lua_runtime.modules import MODULES, files_of
from polycall.lua_runtime.modules.logger import line_writer
from polycall.lua_runtime.resources import resource_functions
from polycall.lua_runtime.scripts import bytecodes
from polycall.lua_runtime.session import Session
from polycall.lua_runtime.values import AT_ONCE, LIST, RECORD, RESOURCE, Marks, lower, lower_scalars

__all__ = ["CompiledChunk", "Kernel"]

_HAND_OUT = b"""
local kernel = ...
return kernel.IN_LIST, kernel.IN_RECORD, kernel.IN_RESOURCE, kernel.enter, kernel.enter_guarded,
    kernel.enter_fed, kernel.enter_fed_guarded,
    kernel.feed, kernel.more, kernel.start, kernel.define
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
    "values/nones",
    "values/arguments",
    "library/strings",
    "library/bounds",
    "library/library",
    "library/environment",
    "guard/calls",
)
_PLAIN = {"values/values": 3}
"""How many of what a file is given first are no host functions, though objects of Python's."""

# False, not nil: lupa looks "debug" up in each call, outside of protection, so the name must exist and cost no memory.
_SHUT = b"collectgarbage('restart') python = nil debug = false"


class CompiledChunk(NamedTuple):
    """The chunk of one entry or library.

    Attributes:
        entry_id: Whose it is.
        code: Bytecode that `polycall.lua_runtime.compiling` made.
        modules: Host modules that its `require` gives.
        imports: Alias to the id of the library that its `require` gives.
    """

    entry_id: str
    code: bytes
    modules: tuple[str, ...]
    imports: Mapping[str, str]


class Kernel:
    """A state, its session, and handles on the host's Lua functions in it; `calls.lua` says what they do.

    Attributes:
        session: What the host functions of the state share.
        start_seconds: How long start-up code may run.
        broken: Whether the state must not be used again.
        bare: See `polycall.lua_runtime.instance.LuaKernel`.
    """

    def __init__(
        self,
        entry_id: str,
        invoker: Invoker,
        yaml: YamlText,
        limits: LimitsSpec,
        modules: Iterable[str],
        *,
        chunks: Iterable[CompiledChunk],
        services: Services | None = None,
    ) -> None:
        """Makes a state.

        Args:
            entry_id: Whose it is.
            invoker: How it reaches other entries.
            yaml: How it reads and writes YAML.
            limits: What it may use.
            modules: Host modules that it or its libraries list.
            chunks: Its own and those of its libraries.
            services: What its modules may ask.
        """
        self.broken = False
        self._chunks = chunks
        self.session = Session(entry_id, invoker, yaml, services, limits.output_bytes)
        self.start_seconds = start_seconds(limits)
        self._call_seconds = limits.execution_seconds
        self._state = State(counted=limits.max_memory_bytes is not None)
        if limits.max_memory_bytes is not None:
            self.session.cap = MemoryCap(self._state, limits.max_memory_bytes)
            self.session.memory_limit = limits.max_memory_bytes
        handles = self._boot(modules)
        self.session.marks = Marks(handles[0], handles[1], handles[2], self.session.token)
        self._enter: LuaFunctionHandle
        (
            self._enter,
            self._enter_guarded,
            self._enter_fed,
            self._enter_fed_guarded,
            self._feed,
            self.more,
            self._start,
            self._define,
        ) = handles[3:]
        limited = self.session.cap is not None or self._call_seconds is not None
        self.bare: LuaFunctionHandle | None = None if limited else self._enter

    def _boot(self, modules: Iterable[str]) -> Any:
        """Runs the host's Lua code, each file building on the ones before; the order is that of their needs."""
        session, run, code = self.session, self._state.run, bytecodes(_FILES)
        restore = None if session.cap is None else session.cap.restore
        kernel = run(b"collectgarbage('stop') return {}")  # what is made here stays: to look at it is waste
        run(code["guard/trace"], kernel)
        run(code["guard/guard"], kernel, session.expired, restore)
        install: LuaFunctionHandle = run(b"return (...).install", kernel)
        given: Mapping[str, tuple[Any, ...]] = {
            "library/identities": _seeds(),
            "values/resources": tuple(resource_functions(session)),
            "values/values": (LIST, RECORD, RESOURCE, session.collect, session.more, restore),
            "library/environment": (*line_writer(session), " ".join(sorted(MODULES)).encode()),
            "guard/calls": (restore,),
        }
        for name in _FILES[2:]:
            install(code[name], _PLAIN.get(name, 0), *given.get(name, ()))
        for path, maker in files_of(modules).items():
            install(bytecodes((path,))[path], 0, *maker(session))
        handles = run(_HAND_OUT, kernel)
        run(_SHUT)
        return handles

    def start(self, method: str, context: CallContext | None) -> Any:
        """Makes the chunks known, runs the entry's own; see `polycall.lua_runtime.instance.LuaKernel.start`."""
        session = self.session
        for chunk in self._chunks:
            self._feed(*lower(list(chunk.modules), "$", session.marks), *lower(dict(chunk.imports), "$", session.marks))
            entry_id = chunk.entry_id.encode()
            self._define(entry_id, entry_id, chunk.code)
        session.starting = start_frame(session.entry_id, "lua", self.start_seconds, context)
        if session.cap is not None:
            session.cap.begin()
        return self._start(session.entry_id.encode(), method.encode())

    def call(self, arguments: Sequence[Value], context: CallContext) -> Any:
        """Calls the entry's function; see `polycall.lua_runtime.instance.LuaKernel.call`."""
        if self._call_seconds is not None:
            context.limit(self._call_seconds)
        guarded = context.deadline is not None or context.cancellation is not None
        run = lower_scalars(arguments)
        if run is None:
            answer = self._call_fed(arguments, guarded)
        else:
            if self.session.cap is not None:
                self._make_room(run)
            answer = self._enter_guarded(*run) if guarded else self._enter(*run)
        if guarded and self.session.expired():  # no hook saw it: the time passed inside a C function
            return (b"stopped",)
        return answer

    def _call_fed(self, arguments: Sequence[Value], guarded: bool) -> Any:
        """Hands the arguments over in pieces, then makes the call: for tables."""
        session = self.session
        run: list[Any] = []
        for index, argument in enumerate(arguments):
            run += lower(argument, f"$.args[{index}]", session.marks, session.check)
        self._make_room(run)
        try:
            for start in range(0, len(run), AT_ONCE):
                session.check()
                session.lift_cap()
                self._feed(*run[start : start + AT_ONCE])
        except BaseException:
            self.broken = session.untidy = True  # what was fed is in the state
            raise
        return (self._enter_fed_guarded if guarded else self._enter_fed)(len(arguments))

    def _make_room(self, run: Iterable[Any]) -> None:
        """Lets a run in, whatever the state holds already, unless the run alone is more than it may hold.

        Raises:
            MemoryLimitError: It is.
        """
        cap = self.session.cap
        if cap is None:
            return
        if sum(len(item) for item in run if type(item) is bytes) > cap.limit_bytes:
            raise memory_error(self.session)
        cap.lift()

    def release(self, *, lost: bool = False) -> None:  # as the protocol has it
        """Breaks the ring of references between the state and its host functions, so that memory goes back at once."""
        self.session.end_call()
        self.session.marks = None
        if self.session.cap is not None:
            self.session.cap.release()


def _seeds() -> tuple[int, int]:
    """Returns what `math.random` begins with."""
    drawn = os.urandom(16)
    return int.from_bytes(drawn[:8], signed=True), int.from_bytes(drawn[8:], signed=True)
