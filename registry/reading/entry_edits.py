"""New entries put at the end of an entry file, with every other character as its author left it."""

from __future__ import annotations

import codecs
import re
from typing import Any

from polycall.interop.errors import DeclarationError, PreparationError
from polycall.registry.documents.nodes import ListNode, MapNode, Node, ScalarNode, freeze
from polycall.registry.documents.problems import Report
from polycall.registry.documents.text_edits import Edit, apply_edits, line_break_at
from polycall.registry.documents.yaml_document import read_yaml
from polycall.registry.reading.discovery import SourceFile
from polycall.registry.reading.entry_file import read_document

__all__ = ["added"]

_EMPTY_LIST = re.compile(r"[ \t]*\[[ \t]*\]")
_NOTHING = re.compile(r"(?:[ \t]*(?:~|null))?")
_LEFT_ALONE = re.compile(r"(?:^(?:[ \t]*|#[^\n]*)\n)*\Z", re.MULTILINE)
"""Empty lines and comments at the margin: where a key follows, they belong to it."""


def added(source: SourceFile, entries: str) -> bytes:
    """Returns the content of an entry file with more entries behind those that it has.

    The result is read again: unless it says just the same as before and the new entries, it is refused.

    Args:
        source: A YAML file with a list of entries, perhaps an empty one.
        entries: Their YAML, a list that begins at the margin.

    Raises:
        PreparationError: They cannot be put there without changing anything else.
    """
    content = source.path.read_bytes()
    text = content.removeprefix(codecs.BOM_UTF8).decode()
    root = _root(source, text)
    if source.path.suffix == ".json" or root is None or "entries" not in root.items:
        raise _refusal(source)
    edit = _edit(text, root, entries)
    after = None if edit is None else apply_edits(text, [edit])
    again = None if after is None else _root(source, after)
    new = read_yaml(entries, Report(source.name)).root
    if after is None or again is None or new is None or freeze(again) != _expected(root, new):
        raise _refusal(source)
    return (codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b"") + after.encode()


def _root(source: SourceFile, text: str) -> MapNode | None:
    try:
        root = read_document(source.path, text, Report(source.name)).root
    except DeclarationError:
        return None
    return root if isinstance(root, MapNode) else None


def _expected(root: MapNode, new: Node) -> dict[str, Any]:
    values = dict(freeze(root))
    return {**values, "entries": (*(values["entries"] or ()), *freeze(new))}


def _edit(text: str, root: MapNode, entries: str) -> Edit | None:
    node, key = root.items["entries"], root.marks["entries"]
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    if isinstance(node, ListNode) and node.items:
        indent = _dash(lines, node.items[0])
        return None if indent is None else _behind(text, _end(text, root, starts), indent, entries)
    colon = text.index(":", starts[key.line - 1] + key.column - 1) + 1
    empty = (_EMPTY_LIST if isinstance(node, ListNode) else _NOTHING).match(text, colon)
    if empty is None or not (isinstance(node, ListNode) or (isinstance(node, ScalarNode) and node.value is None)):
        return None
    line_end = text.find("\n", empty.end())
    rest = text[empty.end() : len(text) if line_end < 0 else line_end]
    block = _block(text, colon, "  ", entries)
    return Edit(colon, len(text) if line_end < 0 else line_end + 1, f"{rest}{line_break_at(text, colon)}{block}")


def _dash(lines: list[str], first: Node) -> str | None:
    """Returns what stands before the dashes of the list; None where that cannot be told from the first one."""
    before = lines[first.line - 1][: first.column - 1]
    found = re.fullmatch(r"([ \t]*)-[ \t]+(?:[&!]\S+[ \t]+)*", before)
    return found[1] if found else None


def _end(text: str, root: MapNode, starts: list[int]) -> int:
    """Returns where the list ends: before the key that follows, or at the end of the text."""
    here = root.marks["entries"]
    following = min((mark for mark in root.marks.values() if mark > here), default=None)
    if following is None:
        return len(text)
    at = starts[following.line - 1]
    found = _LEFT_ALONE.search(text, 0, at)
    return at if found is None else found.start()


def _behind(text: str, at: int, indent: str, entries: str) -> Edit:
    line_break = line_break_at(text, 0)
    start = "" if not at or text[at - 1] == "\n" else line_break
    apart = line_break if text[:at].rstrip(" \t").endswith(("\n\n", "\r\n\r\n")) is False else ""
    return Edit(at, at, start + apart + _block(text, at, indent, entries))


def _block(text: str, at: int, indent: str, entries: str) -> str:
    line_break = line_break_at(text, at)
    return "".join(f"{indent}{line}".rstrip() + line_break for line in entries.rstrip("\n").split("\n"))


def _refusal(source: SourceFile) -> PreparationError:
    return PreparationError(
        f"{source.name}: entries cannot be added without changing anything else in the file",
        hint='it must be YAML with a list "entries:" whose entries begin with "- "; --to names another file',
    )
