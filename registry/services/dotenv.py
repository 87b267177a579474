"""Dotenv text: values read, and one of them changed with everything else left as it stands.

A line is ``NAME=value``, perhaps with ``export`` before it and a comment behind it. A value in double quotes has
escapes and may span lines; one in single quotes is taken literally; one without quotes ends at `` #`` or at the end of
the line. If a name stands there several times, the last counts. A line that is nothing of this is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["read_dotenv", "with_value"]

_START = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z0-9_.]+)[ \t]*=[ \t]*")
_QUOTED = re.compile(r"""(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|'([^']*)')(?=[ \t\r]*(?:#[^\n]*)?(?:\n|\Z))""", re.DOTALL)
_COMMENT = re.compile(r"(?<=[ \t])#")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
_ESCAPED = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class _Assignment(NamedTuple):
    name: str
    value: str
    start: int  # of the value, quotes included
    end: int


def read_dotenv(text: str) -> dict[str, str]:
    """Returns every value by name."""
    return {found.name: found.value for found in _assignments(text)}


def with_value(text: str, name: str, value: str) -> str:
    """Returns the text with one value changed where it stands, or added at the end.

    Raises:
        ValueError: Other values would change as well: a quote that is not closed could meet one of the new value's.
    """
    changed = _with_value(text, name, value)
    if read_dotenv(changed) != {**read_dotenv(text), name: value}:
        raise ValueError(f"{name} cannot be changed alone; is there a quote that is not closed?")
    return changed


def _with_value(text: str, name: str, value: str) -> str:
    last = None
    for found in _assignments(text):
        last = found if found.name == name else last
    if last is None:
        gap = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{gap}{name}={_written(value)}\n"
    behind = text[last.end :]
    return text[: last.start] + (_quoted(value) if behind.startswith("#") else _written(value)) + behind


def _assignments(text: str) -> Iterator[_Assignment]:
    at = 0
    while at < len(text):
        start = _START.match(text, at)
        if start is not None:
            found = _assignment(text, start[1], start.end())
            yield found
            at = found.end
        line_end = text.find("\n", at)
        at = len(text) if line_end < 0 else line_end + 1


def _assignment(text: str, name: str, start: int) -> _Assignment:
    quoted = _QUOTED.match(text, start)
    if quoted is not None:
        literal = quoted[2]
        return _Assignment(name, _unescaped(quoted[1]) if literal is None else literal, start, quoted.end())
    line_end = text.find("\n", start)
    comment = _COMMENT.search(text, start, len(text) if line_end < 0 else line_end)
    end = comment.start() if comment else line_end if line_end >= 0 else len(text)
    value = text[start:end].rstrip(" \t\r")
    return _Assignment(name, value, start, start + len(value))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: _CONTROLS.get(match[1], match[1]), text)


def _written(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else _quoted(value)


def _quoted(value: str) -> str:
    return '"' + "".join(_ESCAPED.get(character, character) for character in value) + '"'
