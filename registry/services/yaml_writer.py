"""Plain values to YAML text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml

from polycall.interop.errors import ConversionError
from polycall.interop.values import Value, describe
from polycall.registry.documents.scalars import resolve_plain

__all__ = ["write_yaml"]

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_UNFOLDED = 2**31 - 1
_OLD_RULES: Any = yaml.resolver.Resolver()
_TEXT = "tag:yaml.org,2002:str"


def write_yaml(value: Value, check: Callable[[], None], field_order: Sequence[str], indent: int) -> str:
    """Returns YAML text in block style, one value or key a line.

    Text is quoted wherever a reader of YAML 1.1 or 1.2 would take it for something else.

    Args:
        value: Plain value.
        check: Called before each value; raises to end the work.
        field_order: Keys that come first in each mapping; the others follow in alphabetical order.
        indent: Spaces a level.

    Raises:
        ConversionError: Bytes that are not UTF-8.
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
        self._check = check
        self._ranks = ranks

    def document(self, value: Value) -> Iterator[yaml.Event]:
        yield yaml.StreamStartEvent()
        yield yaml.DocumentStartEvent(explicit=False)
        yield from self._events(value, "$")
        yield yaml.DocumentEndEvent(explicit=False)
        yield yaml.StreamEndEvent()

    def _events(self, value: Value, path: str) -> Iterator[yaml.Event]:
        self._check()
        if isinstance(value, list):
            yield yaml.SequenceStartEvent(None, None, True, flow_style=False)
            for index, item in enumerate(value):
                yield from self._events(item, f"{path}[{index}]")
            yield yaml.SequenceEndEvent()
        elif isinstance(value, dict):
            yield yaml.MappingStartEvent(None, None, True, flow_style=False)
            for key in sorted(value, key=self._rank):
                yield _text_event(key)
                yield from self._events(value[key], f"{path}.{key}")
            yield yaml.MappingEndEvent()
        else:
            yield _scalar_event(value, path)

    def _rank(self, key: str) -> tuple[int, str]:
        return self._ranks.get(key, len(self._ranks)), key


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
    as_it_is = text.isprintable() and resolve_plain(text) == text and _is_text_to_old_rules(text)
    style = "|" if "\n" in text else None
    return yaml.ScalarEvent(None, None, (as_it_is, True), text, style=style)


def _is_text_to_old_rules(text: str) -> bool:
    tag: str = _OLD_RULES.resolve(yaml.ScalarNode, text, (True, False))
    return tag == _TEXT
