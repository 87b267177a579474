"""Reads what Lua 5.4's compiler made of a text: the only file that knows the form of ``string.dump``.

It reads what `polycall.lua_runtime.compiling` gives, which comes from our own compiler: never bytes of a guest's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from polycall.lua_runtime.values import readable

__all__ = ["ENVIRONMENT", "Instruction", "Local", "Opcode", "Proto", "UpValue", "read_chunk"]

ENVIRONMENT = "_ENV"
"""The name of the upvalue in which a chunk finds its globals."""

_HEADER = b"\x1bLuaT\x00\x19\x93\r\n\x1a\n\x04\x08\x08" + struct.pack("<qd", 0x5678, 370.5)
_NO_DELTA = -0x80
_SHORT_TEXT, _LONG_TEXT, _FLOAT, _INTEGER = 0x04, 0x14, 0x13, 0x03


class Opcode:
    """The operations of Lua 5.4 that tell something, by their numbers."""

    MOVE, LOADK, LOADKX, LFALSESKIP, LOADNIL, GETUPVAL, SETUPVAL = 0, 3, 4, 6, 8, 9, 10
    GETTABUP, GETTABLE, GETFIELD, SETTABUP, SELF = 11, 12, 14, 15, 20
    JMP, CALL, TAILCALL, CLOSURE, VARARG = 56, 68, 69, 79, 80
    FORLOOP, FORPREP, TFORPREP, TFORCALL, TFORLOOP = 73, 74, 75, 76, 77
    MAY_SKIP = frozenset({LFALSESKIP, *range(57, 68)})
    """Operations that may leave out the next one: tests, and the first half of a condition's value."""
    WRITES_NOTHING = frozenset({10, *range(15, 19), *range(46, 49), *range(54, 67), *range(70, 73), 78, 81, 82})
    """Operations that leave every register as it is."""


class Instruction(NamedTuple):
    """One instruction, taken apart in each way that some operation needs."""

    opcode: int
    a: int
    k: int
    b: int
    c: int
    bx: int
    ax: int

    @property
    def jump(self) -> int:
        """How far a jump leads from the next instruction."""
        return self.ax - 0xFFFFFF


class UpValue(NamedTuple):
    """A variable of an enclosing function: in its register of that number, or its own upvalue of that number."""

    in_register: bool
    number: int


class Local(NamedTuple):
    """A local variable, which has its register from instruction `start` up to `end`."""

    register: int
    start: int
    end: int


class Proto(NamedTuple):
    """A function.

    Attributes:
        code: Its instructions.
        lines: The line of each.
        constants: Its constants; only texts are told from each other, others are None.
        upvalues: What it sees of the enclosing functions.
        protos: The functions in it.
        locals: Its local variables.
        upvalue_names: What the upvalues are called.
        assigned: Those of its upvalues that it, or a function in it, gives a value.
    """

    code: list[Instruction]
    lines: list[int]
    constants: list[str | None]
    upvalues: list[UpValue]
    protos: list[Proto]
    locals: list[Local]
    upvalue_names: list[str]
    assigned: frozenset[int]


def read_chunk(code: bytes) -> Proto | None:
    """Returns the main function of a chunk; None if it is of a form that this does not know."""
    if not code.startswith(_HEADER):
        return None
    reader = _Reader(code, len(_HEADER) + 1)
    return reader.function()


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def function(self) -> Proto:
        """Functions nest at most 200 deep, for Lua's own parser is recursive as well."""
        self._text()
        first_line = self._integer()
        self._integer()
        self._take(3)
        words = struct.unpack(f"<{(length := self._integer())}I", self._take(4 * length))
        constants = [self._constant() for _ in range(self._integer())]
        triples = struct.iter_unpack("3B", self._take(3 * self._integer()))
        upvalues = [UpValue(bool(in_register), number) for in_register, number, _ in triples]
        protos = [self.function() for _ in range(self._integer())]
        lines = list(self._lines(first_line))
        variables = list(self._locals())
        names = [self._text() or "" for _ in range(self._integer())]
        code = [_instruction(word) for word in words]
        assigned = frozenset(_assigned(code, protos))
        return Proto(code, lines, constants, upvalues, protos, variables, names, assigned)

    def _take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece

    def _integer(self) -> int:
        value = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value = value << 7 | byte & 0x7F
            if byte & 0x80:
                return value

    def _text(self) -> str | None:
        size = self._integer()
        return readable(self._take(size - 1)) if size else None

    def _constant(self) -> str | None:
        kind = self._take(1)[0]
        if kind in (_SHORT_TEXT, _LONG_TEXT):
            return self._text()
        if kind in (_FLOAT, _INTEGER):
            self._take(8)
        return None

    def _lines(self, line: int) -> Iterator[int]:
        size = self._integer()
        deltas = struct.unpack(f"<{size}b", self._take(size))
        absolute = {self._integer(): self._integer() for _ in range(self._integer())}
        for at, delta in enumerate(deltas):
            line = absolute[at] if delta == _NO_DELTA else line + delta
            yield line

    def _locals(self) -> Iterator[Local]:
        active: list[int] = []  # the ends of those that have a register at this point
        for _ in range(self._integer()):
            self._text()
            start, end = self._integer(), self._integer()
            active = [each for each in active if each > start]
            yield Local(len(active), start, end)
            active.append(end)


def _assigned(code: list[Instruction], protos: list[Proto]) -> Iterator[int]:
    yield from (step.b for step in code if step.opcode == Opcode.SETUPVAL)
    for proto in protos:
        yield from (proto.upvalues[each].number for each in proto.assigned if not proto.upvalues[each].in_register)


def _instruction(word: int) -> Instruction:
    bx = word >> 15
    return Instruction(
        opcode=word & 0x7F,
        a=word >> 7 & 0xFF,
        k=word >> 15 & 1,
        b=word >> 16 & 0xFF,
        c=word >> 24,
        bx=bx,
        ax=word >> 7,
    )
