"""Plain values to flat runs of scalars for Lua, and back.

A run holds a table as a mark, its count, and its items, or its keys and items; `values.lua` is the other half.

What does not survive the way to Lua and back: bytes that are UTF-8 come back as str, and dict keys come back sorted,
for a Lua table has no order. None in a list is a hole, in a dict no key, and an empty dict an empty table; but such a
table remembers what it was, and comes back so, as ``lua/values/values.lua`` says.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from polycall.interop.budget import CROSSING_BYTES, Budget
from polycall.interop.errors import ConversionError, InternalError
from polycall.interop.ids import cut
from polycall.interop.resources import ResourceHandle, wrong_with
from polycall.interop.values import MAX_NESTING, Value, describe

__all__ = [
    "AS_THEY_ARE",
    "AT_ONCE",
    "LARGEST",
    "LIST",
    "LONG",
    "MOST_TEXT_BYTES",
    "RECORD",
    "RESOURCE",
    "SMALLEST",
    "Mark",
    "Marks",
    "in_order",
    "lift_all",
    "long_text",
    "lower",
    "lower_scalars",
    "readable",
    "text_of",
]

AT_ONCE = 8000
"""Scalars of a run that cross together, as in ``values.lua``: Lua's stack is the bound."""

_AT_A_TIME = 2048
"""Values that are worked through without asking whether the call is still wanted; sorted keys as well."""

LONG, _PIECE = 16 << 20, 1 << 20
"""Bytes of a text that is read in pieces of that size: 60 MiB at once can take 40 ms."""

_MOST_ESCAPED = 64 << 10

MOST_TEXT_BYTES = 64 << 20
"""What any text may have that a guest gives: a host function that takes so much works through it in pieces."""

_FIXED = frozenset({type(None), bool, float})
AS_THEY_ARE = _FIXED | {bytes}
"""What lupa takes as it is; and so it does integers from `SMALLEST` to `LARGEST`."""

SMALLEST, LARGEST = -(2**63), 2**63 - 1


class Mark:
    """What stands before a table in a run that comes from Lua; it reaches Lua as an object nobody there can open."""

    __slots__ = ()


LIST = Mark()
RECORD = Mark()
RESOURCE = Mark()


_Resource: TypeAlias = Callable[[int], ResourceHandle] | None


class Marks(NamedTuple):
    """What stands before a table, or a resource, in a run that goes to Lua: tables of that state.

    Attributes:
        list: Before a list.
        record: Before a record.
        resource: Before the number and the text of a resource.
        token: Gives a resource its number.
    """

    list: object
    record: object
    resource: object
    token: Callable[[ResourceHandle], int]


class _UnfitError(Exception):
    """A value that Lua cannot hold; gathers its path on the way up."""

    def __init__(self, expected: str, got: str) -> None:
        self.expected = expected
        self.got = got
        self.path = ""


def lower_scalars(values: Sequence[Value]) -> Sequence[Any] | None:
    """Returns up to `AT_ONCE` values as lupa takes them, or None if one needs `lower`: the fast way for most calls."""
    for value in values:
        kind = type(value)
        if kind is int:
            if not SMALLEST <= value <= LARGEST:  # type: ignore[operator]  # narrowed by type()
                return None
        elif kind is str:
            try:
                if len(values) == 1:
                    return (value.encode(),)  # type: ignore[union-attr]  # narrowed by type()
                return lower_scalars([each.encode() if type(each) is str else each for each in values])
            except UnicodeEncodeError:
                return None
        elif kind not in AS_THEY_ARE:
            return None
    return values if len(values) <= AT_ONCE else None


def lower(
    value: Value, path: str, marks: Marks | None, check: Callable[[], None] | None = None, *, most: int = CROSSING_BYTES
) -> list[Any]:
    """Returns a value as a run for Lua.

    Args:
        value: Plain value.
        path: Where it stands, such as ``$.args[0]``.
        marks: Of the state that will read the run.
        check: Called again and again; raises to end the work.
        most: What the value may come to, as `polycall.interop.budget` counts.

    Raises:
        ConversionError: An integer beyond 64 bits, text with lone surrogates, nesting over `MAX_NESTING`, or too much.
        InternalError: The state is closed.
    """
    if marks is None:
        raise InternalError("a value was on its way into a Lua state that is closed")
    run: list[Any] = []
    try:
        _lower(value, run, marks, Budget(most, path, "lower", check), 0)
    except _UnfitError as unfit:
        raise ConversionError(path + unfit.path, "lower", unfit.expected, unfit.got) from None
    return run


def _lower_scalar(value: bool | int | float | str | bytes | None) -> Any:
    if type(value) is str:
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise _UnfitError("text without lone surrogates", describe(value)) from None
    if type(value) is int:
        if SMALLEST <= value <= LARGEST:
            return value
        raise _UnfitError("an integer of 64 bits with sign", describe(value))
    if type(value) not in AS_THEY_ARE:  # anything else would be a live Python object inside Lua
        raise _UnfitError("a plain value", describe(value))
    return value


def _lower_resource(handle: ResourceHandle, marks: Marks) -> tuple[object, int, bytes]:
    wrong = wrong_with(handle)
    if wrong is not None:
        raise _UnfitError("a resource that can be used here", wrong)
    return marks.resource, marks.token(handle), cut(repr(handle)).encode(errors="backslashreplace")


