"""What instances start from: memory in which Lua, the host's own Lua code and an entry's chunks are ready.

There are two kinds. The base has the host's code and is made once; an entry's is the base with its modules and its
chunks, compiled in there. No code of a guest has run in either.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from polycall.interop.context import CallContext
from polycall.interop.core_engine import CoreEngine, CoreProgram
from polycall.interop.errors import PreparationError
from polycall.interop.forks import new_lock
from polycall.lua_runtime.compiling import MOST_COMPILING_BYTES
from polycall.lua_runtime.modules import MODULES
from polycall.lua_runtime.modules.logger import line_writer
from polycall.lua_runtime.resources import resource_functions
from polycall.lua_runtime.sandbox.binary import binary
from polycall.lua_runtime.sandbox.host_functions import HostFunctions, Numbering
from polycall.lua_runtime.sandbox.runs import Reference
from polycall.lua_runtime.sandbox.state import SandboxState
from polycall.lua_runtime.scripts import text_of_script
from polycall.lua_runtime.session import Session
from polycall.lua_runtime.values import lower, readable

__all__ = ["Sandbox", "Snapshot", "TextChunk"]

_LIBRARY = ("guard/trace", "sandbox/guard", "values/objects", "values/errors", "values/resources", "sandbox/values")
_REST = ("values/nones", "values/arguments", "library/library", "library/environment", "guard/calls")
_HAND_OUT = b"local kernel = ... return kernel.start, kernel.define"


class TextChunk(NamedTuple):
    """The chunk of one entry or library, to be compiled in the sandbox.

    Attributes:
        entry_id: Whose it is.
        name: What errors call it.
        text: Lua.
        modules: Host modules that its `require` gives.
        imports: Alias to the id of the library that its `require` gives.
    """

    entry_id: str
    name: bytes
    text: bytes
    modules: tuple[str, ...]
    imports: dict[str, str]


class Snapshot(NamedTuple):
    """A state at rest.

    Attributes:
        program: What starts with it.
        memory_bytes: How large its memory is.
        inbox: Where runs go in, and how long they may be.
        numbering: Its host functions.
        kernel: The host's Lua code in it.
        start: Its function that starts the entry.
        define: Its function that takes a chunk.
    """

    program: CoreProgram
    memory_bytes: int
    inbox: tuple[int, int]
    numbering: Numbering
    kernel: Reference
    start: Reference
    define: Reference

    def state(self, session: Session, context: CallContext, memory_bytes: int | None = None) -> SandboxState:
        """Returns a state that goes on from here; a call has begun in it."""
        return _started(self, self.numbering, session, context, memory_bytes)


def _started(
    snapshot: Snapshot, numbering: Numbering, session: Session, context: CallContext, memory_bytes: int | None
) -> SandboxState:
    state = SandboxState(
        snapshot.program, session, context, lambda own: HostFunctions(numbering, own), memory_bytes=memory_bytes
    )
    state.use_inbox(*snapshot.inbox)
    return state


class Sandbox:
    """Makes snapshots. Shared by threads."""

    def __init__(self, core: CoreEngine) -> None:
        """Compiles nothing yet.

        Args:
            core: What runs the module.
        """
        self._core = core
        self._lock = new_lock()
        self._base: Snapshot | None = None
        code, memory = binary()
        self._code = core.module(hashlib.sha256(code).hexdigest(), code)
        self._empty = core.program(core.module(hashlib.sha256(memory).hexdigest(), memory), self._code)

    def close(self) -> None:
        """Lets go of what is kept for states to come; harmless when repeated."""
        self._core.close()

    def snapshot(
        self, modules: Iterable[str], chunks: Sequence[TextChunk], session: Session, context: CallContext
    ) -> Snapshot:
        """Returns what the instances of an entry start from.

        Args:
            modules: Host modules that it or its libraries list.
            chunks: Its own and those of its libraries.
            session: Of this work alone.
            context: What bounds it.

        Raises:
            PreparationError: A syntax error, as ``file:line: message``.
            LimitError: Compiling takes too long, or the call that waits is over.
        """
        with self._lock:
            base = self._base = self._base or self._made_base(session, context)
        numbering = base.numbering.copy()
        state = _started(base, numbering, session, context, MOST_COMPILING_BYTES)
        try:
            for name in modules:
                _load(state, f"modules/{name}", base.kernel, *numbering.add(MODULES[name], session))
            for chunk in chunks:
                _define(state, base, chunk, session)
            return self._taken(state, numbering, base.kernel, base.start, base.define)
        finally:
            _discard(state)

    def _made_base(self, session: Session, context: CallContext) -> Snapshot:
        numbering = Numbering()
        state = SandboxState(self._empty, session, context, lambda own: HostFunctions(numbering, own))
        try:
            state.boot(int.from_bytes(os.urandom(8), signed=True))
            kernel = Reference(state.invoke(0, b"return {}", b"=kernel"))
            for name in _LIBRARY:
                more = numbering.add(resource_functions, session) if name == "values/resources" else ()
                _load(state, name, kernel, *more)
            for name in _REST:
                known = " ".join(sorted(MODULES)).encode()
                environment = name == "library/environment"
                _load(state, name, kernel, *((*numbering.add(line_writer, session), known) if environment else ()))
            start, define = map(Reference, state.invoke(0, _HAND_OUT, b"=kernel", kernel))
            return self._taken(state, numbering, kernel, start, define)
        finally:
            _discard(state)

    def _taken(
        self, state: SandboxState, numbering: Numbering, kernel: Reference, start: Reference, define: Reference
    ) -> Snapshot:
        state.function("settle")()
        memory = state.content()
        program = self._core.program(self._core.image(memory), self._code, starts_over=True)
        return Snapshot(program, len(memory), (state.inbox, state.inbox_bytes), numbering, kernel, start, define)


def _load(state: SandboxState, name: str, kernel: Reference, *given: Any) -> None:
    state.invoke(0, text_of_script(name), f"={name}".encode(), kernel, *given)


def _define(state: SandboxState, base: Snapshot, chunk: TextChunk, session: Session) -> None:
    marks = session.marks
    declared = (*lower(list(chunk.modules), "$", marks), *lower(dict(chunk.imports), "$", marks))
    problem = state.invoke(base.define, chunk.entry_id.encode(), chunk.name, chunk.text, *declared)
    if problem is not None:
        message = readable(problem)
        name = readable(chunk.name)
        located = message if message.startswith(f"{name}:") else f"{name}: {message}"
        raise PreparationError(located, entry_id=chunk.entry_id)


def _discard(state: SandboxState) -> None:
    try:
        state.end()
    finally:
        state.close()
