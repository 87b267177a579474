"""Python source, line by line, and the function that it becomes.

Lifting and lowering are written as source for each type, for that is twice as fast as closures. Nothing that a binary
says becomes part of the source: names enter it as constants, by names of ours.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["Source"]

Field = tuple[int, str, str]
"""An offset, a code of `struct`'s (such as ``I`` or ``3s``), and the expression or the variable that stands for it."""

_SIZES = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "Q": 8, "f": 4, "d": 8}


class Source:
    """A function in the making.

    Args:
        parameters: Its parameters.
        constants: What it may name beside them.
    """

    def __init__(self, parameters: str, constants: Mapping[str, object]) -> None:
        self._lines = [f"def function({parameters}):"]
        self._indent = 1
        self._constants = dict(constants)
        self._names = 0

    @property
    def blocks(self) -> int:
        """In how many blocks the next line stands."""
        return self._indent - 1

    def line(self, text: str) -> None:
        """Adds a line."""
        self._lines.append("    " * self._indent + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Adds a line and indents what follows."""
        self.line(head)
        self._indent += 1
        first = len(self._lines)
        yield
        if len(self._lines) == first:
            self.line("pass")
        self._indent -= 1

    def name(self) -> str:
        """Returns a name that no variable has yet."""
        self._names += 1
        return f"v{self._names}"

    def constant(self, value: object) -> str:
        """Returns the name by which the source may use a value."""
        name = f"C{len(self._constants)}"
        self._constants[name] = value
        return name

    def pack(self, fields: Sequence[Field], image: str, at: str) -> None:
        """Writes fields at an offset of an image, in one step; what lies between them becomes zero."""
        if fields:
            layout, first, values = _structure(fields)
            self.line(f"{self.constant(layout.pack_into)}({image}, {_plus(at, first)}, {', '.join(values)})")

    def unpack(self, fields: Sequence[Field], image: str, at: str) -> None:
        """Reads fields at an offset of an image into variables, in one step."""
        if fields:
            layout, first, names = _structure(fields)
            self.line(f"{', '.join(names)}, = {self.constant(layout.unpack_from)}({image}, {_plus(at, first)})")

    def function(self) -> Callable[..., Any]:
        """Returns the function."""
        if len(self._lines) == 1:
            self.line("pass")
        namespace: dict[str, Any] = dict(self._constants)
        exec(compile("\n".join(self._lines), "<canonical>", "exec"), namespace)  # all of it is ours
        function: Callable[..., Any] = namespace["function"]
        return function


def _structure(fields: Sequence[Field]) -> tuple[struct.Struct, int, list[str]]:
    ordered = sorted(fields)
    first = end = ordered[0][0]
    codes = ["<"]
    for offset, code, _ in ordered:
        codes.append(f"{offset - end}x{code}" if offset > end else code)
        end = offset + (_SIZES[code] if code in _SIZES else int(code[:-1]))
    return struct.Struct("".join(codes)), first, [text for _, _, text in ordered]


def _plus(at: str, offset: int) -> str:
    return f"{at} + {offset}" if offset else at
