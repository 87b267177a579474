"""Runs of bytes: how values go into the module's memory and come out of it. ``c/runs.h`` is the other half.

What comes out was written by whoever has taken over the module: nothing in it is believed. It is read once, from
memory that no guest changes meanwhile, and every size, address and depth is looked at before it is used.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from polycall.interop.budget import CROSSING_BYTES, Budget
from polycall.interop.core_engine import CoreMemory
from polycall.interop.errors import InternalError, TrapError
from polycall.interop.values import MAX_NESTING
from polycall.lua_runtime.session import Session
from polycall.lua_runtime.values import LIST, LONG, RECORD, Mark, in_order, long_text, readable, text_of

__all__ = [
    "INTEGER",
    "INTEGER_BYTES",
    "HostFunctionNumber",
    "MalformedRunError",
    "Reference",
    "encode",
    "pack_integer",
    "read_integer",
    "read_run",
    "read_text",
]

_NIL, _FALSE, _TRUE, _INTEGER, _FLOAT, _STRING, _FAR = range(7)
_LIST, _RECORD, _RESOURCE, _INTEGERS, _FLOATS, _HOST_FUNCTION, _REFERENCE, _FAILED = range(7, 15)
_small, _wide, _double = struct.Struct("<BI"), struct.Struct("<Bq"), struct.Struct("<Bd")
_u32, _i64, _f64 = struct.Struct("<I"), struct.Struct("<q"), struct.Struct("<d")
INTEGER, INTEGER_BYTES = _INTEGER, _wide.size
"""How a run begins, and how long it is, that is nothing but an integer: the least of all, so nobody calls a function
for it."""

pack_integer, read_integer = _wide.pack_into, _i64.unpack_from
"""(memory, where, `INTEGER`, number), and (memory, behind where it begins): gives the number and nothing else."""

_SIMPLE = {None: bytes([_NIL]), False: bytes([_FALSE]), True: bytes([_TRUE])}
_CONSTANTS = (None, False, True)
_TEXTS, _TABLES, _NUMBERS = (_STRING, _FAR), (_LIST, _RECORD), (_INTEGERS, _FLOATS)
_SHORT = 1024
"""Bytes of a run that is copied out at once, and of a text that nobody is asked about."""

_AT_A_TIME = 1024
_MOST_SHOWN = 300


class Reference(int):
    """The number of a table or a function of the host's own Lua code. What comes out is a number like any other."""


class HostFunctionNumber(int):
    """The number by which the module calls a function of the host's."""


_OWN = {Reference: _REFERENCE, HostFunctionNumber: _HOST_FUNCTION}


