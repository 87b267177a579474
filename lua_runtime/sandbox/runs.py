"""Runs of bytes: how values go into the module's memory and come out of it. ``c/runs.h`` is the other half.

What comes out was written by whoever has taken over the module: nothing in it is believed. It is read once, from
memory that no guest changes meanwhile, and every size, address and depth is looked at before it is used.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any

from polycall.interop.budget import CROSSING_BYTES, Budget
from polycall.interop.core_engine import CoreMemory
from polycall.interop.errors import InternalError, TrapError
from polycall.interop.resources import ResourceHandle
from polycall.interop.values import MAX_NESTING
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
    "read_scalars",
    "read_text",
]

_NIL, _FALSE, _TRUE, _INTEGER, _FLOAT, _STRING, _FAR = range(7)
_LIST, _RECORD, _RESOURCE, _INTEGERS, _FLOATS, _HOST_FUNCTION, _REFERENCE, _FAILED = range(7, 15)
_small, _wide, _double = struct.Struct("<BI"), struct.Struct("<Bq"), struct.Struct("<Bd")
_u32, _far, _i64, _f64 = struct.Struct("<I"), struct.Struct("<II"), struct.Struct("<q"), struct.Struct("<d")
INTEGER, INTEGER_BYTES = _INTEGER, _wide.size
"""How a run begins, and how long it is, that is nothing but an integer: the least of all, so nobody calls a function
for it."""

pack_integer, read_integer = _wide.pack_into, _i64.unpack_from
"""(memory, where, `INTEGER`, number), and (memory, behind where it begins): gives the number and nothing else."""

_SIMPLE = {None: bytes([_NIL]), False: bytes([_FALSE]), True: bytes([_TRUE])}
_NUMBER_BYTES = 8
_SHORT = 1024
_MOST_SHOWN = 300


class Reference(int):
    """The number of a table or a function of the host's own Lua code. What comes out is a number like any other."""


class HostFunctionNumber(int):
    """The number by which the module calls a function of the host's."""


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
            append(_marked(item, next(items)))
            if item is not LIST and item is not RECORD:
                text = next(items)
                append(_u32.pack(len(text)) + text)
        elif kind is Reference:
            append(_small.pack(_REFERENCE, item))
        elif kind is HostFunctionNumber:
            append(_small.pack(_HOST_FUNCTION, item))
        else:
            append(_SIMPLE[item])
    return pieces


def _marked(mark: Mark, number: int) -> bytes:
    if mark is LIST:
        return _small.pack(_LIST, number)
    return _small.pack(_RECORD, number) if mark is RECORD else _wide.pack(_RESOURCE, number)


def read_text(memory: CoreMemory, at: int, size: int) -> bytes | None:
    """Returns what a run of nothing but a short text says, else None."""
    if at + size > memory.size or size < _small.size:
        return None
    view = memory.view
    if view[at] == _STRING and _u32.unpack_from(view, at + 1)[0] == size - _small.size:
        return bytes(view[at + _small.size : at + size])
    return None


def read_run(
    memory: CoreMemory,
    at: int,
    size: int,
    check: Callable[[], None] | None = None,
    resource: Callable[[int], ResourceHandle] | None = None,
    *,
    admit: Callable[[int], None] | None = None,
) -> list[Any]:
    """Returns the values of a run: strings as bytes, and within tables as text where they are UTF-8.

    Args:
        memory: Of the module.
        at: Where the run begins, as the module gave it.
        size: How many bytes, as the module gave it.
        check: Called again and again; raises to end the work.
        resource: Gives the resource of a number.
        admit: Called with the length of each long text before it is copied; raises to refuse it.

    Raises:
        MalformedRunError: It is none.
        TrapError: It is outside of the memory.
        ConversionError: It comes to too much.
        Exception: What `check`, `resource` and `admit` raise.
    """
    run = memory.fence(at, size, "a run")[at : at + size]
    try:
        return _Reading(memory, run, check, resource, admit).values()
    except (struct.error, IndexError):
        raise _cut_off() from None


def _cut_off() -> MalformedRunError:
    return MalformedRunError("a run ends within a value")


def read_scalars(memory: CoreMemory, at: int, size: int) -> list[Any] | None:
    """Returns what `read_run` would for a short run, or None if there are any but the usual values: for most calls."""
    if size > _SHORT:
        return None
    try:
        return _scalars(bytes(memory.fence(at, size, "a run")[at : at + size]))
    except (struct.error, IndexError):
        raise _cut_off() from None


