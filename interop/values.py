"""The values that travel between languages: plain Python, nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeAlias

from polycall.interop.errors import ConversionError
from polycall.interop.ids import cut
from polycall.interop.resources import ResourceHandle
from polycall.interop.value_path import Place, path_text, steps_of

__all__ = ["KEPT", "MAX_NESTING", "SCALARS", "Value", "describe", "plain", "plain_all"]

if TYPE_CHECKING:
    Value: TypeAlias = "None | bool | int | float | str | bytes | list[Value] | dict[str, Value] | ResourceHandle"
else:  # nothing at run time can be a type that contains itself, and annotations of other people's classes are evaluated
    Value = Any
"""What a call takes and gives. `bytes` is text that is not UTF-8, or a ``list<u8>``; a handle is a resource."""

Admits: TypeAlias = Callable[[ResourceHandle], "str | None"] | None
"""Says what is wrong with a resource among values."""

KEPT = (
    "a resource can only be an argument or the result of a call in its own process: "
    "write a function that uses it, and returns what its methods give"
)
"""What to do about a resource where there can be none."""

MAX_NESTING = 128
"""How deep lists and dicts may nest: a cyclic or hostile value must not exhaust the host's stack."""

SCALARS = (type(None), bool, int, float, str, bytes)
"""The types of values that are nothing but themselves."""

_SCALAR_TYPES, _KEY_TYPES = frozenset(SCALARS), frozenset({str})
_LIST, _DICT = frozenset({list}), frozenset({dict})
_SHOWN_CHARACTERS = 40
_SHOWN_BITS = 128  # decimal digits of a huge integer take quadratic time, and Python refuses thousands of them


def plain(value: object, path: str = "$", admits: Admits = None) -> Value:
    """Checks that a Python value can travel and returns it as plain types.

    Tuples become lists; bytearray and memoryview become bytes; subclasses become their plain base, so nothing of the
    caller's objects reaches a guest.

    Args:
        value: What a Python caller passes or a Python function returns.
        path: Where it stands, for the message.
        admits: Says what is wrong with a resource, or None: it may be among the values. Without, none may.

    Raises:
        ConversionError: A type that no guest language has, a key that is not a str, a value that contains itself, or
            nesting over `MAX_NESTING`.
    """
    if type(value) in SCALARS:
        return value  # type: ignore[return-value]  # narrowed by type()
    try:
        return _plain(value, path, 0, admits)
    except _TooDeepError as error:
        raise _too_deep(value, error.place) from None


def plain_all(values: Sequence[object], path: str, admits: Admits = None) -> Sequence[Value]:
    """Like `plain`, for each of several values, such as the arguments of a call."""
    for value in values:
        if type(value) not in SCALARS:
            return [plain(each, f"{path}[{index}]", admits) for index, each in enumerate(values)]
    return values  # type: ignore[return-value]  # narrowed by type()


class _TooDeepError(Exception):
    """A value lies deeper than `MAX_NESTING`; never leaves this file."""

    def __init__(self, place: Place) -> None:
        self.place = place


def _too_deep(value: Any, place: Place) -> ConversionError:
    """Says what is wrong with a value that lies too deep at a place: it contains itself, or is merely deep."""
    root, steps = steps_of(place)
    at: Place = root
    met = {id(value): at}
    with contextlib.suppress(Exception):  # a mapping of somebody's own may give other things each time
        for step in steps:
            value, at = value[step], (at, step)
            if id(value) in met:
                again = path_text(met[id(value)])
                got = f"one that refers to itself: it is {again} again"
                return ConversionError(path_text(at), "lower", "a value that does not contain itself", got)
            met[id(value)] = at
    return ConversionError(path_text(place), "lower", f"at most {MAX_NESTING} levels of nesting", "more")


def _plain(value: object, place: Place, depth: int, admits: Admits) -> Value:
    if type(value) in SCALARS:
        return value  # type: ignore[return-value]  # narrowed by type()
    if depth >= MAX_NESTING:
        raise _TooDeepError(place)
    if isinstance(value, (list, tuple)):
        return _list(list(value), place, depth, admits)
    if type(value) is dict:
        return _dict(value.copy(), place, depth, admits)
    if isinstance(value, Mapping):
        return _record(value, place, depth, admits)
    return _scalar(value, place, admits)


# Most values are flat: they are judged and copied in C, in a fraction of the time that it takes to walk them. The copy
# comes first, for another thread may change what was given.


