"""Hashes put into the text of an entry file, with every other character as its author left it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from polycall.interop.errors import DeclarationError, PreparationError
from polycall.registry.documents.nodes import ListNode, MapNode, Mark, Node, ScalarNode
from polycall.registry.documents.problems import Report
from polycall.registry.documents.scalar_spans import ScalarSpans, Span, scalar_spans
from polycall.registry.documents.text_edits import Edit, apply_edits, line_break_at
from polycall.registry.reading.discovery import SourceFile
from polycall.registry.reading.entry_file import read_document

__all__ = ["HashPlace", "edited"]

_COLON = re.compile(r"\s*:")


class HashPlace(NamedTuple):
    """Where the hash of an entry stands, or should.

    Attributes:
        source: The entry file.
        keys: The mapping that has the key ``hash``, or lacks it.
        hash: What stands there, or None.
        path: The key's path, such as ``entries[0].hash``.
    """

    source: SourceFile
    keys: MapNode
    hash: Node | None
    path: str

    @property
    def declared(self) -> str | None:
        """What the file says, as a value; None for nothing."""
        node = self.hash
        return str(node.value) if isinstance(node, ScalarNode) and node.value is not None else None


def edited(source: SourceFile, hashes: Sequence[tuple[HashPlace, str]]) -> bytes:
    """Returns the content of an entry file with these hashes in it.

    The result is read again: unless it says just the same as before but for the hashes, it is refused. So an alias that
    shares a hash between entries, and whatever else the edit has not foreseen, never spoils a file.

    Raises:
        PreparationError: A hash cannot be replaced alone.
    """
    content = source.path.read_bytes()
    text = content.removeprefix(codecs.BOM_UTF8).decode()
    spans = scalar_spans(source.path, text)
    after = apply_edits(text, {_edit(text, spans, place, actual) for place, actual in hashes})
    expected = _values(source, text)
    for place, actual in hashes:
        _put(expected, place, actual)
    if after is None or _values(source, after) != expected:
        raise _refusal(hashes[0][0])
    return (codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b"") + after.encode()


def _edit(text: str, spans: ScalarSpans, place: HashPlace, actual: str) -> Edit:
    node = place.hash
    if node is None:
        return _new_key(text, spans, place.keys, actual)
    if not isinstance(node, ScalarNode) or node.file is not None:
        raise _refusal(place)
    if node.text == "" and node.value is None:  # "hash:" and nothing behind it
        colon = _COLON.match(text, spans.at(place.keys.marks["hash"]).end)
        at = colon.end() if colon else 0
        return Edit(at, at, f" {actual}")
    span = spans.at(node)
    quote = text[span.start] if text[span.start] in "\"'" else '"' if spans.quoted else ""
    return Edit(span.start, span.end, f"{quote}{actual}{quote}")


def _new_key(text: str, spans: ScalarSpans, keys: MapNode, actual: str) -> Edit:
    """Writes the key before the one that follows ``path``, or before ``path`` if something else stands between them."""
    span = _follower(spans, keys)
    line_start = text.rfind("\n", 0, span.start) + 1
    indent = text[line_start : span.start]
    alone = not indent.strip()
    separator = "," if span.in_flow else ""
    if not span.in_flow or alone:
        separator += line_break_at(text, span.start) + (indent if alone else " " * len(indent))
    else:
        separator += " "
    pair = f'"hash": "{actual}"' if spans.quoted else f"hash: {actual}"
    return Edit(span.start, span.start, pair + separator)


def _follower(spans: ScalarSpans, keys: MapNode) -> Span:
    path = keys.marks["path"]
    later = [mark for mark in keys.marks.values() if mark > path]
    following = min(later, default=path)
    return spans.at(following if following.line <= path.line + 1 else path)


def _values(source: SourceFile, text: str) -> Any:
    try:
        document = read_document(source.path, text, Report(source.name))
    except DeclarationError:
        return None
    return None if document.root is None else _plain(document.root)


def _plain(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key: _plain(item) for key, item in node.items.items()}
    return [_plain(item) for item in node.items] if isinstance(node, ListNode) else node.value


def _put(values: Any, place: HashPlace, actual: str) -> None:
    target: Any = values
    for index, key in re.findall(r"\[(\d+)\]|([^.\[\]]+)", place.path.removesuffix("hash")):
        if isinstance(target, list) and index and int(index) < len(target):
            target = target[int(index)]
        elif isinstance(target, Mapping):
            target = target.get(key)
    if isinstance(target, dict):
        target["hash"] = actual


def _refusal(place: HashPlace) -> PreparationError:
    at = place.hash or Mark(place.keys.line, place.keys.column)
    return PreparationError(
        f"{place.source.name}:{at.line}:{at.column}: {place.path} cannot be written without changing anything else",
        hint="write the hash yourself: polycall hash shows it",
    )
