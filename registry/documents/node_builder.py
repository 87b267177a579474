"""Building marked nodes from what a YAML or JSON reader finds, and refusing what no entry file should hold.

Both readers report the same few things here, so that duplicate keys, keys that are not text, aliases, merge keys and
the bounds on nesting and size have one implementation.
"""

from __future__ import annotations

import re
from typing import ClassVar, NamedTuple, NoReturn

from polycall.interop.errors import DeclarationError, Problem
from polycall.interop.ids import cut
from polycall.interop.values import MAX_NESTING
from polycall.registry.documents.nodes import ListNode, MapNode, Mark, Node, ScalarNode, join
from polycall.registry.documents.problems import Position, Report

__all__ = ["MAX_NODES", "MERGE", "Document", "NodeBuilder"]

MAX_NODES = 1_000_000
"""Values in one file, each alias counted with all that it stands for: the bound that an alias bomb meets."""

MERGE = object()
"""The value of YAML's plain ``<<``: a merge where a key is expected, text elsewhere."""

_LONGEST_PATH = 1000
_FILE_SCHEME = "file://"
_HALF_CHARACTER = "[\ud800-\udfff]"  # only an escape such as "\ud83d" alone can make one


class Document(NamedTuple):
    """A file, read.

    Attributes:
        root: Its top value, or None for an empty file.
        file_values: The values that begin with ``file://``, with their paths.
    """

    root: Node | None
    file_values: list[tuple[ScalarNode, str]]


class _Anchored(NamedTuple):
    node: Node | None  # None while the node is still open: an alias to it would be recursive
    size: int
    height: int


class _Frame:
    """A list or mapping that is still open."""

    __slots__ = ("anchor", "count_before", "expects_key", "height", "key", "key_mark", "merged", "node")

    def __init__(self, node: ListNode | MapNode, anchor: str | None, count_before: int) -> None:
        self.node = node
        self.anchor = anchor
        self.count_before = count_before
        self.height = 1
        self.expects_key = isinstance(node, MapNode)
        self.key: str | None = None  # None for a key that was refused: its value is read and dropped
        self.key_mark: Position = node
        self.merged: list[MapNode] | None = None