def _list(items: list[Any], place: Place, depth: int, admits: Admits) -> list[Value]:
    if _all_of(_SCALAR_TYPES, items):
        return items
    rows = _flat_rows(items) if depth + 1 < MAX_NESTING else None
    if rows is not None:
        return rows
    for index, item in enumerate(items):
        if type(item) not in SCALARS:
            items[index] = _plain(item, (place, index), depth + 1, admits)
    return items


def _dict(record: dict[Any, Any], place: Place, depth: int, admits: Admits) -> dict[str, Value]:
    if not _all_of(_KEY_TYPES, record):
        return _record(record, place, depth, admits)
    if not _all_of(_SCALAR_TYPES, record.values()):
        for name, item in record.items():
            if type(item) not in SCALARS:
                record[name] = _plain(item, (place, name), depth + 1, admits)
    return record


def _flat_rows(items: list[Any]) -> list[Any] | None:
    """Returns a copy of nothing but lists, or nothing but dicts, that hold nothing but scalars; None for others."""
    first = items[0]  # a look at it saves most of the others the way below
    if type(first) is dict and _all_of(_SCALAR_TYPES, first.values()) and _all_of(_DICT, items):
        records: list[dict[Any, Any]] = list(map(dict.copy, items))
        keys, values = chain.from_iterable(records), chain.from_iterable(map(dict.values, records))
        return records if _all_of(_KEY_TYPES, keys) and _all_of(_SCALAR_TYPES, values) else None
    if type(first) is list and _all_of(_SCALAR_TYPES, first) and _all_of(_LIST, items):
        lists: list[list[Any]] = list(map(list.copy, items))
        return lists if _all_of(_SCALAR_TYPES, chain.from_iterable(lists)) else None
    return None


def _all_of(types: frozenset[type], values: Iterable[object]) -> bool:
    # Most lists have values of one type, and to count a type takes half as long as to put each into a set.
    found = list(map(type, values))
    return not found or (found[0] in types and found.count(found[0]) == len(found)) or types.issuperset(found)


def _record(value: Mapping[object, object], place: Place, depth: int, admits: Admits) -> dict[str, Value]:
    record: dict[str, Value] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise ConversionError(path_text(place), "lower", "str keys", f"the key {describe(key)}")
        name = str.__str__(key)
        record[name] = _plain(item, (place, name), depth + 1, admits)
    return record


def _scalar(value: object, place: Place, admits: Admits) -> Value:
    # The bases' own methods give the content: a subclass may say anything else of itself, as Enum does in __str__.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, bytes):
        return bytes.__bytes__(value)
    if isinstance(value, (bytearray, memoryview)):
        return memoryview(value).tobytes()
    if isinstance(value, ResourceHandle):
        return _resource(value, place, admits)
    expected = "None, bool, int, float, str, bytes, list or dict"
    raise ConversionError(path_text(place), "lower", expected, describe(value))


def _resource(value: ResourceHandle, place: Place, admits: Admits) -> Value:
    if admits is None:
        raise ConversionError(path_text(place), "lower", "a plain value", "a resource", hint=KEPT)
    wrong = admits(value)
    if wrong is not None:
        raise ConversionError(path_text(place), "lower", "a resource that can be used here", wrong)
    return value


def describe(value: object) -> str:
    """Names a value in an error message: short values as they are, long ones cut, foreign ones by their type only.

    Returns:
        For example ``"x"``, ``-1``, ``a list of 3``, ``a Decimal``.
    """
    if value is None:
        return "nothing (None)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if type(value) is int and value.bit_length() > _SHOWN_BITS:
        return f"an integer of {value.bit_length()} bits"
    if type(value) in (int, float):
        return cut(repr(value), _SHOWN_CHARACTERS)
    if isinstance(value, str):
        # Half of a surrogate pair is shown as an escape: a message must be fit to be printed.
        return '"' + cut(str.__str__(value), _SHOWN_CHARACTERS).encode(errors="backslashreplace").decode() + '"'
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, Mapping):
        return _described_record(value) if value else "an empty record"
    if isinstance(value, ResourceHandle):
        return "a resource"
    return f"a {type(value).__name__}"


def _described_record(record: Mapping[object, object]) -> str:
    first = [str.__str__(key) if isinstance(key, str) else describe(key) for key in islice(record, 3)]
    more = ", ..." if len(record) > len(first) else ""
    return cut(f"a record with the keys {', '.join(first)}{more}", _SHOWN_CHARACTERS)