def _lower(value: Value, run: list[Any], marks: Marks, budget: Budget, depth: int) -> None:
    if not isinstance(value, (list, dict)):
        if isinstance(value, (str, bytes)):
            budget.take(len(value), values=0)
        elif isinstance(value, ResourceHandle):
            run += _lower_resource(value, marks)
            return
        run.append(_lower_scalar(value))
        return
    if depth >= MAX_NESTING:
        raise _UnfitError(f"at most {MAX_NESTING} levels of nesting", "more (is it cyclic?)")
    if isinstance(value, list):
        run += (marks.list, len(value))
        if len(value) <= _AT_A_TIME:
            _lower_items(value, run, marks, budget, depth)
            return
        for start in range(0, len(value), _AT_A_TIME):
            _lower_items(value[start : start + _AT_A_TIME], run, marks, budget, depth, start=start)
    else:
        run += (marks.record, len(value))
        if len(value) <= _AT_A_TIME:
            _lower_pairs(value, run, marks, budget, depth)
            return
        pairs = iter(value.items())
        while some := dict(islice(pairs, _AT_A_TIME)):
            _lower_pairs(some, run, marks, budget, depth)


def _lower_items(
    items: list[Value], run: list[Any], marks: Marks, budget: Budget, depth: int, *, start: int = 0
) -> None:
    budget.take(values=len(items))
    for index, item in enumerate(items, start):
        kind = type(item)
        if kind in _FIXED or (kind is int and SMALLEST <= item <= LARGEST):  # type: ignore[operator]  # by type()
            run.append(item)
            continue
        try:
            _lower(item, run, marks, budget, depth + 1)
        except _UnfitError as unfit:
            unfit.path = f"[{index}]{unfit.path}"
            raise


def _lower_pairs(pairs: dict[str, Value], run: list[Any], marks: Marks, budget: Budget, depth: int) -> None:
    budget.take(sum(map(len, pairs)), values=2 * len(pairs))
    for key, item in pairs.items():
        kind = type(item)
        try:
            run.append(_lower_scalar(key))
            if kind in _FIXED or (kind is int and SMALLEST <= item <= LARGEST):  # type: ignore[operator]  # by type()
                run.append(item)
            else:
                _lower(item, run, marks, budget, depth + 1)
        except _UnfitError as unfit:
            unfit.path = f".{cut(key)}{unfit.path}"
            raise


def lift_all(run: Sequence[Any], check: Callable[[], None], resource: _Resource = None) -> list[Value]:
    """Returns the values of a run that came from Lua; Lua's side has bounded it.

    Args:
        run: Marks and scalars.
        check: Called again and again; raises to end the work.
        resource: Gives the resource of a number.
    """
    values: list[Value] = []
    for item in run:
        kind = type(item)
        if kind is bytes:
            values.append(text_of(item) if len(item) <= LONG else long_text(item, check))
        elif kind is Mark:
            rest = _paced(run, check)
            return [_lift(each, rest.__next__, resource) for each in rest]
        else:
            values.append(item)
    return values


def _paced(run: Sequence[Any], check: Callable[[], None]) -> Iterator[Any]:
    for start in range(0, len(run), _AT_A_TIME):
        check()
        yield from run[start : start + _AT_A_TIME]


def _lift(item: Any, take: Callable[[], Any], resource: _Resource) -> Value:
    if type(item) is bytes:
        return text_of(item)
    if item is LIST:
        return [_lift(take(), take, resource) for _ in range(take())]
    if item is RECORD:
        return dict(in_order([(take().decode(), _lift(take(), take, resource)) for _ in range(take())]))
    if item is RESOURCE:
        if resource is None:
            raise InternalError("a resource came from Lua where none may")
        return resource(take())
    scalar: Value = item
    return scalar


_first = itemgetter(0)


def in_order(pairs: list[tuple[str, Value]]) -> Iterable[tuple[str, Value]]:
    """Returns pairs by key. Many are sorted in parts: sorting them at once would hold the interpreter for too long."""
    if len(pairs) <= _AT_A_TIME:
        return sorted(pairs, key=_first)
    parts = [sorted(pairs[at : at + _AT_A_TIME], key=_first) for at in range(0, len(pairs), _AT_A_TIME)]
    return merge(*parts, key=_first)


def readable(data: bytes) -> str:
    """Returns text as a message shows it. What is not UTF-8 stands there as escapes, and then not all of it.

    Python makes each escape by itself and holds the interpreter meanwhile: 60 MiB take ten seconds.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data[:_MOST_ESCAPED].decode(errors="backslashreplace")


def text_of(data: bytes) -> str | bytes:
    """Returns a string that came from Lua, as str if it is UTF-8: Lua has one type for both."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def long_text(data: bytes | memoryview, check: Callable[[], None]) -> str | bytes:
    """Returns what `text_of` would of more than `LONG` bytes, and asks `check` again and again.

    Raises:
        ConversionError: It has more than `MOST_TEXT_BYTES`.
    """
    if len(data) > MOST_TEXT_BYTES:
        raise ConversionError("$", "lift", f"text of at most {MOST_TEXT_BYTES} bytes", f"one of {len(data)}")
    view, decode = memoryview(data), getincrementaldecoder("utf-8")().decode
    pieces = []
    try:
        for at in range(0, len(view), _PIECE):
            check()
            pieces.append(decode(view[at : at + _PIECE], at + _PIECE >= len(view)))
    except UnicodeDecodeError:
        pieces.clear()
    check()
    return "".join(pieces) or bytes(data)
