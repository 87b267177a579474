"""What instances start from: memory in which Lua, the host's own Lua code and an entry's chunks are ready.

There are two kinds. The base has the host's code and is made once; an entry's is the base with its modules and its
chunks, compiled in there. No code of a guest has run in either.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from polycall.interop.context import CallContext
from polycall.interop.core_engine import CoreEngine, CoreProgram
from polycall.interop.forks import new_lock
from polycall.lua_runtime.compiling import MOST_COMPILING_BYTES, Chunk, syntax_error
from polycall.lua_runtime.modules import MODULES, files_of
from polycall.lua_runtime.modules.logger import line_writer
from polycall.lua_runtime.resources import resource_functions
from polycall.lua_runtime.sandbox.host_functions import Numbering, numbered
from polycall.lua_runtime.sandbox.runs import Reference
from polycall.lua_runtime.sandbox.state import SandboxState
from polycall.lua_runtime.scripts import text_of_script
from polycall.lua_runtime.session import Session

__all__ = ["Sandbox", "Snapshot"]

_MODULE = Path(__file__).parent / "lua.wasm"
_FILES = (
    *("guard/trace", "sandbox/guard", "values/objects", "values/errors", "values/resources", "values/shapes"),
    *("sandbox/values", "values/host_calls", "values/nones", "values/arguments"),
    *("library/library", "library/environment", "guard/calls"),
)
_HAND_OUT = b"local kernel = ... return kernel.start, kernel.define"


class Snapshot(NamedTuple):
    """A state at rest.

    Attributes:
        program: What starts with it.
        memory_bytes: How large its memory is.
        inbox: See `SandboxState`.
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
        return SandboxState(self.program, session, context, self.numbering, inbox=self.inbox, memory_bytes=memory_bytes)


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
        memory, self._code = core.divided(_MODULE.read_bytes())
        self._empty = core.program(memory, self._code)

    def close(self) -> None:
        """Lets go of what is kept for states to come; harmless when repeated."""
        self._core.close()

    def snapshot(
        self, modules: Iterable[str], chunks: Sequence[Chunk], session: Session, context: CallContext
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
        begun = base._replace(numbering=[*base.numbering])
        state = begun.state(session, context, MOST_COMPILING_BYTES)
        try:
            for path, maker in files_of(modules).items():
                _load(state, path, base.kernel, *numbered(maker, session, begun.numbering))
            for chunk in chunks:
                _define(state, base, chunk, session)
            program, memory_bytes = self._image(state)
            return begun._replace(program=program, memory_bytes=memory_bytes)
        finally:
            _discard(state)

    def _made_base(self, session: Session, context: CallContext) -> Snapshot:
        numbering: Numbering = []
        state = SandboxState(self._empty, session, context, numbering)
        try:
            state.boot(int.from_bytes(os.urandom(8), signed=True))
            kernel = Reference(state.invoke(0, b"return {}", b"=kernel"))
            given: dict[str, Sequence[Any]] = {
                "values/resources": numbered(resource_functions, session, numbering),
                "library/environment": (*numbered(line_writer, session, numbering), " ".join(sorted(MODULES)).encode()),
            }
            for name in _FILES:
                _load(state, name, kernel, *given.get(name, ()))
            start, define = map(Reference, state.invoke(0, _HAND_OUT, b"=kernel", kernel))
            inbox = state.inbox, state.inbox_bytes
            return Snapshot(*self._image(state), inbox, numbering, kernel, start, define)
        finally:
            _discard(state)

    def _image(self, state: SandboxState) -> tuple[CoreProgram, int]:
        """Returns what starts with the memory of a state, and how large that is."""
        state.function("settle")()
        memory = state.content()
        return self._core.program(self._core.image(memory), self._code, starts_over=True), len(memory)


def _load(state: SandboxState, name: str, kernel: Reference, *given: Any) -> None:
    state.invoke(0, text_of_script(name), f"={name}".encode(), kernel, *given)


def _define(state: SandboxState, base: Snapshot, chunk: Chunk, session: Session) -> None:
    problem = state.invoke(base.define, *chunk.definition(session.marks))
    if problem is not None:
        raise syntax_error(chunk.name, problem, chunk.entry_id)


def _discard(state: SandboxState) -> None:
    try:
        state.end()
    finally:
        state.close()
