"""Frozen dataclasses whose methods are written once.

`dataclasses` generates six methods for every class, which takes half a millisecond. A command that calls a component
declares more than a hundred classes, and would wait for these methods longer than for the engine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeVar, dataclass_transform

__all__ = ["record"]

T = TypeVar("T")

_set = object.__setattr__


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def record(cls: type[T]) -> type[T]:
    """Makes a class what ``@dataclass(frozen=True, slots=True)`` makes it. A method that it has stays."""
    for name, method in _METHODS.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    fields = {field.name: field for field in dataclasses.fields(made)}
    made.__record_fields__, made.__record_values__ = fields, staticmethod(_values_of(tuple(fields)))
    return made  # type: ignore[no-any-return]  # mypy does not know the two names


def _values_of(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple([getattr(self, name) for name in names])


def _init(self: Any, *values: Any, **named: Any) -> None:
    fields = self.__record_fields__
    if not named and len(values) == len(fields):
        _fill(self, values)
        return
    if values:
        positional = dict(zip(fields, values, strict=False))
        if len(values) > len(fields) or positional.keys() & named:
            raise TypeError(f"{type(self).__name__}() takes each of {', '.join(fields)} once")
        named |= positional
    for name, field in fields.items():
        _set(self, name, named.pop(name) if name in named else _default(self, field))
    if named:
        raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {next(iter(named))!r}")


def _fill(self: Any, values: Iterable[Any]) -> None:
    for name, value in zip(self.__record_fields__, values, strict=True):
        _set(self, name, value)


def _default(self: Any, field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    raise TypeError(f"{type(self).__name__}() missing a required argument: {field.name!r}")


def _repr(self: Any) -> str:
    shown = zip(self.__record_fields__, self.__record_values__(self), strict=True)
    return f"{type(self).__qualname__}({', '.join(f'{name}={value!r}' for name, value in shown)})"


def _eq(self: Any, other: Any) -> Any:
    return (
        self.__record_values__(self) == other.__record_values__(other) if type(other) is type(self) else NotImplemented
    )


def _hash(self: Any) -> int:
    return hash(self.__record_values__(self))


def _refuse(self: Any, name: str, *_value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"{type(self).__name__} cannot be changed, nor its {name}")


def _state(self: Any) -> tuple[Any, ...]:
    values: tuple[Any, ...] = self.__record_values__(self)
    return values


_METHODS: Mapping[str, Any] = MappingProxyType(
    {
        "__init__": _init,
        "__repr__": _repr,
        "__eq__": _eq,
        "__hash__": _hash,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
        "__getstate__": _state,  # for copies and pickles
        "__setstate__": _fill,
    }
)