def _scalars(run: bytes) -> list[Any] | None:
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
            values.append(None if tag == _NIL else tag == _TRUE)
            at += 1
        else:
            return None
    return values


class _Reading:
    __slots__ = ("_admit", "_at", "_budget", "_check", "_memory", "_resource", "_run", "_size")

    def __init__(
        self,
        memory: CoreMemory,
        run: memoryview,
        check: Callable[[], None] | None,
        resource: Callable[[int], ResourceHandle] | None,
        admit: Callable[[int], None] | None,
    ) -> None:
        self._admit = admit
        self._check = check
        self._memory = memory
        self._run = run
        self._size = len(run)
        self._at = 0
        self._budget = Budget(CROSSING_BYTES, "$", "lift", check)
        self._resource = resource

    def values(self) -> list[Any]:
        values = []
        while self._at < self._size:
            value = self._value(0)
            values.append(value)
        return values

    def _value(self, depth: int) -> Any:
        run, at = self._run, self._at
        tag = run[at]
        self._budget.take()
        if tag <= _TRUE:
            self._at = at + 1
            return None if tag == _NIL else tag == _TRUE
        if tag == _INTEGER:
            self._at = at + 9
            return _i64.unpack_from(run, at + 1)[0]
        if tag == _FLOAT:
            self._at = at + 9
            return _f64.unpack_from(run, at + 1)[0]
        if tag in {_STRING, _FAR}:
            text = self._text(tag)
            if depth and len(text) > LONG and self._check is not None:
                return long_text(text, self._check)
            return text_of(bytes(text)) if depth else bytes(text)
        return self._table(tag, depth)

    def _count(self) -> int:
        """Returns the number behind a tag, and goes behind it."""
        number: int = _u32.unpack_from(self._run, self._at + 1)[0]
        self._at += 5
        return number

    def _text(self, tag: int) -> memoryview:
        size = self._count()
        self._budget.take(size, values=0)
        if size > _SHORT and self._admit is not None:
            self._admit(size)
        at = self._at
        if tag == _FAR:
            (address,) = _u32.unpack_from(self._run, at)
            self._at = at + 4
            return self._memory.fence(address, size, "a text")[address : address + size]
        if size > self._size - at:
            raise MalformedRunError("a text ends behind its run")
        self._at = at + size
        return self._run[at : at + size]

    def _table(self, tag: int, depth: int) -> Any:
        if tag in {_INTEGERS, _FLOATS}:
            numbers = self._numbers()
            return (numbers.cast("q") if tag == _INTEGERS else numbers.cast("d")).tolist()
        if tag == _RESOURCE:
            return self._handle()
        if tag in {_LIST, _RECORD}:
            if depth >= MAX_NESTING:
                raise MalformedRunError(f"more than {MAX_NESTING} levels of nesting")
            count = self._count()
            if tag == _LIST:
                return [self._value(depth + 1) for _ in range(count)]
            return dict(in_order([(self._key(), self._value(depth + 1)) for _ in range(count)]))
        if tag == _REFERENCE and depth == 0:
            return self._count()
        if tag == _FAILED and depth == 0:
            raise InternalError(f"the host's Lua code failed in the sandbox: {self._failure()}")
        raise MalformedRunError(f"a value cannot begin with the byte {tag}")

    def _failure(self) -> str:
        self._at += 1
        text = self._value(0)
        return readable(text[:_MOST_SHOWN]) if isinstance(text, bytes) else "with no text"

    def _key(self) -> str:
        tag = self._run[self._at]
        if tag not in {_STRING, _FAR}:
            raise MalformedRunError("a key is no text")
        self._budget.take()
        try:
            return str(self._text(tag), "utf-8")
        except UnicodeDecodeError:
            raise MalformedRunError("a key is not UTF-8") from None

    def _handle(self) -> ResourceHandle:
        (number,) = _i64.unpack_from(self._run, self._at + 1)
        self._at += 9
        if self._resource is None:
            raise MalformedRunError("a resource where none may be")
        return self._resource(number)

    def _numbers(self) -> memoryview:
        count = self._count()
        self._budget.take(values=count)
        end = self._at + count * _NUMBER_BYTES
        if end > self._size:
            raise MalformedRunError("a list of numbers ends behind its run")
        numbers = self._run[self._at : end]
        self._at = end
        return numbers
