r"""JSON text to marked nodes.

YAML's readers do not take all of JSON (tabs, ``\ud83d\ude00``, long keys), so JSON has a reader of its own.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from polycall.registry.documents.node_builder import Document, NodeBuilder
from polycall.registry.documents.nodes import ListNode, MapNode, Mark, ScalarNode
from polycall.registry.documents.problems import Report
from polycall.registry.documents.scalars import Scalar, integer

__all__ = ["read_json"]

_SPACE = re.compile(r"[ \t\n\r]*+")
_WORD = re.compile(r"[^\s,:\[\]{}\"]++")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*+)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?")
_CONSTANTS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_STRINGS = json.JSONDecoder()
_NO_VALUE = "expected a number, true, false, null or a text in double quotes"
_NO_COMMENTS = "JSON has no comments; YAML has"


def read_json(text: str, report: Report) -> Document:
    """Reads one JSON value.

    Args:
        text: The file, without a byte order mark.
        report: Where duplicate keys go.

    Raises:
        DeclarationError: The text is not JSON, or passes a bound of `NodeBuilder`.
    """
    builder = NodeBuilder(report)
    _JsonReader(text, builder).read()
    return builder.document()


class _JsonReader:
    """Reads without recursion, so that the bound on nesting is the builder's and not the interpreter's."""

    def __init__(self, text: str, builder: NodeBuilder) -> None:
        self._text = text
        self._builder = builder
        self._line, self._line_start, self._counted = 1, 0, 0
        self._at = 0
        self._closers: list[str] = []
        self._fresh = False  # whether the innermost list or mapping has just been opened

    def read(self) -> None:
        if not self._peek():
            return
        self._value()
        while self._closers:
            self._member()
        if self._peek():
            self._fail("expected nothing more after the value")

    def _member(self) -> None:
        closer = self._closers[-1]
        if self._skip(closer):
            self._closers.pop()
            self._fresh = False
            self._builder.close()
            return
        if not self._fresh and not self._skip(","):
            self._fail(f'expected "," or "{closer}"')
        if not self._fresh and self._peek() == closer:
            self._fail(f'expected more after "," and not "{closer}"')
        self._fresh = False
        if closer == "}":
            self._key()
        self._value()

    def _key(self) -> None:
        if self._peek() != '"':
            self._fail("expected a key in double quotes")
        self._string()
        if not self._skip(":"):
            self._fail('expected ":" after the key')

    def _value(self) -> None:
        character = self._peek()
        if character == '"':
            self._string()
        elif character == "{":
            self._open(MapNode(*self._mark(self._at)), "}")
        elif character == "[":
            self._open(ListNode(*self._mark(self._at)), "]")
        else:
            self._word()

    def _open(self, node: MapNode | ListNode, closer: str) -> None:
        self._builder.open(node)
        self._closers.append(closer)
        self._fresh = True
        self._at += 1

    def _string(self) -> None:
        start = self._at
        try:
            value, self._at = _STRINGS.raw_decode(self._text, start)
        except json.JSONDecodeError as error:
            if self._text[error.pos : error.pos + 1] in ("\n", "\r"):
                self._fail("the text that begins here does not end on its line")
            self._at = error.pos
            self._fail(error.msg[:1].lower() + error.msg[1:].removesuffix(" at"))
        self._scalar(value, value, start)

    def _word(self) -> None:
        word = _WORD.match(self._text, self._at)
        if word is None:
            self._fail("expected a value")
        text = word[0]
        if text in _CONSTANTS:
            value = _CONSTANTS[text]
        elif _INTEGER.fullmatch(text):
            value = integer(text)
        elif _NUMBER.fullmatch(text):
            value = float(text)
        else:
            self._fail("expected a value" if text.startswith("/") else _NO_VALUE)
        self._scalar(value, text, self._at)
        self._at = word.end()

    def _scalar(self, value: Scalar, text: str, start: int) -> None:
        line, column = self._mark(start)
        self._builder.scalar(ScalarNode(value, text, line, column, line))

    def _peek(self) -> str:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._text[self._at : self._at + 1]

    def _skip(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def _mark(self, offset: int) -> Mark:
        """Returns the place of an offset, which is not before that of the call before: so each line is counted once."""
        breaks = self._text.count("\n", self._counted, offset)
        if breaks:
            self._line += breaks
            self._line_start = self._text.rindex("\n", self._counted, offset) + 1
        self._counted = offset
        return Mark(self._line, offset - self._line_start + 1)

    def _fail(self, expected: str) -> NoReturn:
        comment = self._text.startswith(("//", "/*"), self._at)
        self._builder.stop(self._mark(self._at), f"not valid JSON: {expected}", _NO_COMMENTS if comment else None)
