"""Lua's compiler, at a distance: bounded, in a state of its own, and never in the way of a call that is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from polycall.interop.errors import PreparationError
from polycall.interop.source import SourceText
from polycall.lua_runtime.engine import LuaMemoryError, State
from polycall.lua_runtime.values import Marks, lower, readable

__all__ = ["MOST_COMPILING_BYTES", "MOST_SOURCE_BYTES", "Chunk", "compiled", "prepared", "syntax_error"]

MOST_SOURCE_BYTES = 512 << 10
"""Bytes of one source text. More than people write by hand, and the worst text that short (a chain of
``elseif``, which costs the square of its length) is three seconds of work."""

MOST_COMPILING_BYTES = 256 << 20
"""What compiling may take."""

_COMPILE = b"""
local text, name = ...
local chunk, message = load(text, "@" .. name, "t")
if not chunk then return nil, message end
return string.dump(chunk)
"""


class Chunk(NamedTuple):
    """The chunk of one entry or library.

    Attributes:
        entry_id: Whose it is.
        name: What errors call it.
        code: Bytecode that `compiled` made; for the sandbox, which compiles it, text.
        modules: Host modules that its `require` gives.
        imports: Alias to the id of the library that its `require` gives.
    """

    entry_id: str
    name: bytes
    code: bytes
    modules: tuple[str, ...]
    imports: Mapping[str, str]

    def definition(self, marks: Marks | None) -> list[Any]:
        """Returns what ``define`` of ``lua/library/environment.lua`` is called with."""
        declared = lower(list(self.modules), "$", marks) + lower(dict(self.imports), "$", marks)
        return [self.entry_id.encode(), self.name, self.code, *declared]


def compiled(source: SourceText, entry_id: str) -> bytes:
    """Compiles a guest's text. Nothing can interrupt it, so a call waits for it at a distance.

    Returns:
        Bytecode. It comes only from here, so that no guest's bytes are ever run as such.

    Raises:
        PreparationError: The text is too long, or a syntax error, as ``file:line: message``.
    """
    name, text = prepared(source, entry_id)
    state = State(counted=True)
    state.limit(MOST_COMPILING_BYTES)
    try:
        answer = state.run(_COMPILE, text, name)
    except LuaMemoryError:
        message = f"compiling takes more than {MOST_COMPILING_BYTES} bytes of memory"
        raise PreparationError(f"{source.name}: {message}", entry_id=entry_id) from None
    if isinstance(answer, tuple):
        raise syntax_error(name, answer[1], entry_id)
    code: bytes = answer
    return code


def syntax_error(name: bytes, message: bytes, entry_id: str) -> PreparationError:
    """Returns the error for what Lua's compiler says of a text of that name."""
    file, problem = readable(name), readable(message)
    return PreparationError(problem if problem.startswith(f"{file}:") else f"{file}: {problem}", entry_id=entry_id)


def prepared(source: SourceText, entry_id: str) -> tuple[bytes, bytes]:
    """Returns what errors call it, and the text at its line numbers; a first line that only a shell reads is empty.

    Raises:
        PreparationError: The text is too long.
    """
    text = source.text
    if text.startswith("#!"):
        _, newline, rest = text.partition("\n")
        text = newline + rest
    name = source.name.encode(errors="surrogateescape")
    aligned = source._replace(text=text).aligned().encode(errors="surrogateescape")
    if len(aligned) > MOST_SOURCE_BYTES + source.first_line:
        raise PreparationError(
            f"{source.name}: the source has more than {MOST_SOURCE_BYTES} bytes",
            entry_id=entry_id,
            hint="divide it into libraries, and put data into a file",
        )
    return name, aligned
