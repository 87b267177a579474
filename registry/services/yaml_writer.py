"""Plain values to YAML text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import yaml

from polycall.interop.budget import Budget
from polycall.interop.errors import ConversionError
from polycall.interop.ids import cut
from polycall.interop.resources import ResourceHandle
from polycall.interop.values import KEPT, Value, describe
from polycall.registry.documents.scalars import resolve_plain

__all__ = ["write_yaml"]

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_UNFOLDED = 2**31 - 1
_OLD_RULES: Any = yaml.resolver.Resolver()
_TEXT = "tag:yaml.org,2002:str"
_NUMBER_STARTS = frozenset("+-.0123456789")
_LONGEST_PLAIN_NUMBER = 100
"""Characters: longer text that begins like a number is quoted, whatever it is. The regular expressions of the old rules
take their time with text such as ``1:1:1:1:...``."""

_LONGEST_SCALAR = 1 << 20
"""Characters of one text: the emitter is C code that holds the interpreter, for 20 ms with this, 50 ms at worst."""

_MOST_BYTES = 16 << 20
_BYTES_OF_A_CHARACTER = 4
"""Together with `_MOST_BYTES`, as `polycall.interop.budget` counts: 4 Mi characters or 131,072 values."""


def write_yaml(value: Value, check: Callable[[], None], field_order: Sequence[str], indent: int) -> str:
    """Returns YAML text in block style, one value or key a line.

    Text is quoted wherever a reader of YAML 1.1 or 1.2 would take it for something else.

    Args:
        value: Plain value.
        check: Called again and again; raises to end the work.
        field_order: Keys that come first in each mapping; the others follow in alphabetical order.
        indent: Spaces a level.

    Raises:
        ConversionError: Bytes that are not UTF-8, a text of more than 1 Mi characters, or too much: 16 MiB, of which a
            character takes 4 bytes and a value 128.
    """
    ranks = {name: rank for rank, name in reversed(list(enumerate(field_order)))}
    text: str = yaml.emit(
        _Writer(check, ranks).document(value),
        Dumper=_DUMPER,
        indent=indent,
        width=_UNFOLDED,
        allow_unicode=True,
    )
    # The end mark that follows a text which ends in empty lines is of use only before a further document.
    return text[:-4] if text.endswith("\n...\n") else text


class _Writer:
    def __init__(self, check: Callable[[], None], ranks: dict[str, int]) -> None:
        self._budget = Budget(_MOST_BYTES, check=check)
        self._ranks = ranks

    def document(self, value: Value) -> Iterator[yaml.Event]:
        yield yaml.StreamStartEvent()
        yield yaml.DocumentStartEvent(explicit=False)
        yield from self._events(value, "$")
        yield yaml.DocumentEndEvent(explicit=False)
        yield yaml.StreamEndEvent()

    def _events(self, value: Value, path: str) -> Iterator[yaml.Event]:
        if isinstance(value, list):
            self._budget.take()
            yield yaml.SequenceStartEvent(None, None, True, flow_style=False)
            for index, item in enumerate(value):
                yield from self._events(item, f"{path}[{index}]")
            yield yaml.SequenceEndEvent()
        elif isinstance(value, dict):
            self._budget.take()
            yield yaml.MappingStartEvent(None, None, True, flow_style=False)
            for key in self._ordered(value):
                yield self._scalar(key, path)
                yield from self._events(value[key], f"{path}.{cut(key)}")
            yield yaml.MappingEndEvent()
        else:
            if isinstance(value, ResourceHandle):
                raise ConversionError(path, "lower", "a plain value", "a resource", hint=KEPT)
            yield self._scalar(value, path)

    def _scalar(self, value: bool | int | float | str | bytes | None, path: str) -> yaml.Event:
        length = len(value) if isinstance(value, str) else 0
        if length > _LONGEST_SCALAR:
            expected = f"text of at most {_LONGEST_SCALAR:,} characters for YAML"
            raise ConversionError(path, "lower", expected, f"{length:,}")
        self._budget.take(length * _BYTES_OF_A_CHARACTER)
        return _scalar_event(value, path)

    def _ordered(self, value: dict[str, Value]) -> Iterable[str]:
        ranks = self._ranks
        return chain(
            sorted((key for key in value if key in ranks), key=ranks.__getitem__),
            sorted(key for key in value if key not in ranks),  # in order already, where they come from Lua
        )


def _scalar_event(value: bool | int | float | str | bytes | None, path: str) -> yaml.Event:
    if isinstance(value, str):
        return _text_event(value)
    if isinstance(value, bytes):
        raise ConversionError(path, "lower", "text for YAML", f"{describe(value)} that are not UTF-8")
    if isinstance(value, float):
        return yaml.ScalarEvent(None, None, (True, True), _float_text(value))
    text = "null" if value is None else str(value).lower()
    return yaml.ScalarEvent(None, None, (True, True), text)


def _float_text(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")  # YAML 1.1 asks for the point


def _text_event(text: str) -> yaml.Event:
    as_it_is = (
        _may_be_plain(text) and text.isprintable() and resolve_plain(text) == text and _is_text_to_old_rules(text)
    )
    style = "|" if "\n" in text else None
    return yaml.ScalarEvent(None, None, (as_it_is, True), text, style=style)


def _may_be_plain(text: str) -> bool:
    return len(text) <= _LONGEST_PLAIN_NUMBER or text[0] not in _NUMBER_STARTS


def _is_text_to_old_rules(text: str) -> bool:
    tag: str = _OLD_RULES.resolve(yaml.ScalarNode, text, (True, False))
    return tag == _TEXT
