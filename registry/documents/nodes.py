"""Marked nodes: what a file says, with the line and column of every key and value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from polycall.interop.ids import cut

__all__ = [
    "START",
    "ListNode",
    "MapNode",
    "Mark",
    "Node",
    "ScalarNode",
    "describe_node",
    "freeze",
    "freeze_declared",
    "join",
    "locate",
]


class Mark(NamedTuple):
    """A place in a file: 1-based line and column, in characters."""

    line: int
    column: int


START = Mark(1, 1)
"""Where a problem with the file as a whole is shown."""


class ScalarNode:
    """A single value.

    Attributes:
        value: None, bool, int, float or str.
        text: What the file says, before it was read as a value.
        first_line: The line on which the text of a str begins: after the indicator of a block literal.
        file: The file that a ``file://`` value was replaced from, else None.
    """

    __slots__ = ("column", "file", "first_line", "line", "text", "value")

    def __init__(self, value: Any, text: str, line: int, column: int, first_line: int) -> None:
        self.value = value
        self.text = text
        self.line = line
        self.column = column
        self.first_line = first_line
        self.file: str | None = None


class ListNode:
    """A list of nodes."""

    __slots__ = ("column", "items", "line")

    def __init__(self, line: int, column: int) -> None:
        self.items: list[Node] = []
        self.line = line
        self.column = column


class MapNode:
    """A mapping of text keys to nodes, with the place of each key."""

    __slots__ = ("column", "items", "line", "marks")

    def __init__(self, line: int, column: int) -> None:
        self.items: dict[str, Node] = {}
        self.marks: dict[str, Mark] = {}
        self.line = line
        self.column = column


Node: TypeAlias = "ScalarNode | ListNode | MapNode"

_PLAIN_KEY = re.compile(r"[^\s.\[\]\"\\\x00-\x1f]+")
_STEP = r'\[(\d{1,9})\]|("(?:[^"\\]|\\.)*+"?)|([^.\[\]"]++)'
_SHOWN_CHARACTERS = 40


def join(path: str, key: str) -> str:
    """Returns the path of a key of the mapping at `path`; a key that would be misread is quoted, a long one cut."""
    key = cut(key)
    shown = key if _PLAIN_KEY.fullmatch(key) else _quoted(key)
    return f"{path}.{shown}" if path else shown


def _quoted(text: str) -> str:
    import json  # noqa: PLC0415  # keys are plain nearly always: who only lists a project need not wait for it

    return json.dumps(text, ensure_ascii=False)


def locate(node: Node, path: str) -> Node:
    """Returns the node at a path made by `join` and ``[index]``, or the nearest one above it that exists."""
    for step in _steps(path):
        if isinstance(step, int):
            child = node.items[step] if isinstance(node, ListNode) and step < len(node.items) else None
        else:
            child = node.items.get(step) if isinstance(node, MapNode) else None
        if child is None:
            return node
        node = child
    return node


def _steps(path: str) -> Iterator[str | int]:
    for index, quoted, plain in re.findall(_STEP, path):
        if index:
            yield int(index)
        elif not quoted:
            yield plain
        else:
            try:
                import json  # noqa: PLC0415  # as above

                yield json.loads(quoted)
            except ValueError:  # no path of `join`: whatever stands there, no key is called so
                yield quoted


def freeze(node: Node) -> Any:
    """Returns the value that a node stands for, read-only throughout: mapping proxies, tuples and scalars."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, ListNode):
        return tuple([freeze(item) for item in node.items])
    return MappingProxyType({key: freeze(item) for key, item in node.items.items()})


def freeze_declared(node: Node) -> Any:
    """Like `freeze`, with ``file://`` values as the declaration has them instead of the texts that they stand for."""
    if isinstance(node, ScalarNode):
        return node.value if node.file is None else node.text
    if isinstance(node, ListNode):
        return tuple([freeze_declared(item) for item in node.items])
    return MappingProxyType({key: freeze_declared(item) for key, item in node.items.items()})


def describe_node(node: Node) -> str:
    """Names what stands in the file, for an error message: ``"x"``, ``0755``, ``nothing``, ``a list of 3``."""
    if isinstance(node, MapNode):
        return "a mapping" if node.items else "an empty mapping"
    if isinstance(node, ListNode):
        return f"a list of {len(node.items)}" if node.items else "an empty list"
    if node.value is None:
        return "nothing"
    if node.file is not None:
        return f"the text of {node.file}" if node.value else f"the empty file {node.file}"
    shown = cut(node.text, _SHOWN_CHARACTERS)
    return _quoted(shown) if isinstance(node.value, str) else shown
