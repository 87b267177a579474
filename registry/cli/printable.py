"""Text of guests and files for a terminal: nothing in it steers the terminal, and all of it can be written as UTF-8."""

from __future__ import annotations

import re

__all__ = ["one_line", "printable", "printable_json"]

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAKING = re.compile("[\n\u2028\u2029]")
_UNESCAPED_IN_JSON = re.compile("[\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Returns text with control characters and lone surrogates as escapes: ``\x1b``, ``\udcff``.

    Tabs and line ends stay.
    """
    return _STEERING.sub(_escape, text)


def one_line(text: str) -> str:
    """Returns text as `printable` does, with line ends escaped as well."""
    return _BREAKING.sub(_escape, printable(text))


def printable_json(text: str) -> str:
    """Returns JSON text that means the same, with the characters escaped that JSON would let through."""
    return _UNESCAPED_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]
