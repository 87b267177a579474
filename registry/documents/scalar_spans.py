"""Where the scalars of an entry file begin and end, by character: what an edit in place needs beside a node's mark."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from polycall.registry.documents.nodes import Mark
from polycall.registry.documents.problems import Position

__all__ = ["ScalarSpans", "Span", "scalar_spans"]

_SCANNER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_JSON_SCALAR = re.compile(r'"(?:[^"\\]|\\.)*+"|[^\s,:\[\]{}"]++')
_FLOW_STARTS = (yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
_FLOW_ENDS = (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


class Span(NamedTuple):
    """One scalar in a text.

    Attributes:
        start: Offset of its first character, a quote included.
        end: Offset behind its last.
        in_flow: Whether it stands inside braces or brackets.
    """

    start: int
    end: int
    in_flow: bool


class ScalarSpans:
    """The scalars of one text, in reading order.

    Attributes:
        quoted: Whether a text must stand in double quotes, as in JSON.
    """

    def __init__(self, spans: Iterator[tuple[Mark, Span]], *, quoted: bool) -> None:
        found = list(spans)
        self._marks = [mark for mark, _ in found]
        self._spans = [span for _, span in found]
        self.quoted = quoted

    def at(self, position: Position) -> Span:
        """Returns the first scalar at a position or behind it: a node with an anchor or a tag begins with these."""
        index = bisect.bisect_left(self._marks, (position.line, position.column))
        return self._spans[index] if index < len(self._spans) else Span(0, 0, in_flow=False)


def scalar_spans(path: Path, text: str) -> ScalarSpans:
    """Finds the scalars of a text that has been read without an error; the suffix of its file says what it is."""
    if path.suffix == ".json":
        return ScalarSpans(_of_json(text), quoted=True)
    return ScalarSpans(_of_yaml(text), quoted=False)


def _of_yaml(text: str) -> Iterator[tuple[Mark, Span]]:
    depth = 0
    for token in yaml.scan(text, Loader=_SCANNER):
        if isinstance(token, _FLOW_STARTS):
            depth += 1
        elif isinstance(token, _FLOW_ENDS):
            depth -= 1
        elif isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark, token.end_mark
            yield Mark(start.line + 1, start.column + 1), Span(start.index, end.index, depth > 0)


def _of_json(text: str) -> Iterator[tuple[Mark, Span]]:
    line, line_start, counted = 1, 0, 0
    for match in _JSON_SCALAR.finditer(text):
        start = match.start()
        breaks = text.count("\n", counted, start)
        if breaks:
            line += breaks
            line_start = text.rindex("\n", counted, start) + 1
        counted = start
        yield Mark(line, start - line_start + 1), Span(start, match.end(), in_flow=True)