class MalformedRunError(TrapError):
    """What came out of the module is nothing that its code writes: a guest has taken it over."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"what the sandbox gave is no value: {what}", hint="the guest has overwritten the engine that runs it"
        )


def encode(run: Iterable[Any]) -> list[bytes]:
    """Returns the pieces of a run of bytes.

    Args:
        run: Marks and scalars as `polycall.lua_runtime.values.lower` gives them, and numbers of the classes above.
    """
    pieces: list[bytes] = []
    append = pieces.append
    items = iter(run)
    for item in items:
        kind = type(item)
        if kind is int:
            append(_wide.pack(_INTEGER, item))
        elif kind is bytes:
            append(_small.pack(_STRING, len(item)))
            append(item)
        elif kind is float:
            append(_double.pack(_FLOAT, item))
        elif kind is Mark:
            append(_marked(item, items))
        elif kind in _OWN:
            append(_small.pack(_OWN[kind], item))
        else:
            append(_SIMPLE[item])
    return pieces


def _marked(mark: Mark, items: Iterator[Any]) -> bytes:
    number = next(items)
    if mark is LIST or mark is RECORD:
        return _small.pack(_LIST if mark is LIST else _RECORD, number)
    text: bytes = next(items)
    return _wide.pack(_RESOURCE, number) + _u32.pack(len(text)) + text


def read_text(memory: CoreMemory, at: int, size: int) -> bytes | None:
    """Returns what a run of nothing but a short text says, else None."""
    if at + size > memory.size or size < _small.size:
        return None
    view = memory.view
    if view[at] == _STRING and _u32.unpack_from(view, at + 1)[0] == size - _small.size:
        return bytes(view[at + _small.size : at + size])
    return None


def read_run(
    memory: CoreMemory, session: Session, at: int, size: int, taker: Callable[..., Any] | None = None
) -> list[Any]:
    """Returns the values of a run: strings as bytes, and within tables as text where they are UTF-8.

    Args:
        memory: Of the module.
        session: Says whether to go on, and what the resources are.
        at: Where the run begins, as the module gave it.
        size: How many bytes, as the module gave it.
        taker: The host function that gets them: a long text that it does not take is refused before it is copied.

    Raises:
        MalformedRunError: It is none.
        TrapError: It is outside of the memory.
        ConversionError: It comes to too much.
        RefusedError: A text is too long for who takes it.
        PolycallError: A resource is gone, or the call is over.
    """
    run = memory.fence(at, size, "a run")[at : at + size]
    try:
        scalars = _scalars(bytes(run)) if size <= _SHORT else None
        return _Reading(memory, session, run, taker).all() if scalars is None else scalars
    except (struct.error, IndexError):
        raise MalformedRunError("a run ends within a value") from None


def _scalars(run: bytes) -> list[Any] | None:
    """Returns what most runs hold, as `_Reading` would; None if there are any but the usual values."""
    values: list[Any] = []
    at, size = 0, len(run)
    while at < size:
        tag = run[at]
        if tag == _STRING:
            begin = at + _small.size
            at = begin + int(_u32.unpack_from(run, at + 1)[0])
            if at > size:
                return None
            values.append(run[begin:at])
        elif tag == _INTEGER:
            values.append(_i64.unpack_from(run, at + 1)[0])
            at += _wide.size
        elif tag <= _TRUE:
            values.append(_CONSTANTS[tag])
            at += 1
        elif tag == _FLOAT:
            values.append(_f64.unpack_from(run, at + 1)[0])
            at += _double.size
        else:
            return None
    return values


class _Reading:
    """One run of any values."""

    __slots__ = ("_at", "_budget", "_memory", "_run", "_session", "_taker")

    def __init__(self, memory: CoreMemory, session: Session, run: memoryview, taker: Callable[..., Any] | None) -> None:
        self._memory = memory
        self._session = session
        self._run = run
        self._taker = taker
        self._at = 0
        self._budget = Budget(CROSSING_BYTES, "$", "lift", session.check)

    def all(self) -> list[Any]:
        values = []
        while self._at < len(self._run):
            values += self._values(1, 0)
        return values

    def _values(self, count: int, depth: int) -> list[Any]:
        run, values = self._run, []
        for index in range(count):
            if index % _AT_A_TIME == 0:
                self._budget.take(values=min(count - index, _AT_A_TIME))
            tag = run[self._at]
            self._at += 1
            if tag == _INTEGER:
                values.append(self._number(_i64))
            elif tag in _TEXTS:
                values.append(self._text(tag, depth))
            elif tag <= _TRUE:
                values.append(_CONSTANTS[tag])
            elif tag == _FLOAT:
                values.append(self._number(_f64))
            else:
                values.append(self._table(tag, depth))
        return values

    def _number(self, form: struct.Struct) -> Any:
        """Returns the number that comes next, and goes behind it."""
        (number,) = form.unpack_from(self._run, self._at)
        self._at += form.size
        return number

    def _bytes(self, size: int) -> memoryview:
        begin, self._at = self._at, self._at + size
        if self._at > len(self._run):
            raise MalformedRunError("it says that there are more bytes than its run has")
        return self._run[begin : self._at]

    def _text(self, tag: int, depth: int) -> str | bytes:
        size, session = self._number(_u32), self._session
        self._budget.take(size, values=0)
        if size > _SHORT and self._taker is not None:
            session.admission(self._taker)(size)
        if tag == _FAR:
            at = self._number(_u32)
            text = self._memory.fence(at, size, "a text")[at : at + size]
        else:
            text = self._bytes(size)
        if depth and size > LONG:
            return long_text(text, session.check)
        return text_of(bytes(text)) if depth else bytes(text)

    def _table(self, tag: int, depth: int) -> Any:
        """Returns a table, or what else is no scalar."""
        if tag in _TABLES:
            if depth >= MAX_NESTING:
                raise MalformedRunError(f"more than {MAX_NESTING} levels of nesting")
            count = self._number(_u32)
            return self._values(count, depth + 1) if tag == _LIST else self._record(count, depth + 1)
        if tag in _NUMBERS:
            count = self._number(_u32)
            self._budget.take(values=count)
            return self._bytes(8 * count).cast("q" if tag == _INTEGERS else "d").tolist()
        if tag == _RESOURCE:
            return self._session.resources.handle(self._number(_i64))
        if tag == _REFERENCE and depth == 0:
            return self._number(_u32)
        if tag == _FAILED and depth == 0:
            (text,) = self._values(1, MAX_NESTING)
            shown = readable(text) if isinstance(text, bytes) else text if isinstance(text, str) else "with no text"
            raise InternalError(f"the host's Lua code failed in the sandbox: {shown[:_MOST_SHOWN]}")
        raise MalformedRunError(f"a value cannot begin with the byte {tag}")

    def _record(self, count: int, depth: int) -> dict[str, Any]:
        content = self._values(2 * count, depth)
        keys = content[::2]
        if not all(type(key) is str for key in keys):
            raise MalformedRunError("a key is no text, or not UTF-8")
        return dict(in_order(list(zip(keys, content[1::2], strict=True))))
