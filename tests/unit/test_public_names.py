"""What the signatures of the public names say is public itself."""

from __future__ import annotations

import builtins
import collections.abc
import inspect
import os
import pathlib
import re
import types
import typing
from collections.abc import Iterator

import pytest

import polycall

_ELSEWHERE = [vars(module) for module in (builtins, typing, collections.abc, pathlib, os, types)]
_VARIABLES = {"Body", "T", "Self"}
_NO_OBJECTS = {"__version__", "Value", "Finish"}
_MADE_BY_POLYCALL = {"Entry", "ResourceHandle", "ResourceMethod"}
"""Classes whose constructors are nobody's to call."""


def _words(annotation: object) -> set[str]:
    text = getattr(annotation, "__forward_arg__", annotation)
    if isinstance(text, type):
        return {text.__name__}
    return set(re.findall(r"[A-Za-z_]\w*", re.sub(r"'[^']*'|\"[^\"]*\"", "", str(text))))


def _of_function(function: object) -> Iterator[str]:
    for annotation in inspect.get_annotations(inspect.unwrap(function)).values():  # type: ignore[arg-type]  # one it is
        yield from _words(annotation)


def _of_class(cls: type) -> Iterator[str]:
    for name, annotation in inspect.get_annotations(cls).items():
        if not name.startswith("_"):
            yield from _words(annotation)
    for name, member in vars(cls).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        is_constructor = name in ("__init__", "__new__")
        hidden = name.startswith("_") and not name.startswith("__")
        if inspect.isfunction(function) and not hidden and not (is_constructor and cls.__name__ in _MADE_BY_POLYCALL):
            yield from _of_function(function)


def _named_by(thing: object) -> set[str]:
    found = _of_class(thing) if isinstance(thing, type) else _of_function(thing) if callable(thing) else iter(())
    return {word for word in found if not any(word in names for names in _ELSEWHERE) and word not in _VARIABLES}


@pytest.mark.parametrize("name", polycall.__all__)
def test_what_a_public_signature_names_is_public(name: str) -> None:
    assert _named_by(getattr(polycall, name)) <= set(polycall.__all__)


def test_the_test_above_finds_what_is_not_public() -> None:
    class Leaks:
        def give(self) -> Hidden: ...  # type: ignore[name-defined]  # noqa: F821  # the mistake under test

    assert _named_by(Leaks) == {"Hidden"}


@pytest.mark.parametrize("name", [name for name in polycall.__all__ if name not in _NO_OBJECTS])
def test_a_public_name_is_at_home_in_polycall(name: str) -> None:
    assert getattr(polycall, name).__module__ == "polycall"
