"""YAML text to marked nodes. Only plain data comes out: a tag that would build an object is an error."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, NamedTuple

import yaml

from polycall.interop.ids import cut
from polycall.registry.documents.node_builder import MERGE, Document, NodeBuilder
from polycall.registry.documents.nodes import START, ListNode, MapNode, Mark, ScalarNode
from polycall.registry.documents.problems import Report
from polycall.registry.documents.scalars import resolve_plain

__all__ = ["QuotedText", "read_yaml"]

_EVENT_SOURCE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's reader where PyYAML was built with it: the same events and marks, about ten times as fast."""

_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = ("!", _CORE + "str")
_SCALAR_TAGS: dict[str, type | tuple[type, ...]] = {
    _CORE + "null": type(None),
    _CORE + "bool": bool,
    _CORE + "int": int,
    _CORE + "float": (int, float),
}
_DIRECTIVE = "(?:^|[\n\r\x85\u2028\u2029])%"
_MOST_DIRECTIVES = 1000
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class QuotedText(NamedTuple):
    """A text in quotes: where it begins and ends, and its quote."""

    start: yaml.Mark
    end: yaml.Mark
    quote: str


def read_yaml(text: str, report: Report, builder: NodeBuilder | None = None) -> Document:
    """Reads one YAML document.

    Args:
        text: The file, without a byte order mark.
        report: Where duplicate keys, strange keys and tags go.
        builder: What takes the values, if it has bounds of its own.

    Raises:
        DeclarationError: The text is not YAML, or passes a bound of `NodeBuilder`.
    """
    builder = builder or NodeBuilder(report)
    _refuse_control_characters(text, builder)
    _refuse_many_directives(text, builder)
    reader = _YamlReader(text, report, builder)
    try:
        reader.read()
    except yaml.MarkedYAMLError as error:
        from polycall.registry.documents.yaml_errors import explain  # noqa: PLC0415  # nearly all files are right

        builder.stop(*explain(error, text, reader.last_quoted))
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # numeric escapes out of range are a bare ValueError
        builder.stop(Mark(1, 1), f"not valid YAML: {str(error).splitlines()[0]}")
    return builder.document()


def _refuse_control_characters(text: str, builder: NodeBuilder) -> None:
    # Done here because libyaml reports them by byte offset, without line and column.
    found = _CONTROL.search(text)
    if found:
        before = text[: found.start()]
        at = Mark(before.count("\n") + 1, found.start() - before.rfind("\n"))
        hint = 'write it as an escape in a text in double quotes, such as "\\x07"'
        builder.stop(at, f"not valid YAML: the control character U+{ord(found[0]):04X}", hint)


def _refuse_many_directives(text: str, builder: NodeBuilder) -> None:
    # libyaml compares each with all before it, in one step that no other thread can interrupt. A line of a quoted text
    # may begin like a directive, which is why there may be more of them than anybody needs.
    if text.count("%") > _MOST_DIRECTIVES and any(islice(re.finditer(_DIRECTIVE, text), _MOST_DIRECTIVES, None)):
        builder.stop(START, f'more than {_MOST_DIRECTIVES:,} lines begin with "%"', "indent them, or leave them out")


class _YamlReader:
    """Reads one text.

    Attributes:
        last_quoted: The last text in quotes that was read: where a quote is missing, it went too far.
    """

    def __init__(self, text: str, report: Report, builder: NodeBuilder) -> None:
        self.last_quoted: QuotedText | None = None
        self._events = _EVENT_SOURCE(text)
        self._report = report
        self._builder = builder
        self._documents = 0

    def read(self) -> None:
        handlers = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        next_event = self._events.get_event
        try:
            while type(event := next_event()) is not yaml.StreamEndEvent:
                handler = handlers.get(type(event))
                if handler is not None:
                    handler(event)
        finally:
            self._events.dispose()

    def _scalar(self, event: Any) -> None:
        start, text = event.start_mark, event.value
        block = event.style in ("|", ">")
        if event.style in ("'", '"'):
            self.last_quoted = QuotedText(start, event.end_mark, event.style)
        line = start.line + 1
        node = ScalarNode(text, text, line, start.column + 1, line + 1 if block else line)
        if event.tag is not None:
            node.value = self._tagged(event, node)
        elif event.implicit[0]:
            node.value = MERGE if text == "<<" else resolve_plain(text)
        self._builder.scalar(node, event.anchor)

    def _tagged(self, event: Any, node: ScalarNode) -> Any:
        if event.tag in _TEXT_TAGS:
            return node.text
        wanted = _SCALAR_TAGS.get(event.tag)
        if wanted is None:
            self._refuse_tag(event)
            return node.text
        value = resolve_plain(node.text)
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            message = f'"{cut(node.text)}" is not what its tag {_short(event.tag)} says'
            self._report.problem(node, self._builder.path(), message)
        return float(value) if event.tag == _CORE + "float" and isinstance(value, (int, float)) else value

    def _mapping(self, event: Any) -> None:
        if event.tag not in (None, "!", _CORE + "map"):
            self._refuse_tag(event)
        mark = event.start_mark
        self._builder.open(MapNode(mark.line + 1, mark.column + 1), event.anchor)

    def _sequence(self, event: Any) -> None:
        if event.tag not in (None, "!", _CORE + "seq"):
            self._refuse_tag(event)
        mark = event.start_mark
        self._builder.open(ListNode(mark.line + 1, mark.column + 1), event.anchor)

    def _end(self, _event: Any) -> None:
        self._builder.close()

    def _alias(self, event: Any) -> None:
        self._builder.alias(event.anchor, Mark(event.start_mark.line + 1, event.start_mark.column + 1))

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            at = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
            self._builder.stop(at, 'a second document begins here; a file holds one, without "---" inside')

    def _refuse_tag(self, event: Any) -> None:
        at = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        hint = "only plain data is read: remove the tag"
        self._report.problem(at, self._builder.path(), f"the tag {_short(event.tag)} is not allowed", hint)


def _short(tag: str) -> str:
    return cut(tag.replace(_CORE, "!!"))
