"""Frozen dataclasses whose methods are written once.

`dataclasses` generates six methods for every class, which takes half a millisecond. A short command declares twenty
classes and makes one object of each, and would wait longer for the methods than for the engine of Lua.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, dataclass_transform

__all__ = ["record"]

T = TypeVar("T")

_set = object.__setattr__


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def record(cls: type[T]) -> type[T]:
    """Makes a class what ``@dataclass(frozen=True, slots=True)`` makes it, but for copies and pickles of its objects.

    A method that the class has stays.
    """
    for name, method in _METHODS.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)
    return dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)


def _init(self: Any, *values: Any, **named: Any) -> None:
    fields: Mapping[str, dataclasses.Field[Any]] = self.__dataclass_fields__
    if values:
        positional = dict(zip(fields, values, strict=False))
        if len(values) > len(fields) or positional.keys() & named:
            raise TypeError(f"{type(self).__name__}() takes each of {', '.join(fields)} once")
        named |= positional
    for name, field in fields.items():
        _set(self, name, named.pop(name) if name in named else _default(self, field))
    if named:
        raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {next(iter(named))!r}")


def _default(self: Any, field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    raise TypeError(f"{type(self).__name__}() missing a required argument: {field.name!r}")


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__dataclass_fields__])


def _repr(self: Any) -> str:
    shown = (f"{name}={value!r}" for name, value in zip(self.__dataclass_fields__, _values(self), strict=True))
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: Any) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse(self: Any, name: str, *_value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"{type(self).__name__} cannot be changed, nor its {name}")


_METHODS: Mapping[str, Any] = {
    "__init__": _init,
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}
