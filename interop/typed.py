"""Whether a plain value is of a type that Python's annotations say: what a typed call promises its caller.

Of what `typing` has, only what plain values can be: None, bool, int, float, str, bytes, list, tuple, dict, TypedDict,
Literal, unions, and the abstract Sequence and Mapping. A value is looked at, never converted: a tuple is a list here.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

from polycall.interop.errors import ConversionError
from polycall.interop.ids import cut
from polycall.interop.resources import ResourceHandle
from polycall.interop.value_path import Place, path_text
from polycall.interop.values import Value, describe

__all__ = ["checked", "type_check"]

Check = Callable[[Any, Place], None]
"""Takes a value and its place; raises `ConversionError`."""

_ANY = (Any, object, Value)
_LISTS = (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
_DICTS = (dict, collections.abc.Mapping)


def checked(value: Any, wanted: Any) -> Any:
    """Returns a result if it is of a type.

    Raises:
        ConversionError: It is not; the path says where.
        TypeError: The type is none that plain values can be of.
    """
    type_check(wanted)(value, "$.result")
    return value


def type_check(wanted: Any) -> Check:
    """Returns what checks a type.

    Raises:
        TypeError: Plain values cannot be of that type.
    """
    return _known(wanted) if isinstance(wanted, Hashable) else _check_of(wanted, {})


@lru_cache(256)
def _known(wanted: Any) -> Check:
    return _check_of(wanted, {})


def _check_of(wanted: Any, records: dict[Any, Check]) -> Check:
    """As `type_check`; `records` are those on the way here, which a type may have inside itself."""
    if wanted in _ANY:
        return _anything
    if wanted is None or wanted is type(None):
        return _exactly(type(None), "None")
    if wanted is float:
        return _one_of((float, int), "float")  # as for every annotation of Python's
    if wanted in (bool, int, str, bytes, ResourceHandle):
        return _exactly(wanted, wanted.__name__)
    if typing.is_typeddict(wanted):
        return records.get(wanted) or _record(wanted, records)
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is typing.Annotated or origin in (typing.Required, typing.NotRequired):
        return _check_of(arguments[0], records)
    if origin in (typing.Union, types.UnionType):
        return _union(wanted, [_check_of(each, records) for each in arguments])
    if origin is typing.Literal:
        return _literal(wanted, arguments)
    return _of_container(wanted, origin or wanted, arguments, records)


def _of_container(wanted: Any, origin: Any, arguments: tuple[Any, ...], records: dict[Any, Check]) -> Check:
    if origin in _LISTS:
        return _list(_check_of(arguments[0], records) if arguments else _anything)
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return _list(_check_of(arguments[0], records))
    if origin is tuple and arguments:
        return _tuple([_check_of(each, records) for each in arguments])
    if origin in _DICTS and arguments[:1] in ((), (str,)):
        return _dict(_check_of(arguments[1], records) if arguments else _anything)
    raise TypeError(f"a result cannot be checked to be {_name(wanted)}: {_POSSIBLE}")


_POSSIBLE = (
    "a plain value is None, bool, int, float, str, bytes, list, tuple or dict[str, ...] of such, "
    "a TypedDict, a Literal, or one of several of these"
)


def _anything(_value: Any, _place: Place) -> None:
    return


def _wrong(place: Place, expected: str, value: Any) -> ConversionError:
    return ConversionError(path_text(place), "lift", expected, describe(value))


def _exactly(wanted: type, name: str) -> Check:
    return _one_of((wanted,), name)


def _one_of(wanted: tuple[type, ...], name: str) -> Check:
    def check(value: Any, place: Place) -> None:
        if type(value) not in wanted:  # not isinstance: True is no number to anybody who asks for one
            raise _wrong(place, name, value)

    return check


def _list(item: Check) -> Check:
    def check(value: Any, place: Place) -> None:
        if type(value) is not list:
            raise _wrong(place, "a list", value)
        for index, each in enumerate(value):
            item(each, (place, index))

    return check


def _tuple(items: list[Check]) -> Check:
    def check(value: Any, place: Place) -> None:
        if type(value) is not list or len(value) != len(items):
            raise _wrong(place, f"a list of {len(items)}", value)
        for index, (item, each) in enumerate(zip(items, value, strict=True)):
            item(each, (place, index))

    return check


def _dict(item: Check) -> Check:
    def check(value: Any, place: Place) -> None:
        if type(value) is not dict:
            raise _wrong(place, "a record", value)
        for key, each in value.items():
            item(each, (place, key))

    return check


def _record(wanted: Any, records: dict[Any, Check]) -> Check:
    """A TypedDict: the keys that it has must be right; others may be there, as its type says."""
    fields: dict[str, Check] = {}
    hints = typing.get_type_hints(wanted, include_extras=True)
    # Of annotations that are text, as they are with `from __future__ import annotations`, Python itself does not look
    # inside for these two.
    said = {key: typing.get_origin(each) for key, each in hints.items()}
    required = {key for key in wanted.__required_keys__ if said[key] is not typing.NotRequired}
    required |= {key for key, each in said.items() if each is typing.Required}

    def check(value: Any, place: Place) -> None:
        if type(value) is not dict:
            raise _wrong(place, f"a record ({wanted.__name__})", value)
        missing = sorted(required - value.keys())
        if missing:
            raise _wrong(place, f'a record with "{missing[0]}" ({wanted.__name__})', value)
        for key, field in fields.items():
            if key in value:
                field(value[key], (place, key))

    records[wanted] = check
    fields |= {key: _check_of(each, records) for key, each in hints.items()}
    return check


def _union(wanted: Any, checks: list[Check]) -> Check:
    def check(value: Any, place: Place) -> None:
        failures: list[ConversionError] = []
        for each in checks:
            try:
                return each(value, place)
            except ConversionError as error:
                failures.append(error)
        at = path_text(place)
        inner = [failure for failure in failures if failure.path != at]
        if len(inner) == 1:  # the only one that the value looks like at all
            raise inner[0]
        raise ConversionError(at, "lift", _name(wanted), describe(value))

    return check


def _literal(wanted: Any, choices: tuple[Any, ...]) -> Check:
    def check(value: Any, place: Place) -> None:
        if not any(type(value) is type(each) and value == each for each in choices):
            raise _wrong(place, _name(wanted), value)

    return check


def _name(wanted: Any) -> str:
    return cut(wanted.__name__ if isinstance(wanted, type) and not typing.get_args(wanted) else str(wanted))