class NodeBuilder:
    """Takes the values of a file in reading order and builds its nodes.

    What is wrong with a single key or value goes to the report, and building goes on.

    Attributes:
        most_nodes: How many values there may be.
    """

    most_nodes: ClassVar[int] = MAX_NODES

    def __init__(self, report: Report) -> None:
        self._report = report
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored] = {}
        self._count = 0
        self._root: Node | None = None
        self._file_values: list[tuple[ScalarNode, str]] = []

    def document(self) -> Document:
        """Returns what was built."""
        return Document(self._root, self._file_values)

    def stop(self, at: Position, message: str, hint: str | None = None) -> NoReturn:
        """Gives the file up.

        Raises:
            DeclarationError: Always, with this one problem.
        """
        raise DeclarationError([Problem(self._report.file, at.line, at.column, "", message, hint)])

    def open(self, node: ListNode | MapNode, anchor: str | None = None) -> None:
        """Begins a list or mapping: what follows belongs to it, until `close`."""
        self.grow(node, 1)
        if len(self._stack) >= MAX_NESTING:
            self.stop(node, f"nested deeper than {MAX_NESTING} levels")
        if anchor:
            self._anchors[anchor] = _Anchored(None, 0, 0)
        self._stack.append(_Frame(node, anchor, self._count))

    def close(self) -> None:
        """Ends the innermost list or mapping."""
        frame = self._stack.pop()
        if frame.merged:
            _merge(frame)
        if frame.anchor:
            size = self._count - frame.count_before + 1
            self._anchors[frame.anchor] = _Anchored(frame.node, size, frame.height)
        self._add(frame.node, frame.height)

    def scalar(self, node: ScalarNode, anchor: str | None = None) -> None:
        """Adds a value, or a key where one is due."""
        self.grow(node, 1)
        if not node.text.isascii() and re.search(_HALF_CHARACTER, node.text):
            self.stop(node, "half of a surrogate pair, which is no character")
        if anchor:
            self._anchors[anchor] = _Anchored(node, 1, 0)
        self._add(node, 0)

    def alias(self, name: str, at: Position) -> None:
        """Adds what an anchor stands for."""
        target = self._anchors.get(name)
        if target is None:
            shown = cut(name)
            self.stop(at, f'the alias "*{shown}" has no anchor above it', f'mark what it stands for with "&{shown}"')
        if target.node is None:
            message = f'the alias "*{cut(name)}" stands inside what it stands for'
            self.stop(at, message, "a value cannot contain itself")
        self.grow(at, target.size)
        if len(self._stack) + target.height > MAX_NESTING:
            self.stop(at, f"nested deeper than {MAX_NESTING} levels")
        self._add(target.node, target.height, at)

    def grow(self, at: Position, count: int) -> None:
        """Counts values before they are added; what an alias stands for counts again.

        Raises:
            DeclarationError: There are more than `most_nodes`.
        """
        self._count += count
        if self._count > self.most_nodes:
            message = f"more than {self.most_nodes:,} values, counting what each alias stands for"
            self.stop(at, message, "split the file, or use fewer aliases")

    def _add(self, node: Node, height: int, alias: Position | None = None) -> None:
        if not self._stack:
            self._root = node
            return
        frame = self._stack[-1]
        frame.height = max(frame.height, height + 1)
        if frame.expects_key:
            frame.expects_key = False
            self._take_key(frame, node, alias or node)
            return
        if isinstance(node, ScalarNode) and alias is None:
            self._finish_scalar(node)
        if isinstance(frame.node, ListNode):
            frame.node.items.append(node)
            return
        frame.expects_key = True
        self._take_value(frame, frame.node, node, alias or node)

    def _finish_scalar(self, node: ScalarNode) -> None:
        if node.value is MERGE:
            node.value = node.text
        if isinstance(node.value, str) and node.value.startswith(_FILE_SCHEME):
            self._file_values.append((node, self.path()))

    def _take_key(self, frame: _Frame, node: Node, at: Position) -> None:
        frame.key, frame.key_mark = None, at
        if isinstance(node, ScalarNode) and node.value is MERGE:
            frame.merged = frame.merged if frame.merged is not None else []
            frame.key = "<<"
        elif isinstance(node, ScalarNode) and isinstance(node.value, str):
            frame.key = node.value
        elif isinstance(node, ScalarNode):
            shown = cut(node.text) or "null"
            self._report.problem(at, self.path(), f"a key must be text, got {shown}", f'put it in quotes: "{shown}"')
        else:
            kind = "a list" if isinstance(node, ListNode) else "a mapping"
            self._report.problem(at, self.path(), f"a key must be text, got {kind}")

    def _take_value(self, frame: _Frame, parent: MapNode, node: Node, at: Position) -> None:
        key, mark = frame.key, frame.key_mark
        if key is None:
            return
        if key == "<<" and frame.merged is not None:
            self._take_merge(frame.merged, node, at)
        elif key in parent.items:
            message = f"duplicate key, first on line {parent.marks[key].line}"
            self._report.problem(mark, self.path(), message, "remove one of the two")
        else:
            parent.items[key] = node
            parent.marks[key] = Mark(mark.line, mark.column)

    def _take_merge(self, merged: list[MapNode], node: Node, at: Position) -> None:
        sources = node.items if isinstance(node, ListNode) else [node]
        for source in sources:
            if isinstance(source, MapNode):
                self.grow(at, len(source.items))
                merged.append(source)
            else:
                self._report.problem(at, self.path(), '"<<" merges a mapping, or a list of mappings, by alias')

    def path(self) -> str:
        """Returns the path of the value that is being read, or its beginning: many problems may keep one each."""
        path = ""
        for frame in self._stack:
            if isinstance(frame.node, ListNode):
                path += f"[{len(frame.node.items)}]"
            elif frame.key is not None:
                path = join(path, frame.key)
        return cut(path, _LONGEST_PATH)


def _merge(frame: _Frame) -> None:
    """Adds what ``<<`` brings: the mapping's own keys win, then the sources in their order."""
    target = frame.node
    if not isinstance(target, MapNode):
        return
    for source in frame.merged or ():
        for key, item in source.items.items():
            if key not in target.items:
                target.items[key] = item
                target.marks[key] = source.marks[key]
