"""Named tuples whose methods are written once.

`typing` generates code for every class and looks into every annotation, which takes a tenth of a millisecond. A command
that calls a function declares forty such classes, and would wait for them as long as for the call.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

__all__ = ["NamedTuple"]

_Wide = namedtuple("_Wide", "a b c d e f g h i j k l m n o p")  # of no types

_GETTERS: Sequence[object] = tuple([vars(_Wide)[field] for field in _Wide._fields])
"""What reads the value at each place: the same in every class, and faster than anything that Python could write."""


def _new(count: int) -> Callable[..., Any]:
    make = tuple.__new__

    def new(cls: Any, /, *values: Any, **named: Any) -> Any:
        return make(cls, _completed(cls, values, named) if named or len(values) != count else values)

    return new


def _completed(cls: Any, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    fields: tuple[str, ...] = cls._fields
    given = dict(zip(fields, values, strict=False))
    if len(values) > len(fields) or given.keys() & named or named.keys() - set(fields):
        raise TypeError(f"{cls.__name__}() takes each of {', '.join(fields)} once")
    given = {**cls._field_defaults, **given, **named}
    missing = [field for field in fields if field not in given]
    if missing:
        raise TypeError(f"{cls.__name__}() missing a required argument: {missing[0]!r}")
    return tuple([given[field] for field in fields])


def _asdict(self: Any) -> dict[str, Any]:
    return dict(zip(self._fields, self, strict=True))


def _replace(self: Any, /, **named: Any) -> Any:
    return type(self)(**(_asdict(self) | named))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{field}={value!r}" for field, value in _asdict(self).items())
    return f"{type(self).__name__}({shown})"


def _make(cls: Any, values: Any) -> Any:
    return cls(*values)


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(self)


_METHODS: Mapping[str, Any] = {
    "__slots__": (),
    "__repr__": _repr,
    "__getnewargs__": _values,  # for copies and pickles
    "_asdict": _asdict,
    "_replace": _replace,
    "__replace__": _replace,  # for `copy.replace` of Python 3.13
    "_make": classmethod(_make),
}


class _Meta(type):
    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _Meta:
        if "_asdict" not in namespace and NamedTuple in bases:  # else it is `NamedTuple` itself, or below one of these
            fields = tuple(namespace.get("__annotations__", ()))
            if len(fields) > len(_GETTERS):
                raise TypeError(f"{name} has more than {len(_GETTERS)} fields")
            namespace["_field_defaults"] = {field: namespace.pop(field) for field in fields if field in namespace}
            namespace |= {"__slots__": (), "_fields": fields, "__match_args__": fields, "__new__": _new(len(fields))}
            namespace |= zip(fields, _GETTERS, strict=False)
        return super().__new__(cls, name, bases, namespace)


if TYPE_CHECKING:
    from typing import NamedTuple  # noqa: TID251  # as which type checkers see it
else:
    NamedTuple = _Meta("NamedTuple", (tuple,), dict(_METHODS))
