"""What a file says at its top: a namespace, metadata and entries (specification: system facts 1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from polycall.interop.errors import DeclarationError
from polycall.interop.fields import one_of
from polycall.interop.ids import NAMESPACE, near_names, suggestion
from polycall.interop.isolation import ISOLATIONS
from polycall.registry.documents.node_builder import Document
from polycall.registry.documents.nodes import ListNode, MapNode, Mark, Node, ScalarNode, describe_node
from polycall.registry.documents.problems import Report
from polycall.registry.documents.text_files import UnreadableError, read_beginning, read_text
from polycall.registry.documents.yaml_document import read_yaml
from polycall.registry.entries.decode import TEXT
from polycall.registry.entries.kinds import FILE_KEYS
from polycall.registry.reading.discovery import SUFFIXES, SourceFile

__all__ = ["EntryFile", "read_document", "read_entry_file", "seems_entry_file"]

_SINGLE_KEYS = ("name", "kind")
_ISOLATION = one_of(*ISOLATIONS)
_MENTION = re.compile(r"""(?:namespace|entries)["']?\s*:""")
# The rest is for files that do not parse, and compiled when it is used: a short command need not wait for it.
_BLOCK_CLAIM = r"""(?m)^(["']?)namespace\1[ \t]*:[ \t]*["']?(?P<name>[^\s"'#,}]*)"""
_FLOW_CLAIM = r"""\bnamespace["']?\s*:\s*["']?(?P<name>[^\s"'#,}]*)"""
_CLAIM_AMID_MISTAKES = r"""(?m)^(?:entries["']?[ \t]*:|namespace\b)"""
_FLOW_TOKEN = r""""(?:[^"\\\n]|\\.)*+"?|'[^'\n]*+'?|[\[\]{}]|[^\s\[\]{}"',:]++"""
"""Every quote begins a token, closed or not, so that no character is looked at twice."""

_FLOW_START = r"\s*\{(?![{%])"  # two braces begin a template of some other tool
_MOST_COMPARED = 1000
_GLANCE_CHARACTERS = 64 * 1024


class EntryFile(NamedTuple):
    """A file with a namespace.

    Attributes:
        source: The file.
        report: What is wrong with it.
        namespace: As declared; "" if it is no proper name.
        meta: The metadata of all its entries.
        calls: The list ``calls`` at its top: the entries that those of its entries may call which do not say it.
        text_name: What the errors of guests call a text in it; None for the name of the file.
        isolation: The isolation of all its entries that declare none, or None.
        entries: Each entry with its path, such as ``entries[0]``.
        file_values: The values that begin with ``file://`` and stand for a file, with their paths.
        complete: False if some of its entries are unknown because the file cannot be read.
    """

    source: SourceFile
    report: Report
    namespace: str
    meta: MapNode | None = None
    entries: tuple[tuple[MapNode, str], ...] = ()
    file_values: tuple[tuple[ScalarNode, str], ...] = ()
    complete: bool = True
    calls: Node | None = None
    text_name: str | None = None
    isolation: str | None = None


def read_entry_file(source: SourceFile, report: Report) -> EntryFile | None:
    """Reads a file.

    A file whose top level has no ``namespace`` is nobody's entry file and is ignored, whatever else is in it, so that
    foreign YAML and JSON in a project does no harm. That holds as far as it can be told for a file that does not parse.

    Returns:
        The file, or None if it is ignored; what is wrong with it is in the report.
    """
    try:
        text = read_text(source.path)
    except UnreadableError as error:
        claimed = _claimed_namespace(error.readable)
        if error.readable and claimed is None and not _is_index(source):
            if error.only_beginning:
                message = f"the file {error.message}; its beginning has no namespace at its top, so it is ignored"
                report.warning(error.at, "", message)
            return None
        report.problem(error.at, "", f"the file {error.message}", error.hint)
        return EntryFile(source, report, claimed or "", complete=False)
    # Reading every large foreign file to the end would be slow: most need no more than a glance.
    return _read(source, report, text) if _is_index(source) or _MENTION.search(text) else None


def _is_index(source: SourceFile) -> bool:
    return source.path.stem == "_index"


def _read(source: SourceFile, report: Report, text: str) -> EntryFile | None:
    noted = Report(report.file)
    try:
        document = read_document(source.path, text, noted)
    except DeclarationError as error:
        claimed = _claimed_namespace(text)
        if claimed is None and not _is_index(source) and not re.search(_CLAIM_AMID_MISTAKES, text):
            return None
        report.problems += [*noted.problems, *error.problems]
        return EntryFile(source, report, claimed or "", complete=False)
    if not isinstance(document.root, MapNode):
        if _is_index(source) and document.root is not None and not _is_nothing(document.root):
            what = describe_node(document.root)
            report.problem(document.root, "", f'expected a mapping with "namespace" and "entries", got {what}')
        return None
    if "namespace" not in document.root.items:
        _warn_of_missing_namespace(document.root, report)
        return None
    report.problems += noted.problems
    return _entry_file(source, report, document, document.root)


def read_document(path: Path, text: str, report: Report) -> Document:
    """Reads text as what the name of its file says: JSON or YAML.

    Raises:
        DeclarationError: It is neither.
    """
    if path.suffix != ".json":
        return read_yaml(text, report)
    from polycall.registry.documents.json_document import read_json  # noqa: PLC0415  # few projects have any

    return read_json(text, report)


def seems_entry_file(path: Path) -> bool:
    """Says whether a file seems to have a namespace at its top, from a glance at its beginning."""
    return path.name.endswith(SUFFIXES) and _claimed_namespace(read_beginning(path)) is not None


def _claimed_namespace(text: str) -> str | None:
    """Returns the namespace that a file which does not parse seems to declare at its top, or None."""
    claim = _flow_claim(text[:_GLANCE_CHARACTERS]) if re.match(_FLOW_START, text) else re.search(_BLOCK_CLAIM, text)
    return claim["name"] if claim else None


def _flow_claim(text: str) -> re.Match[str] | None:
    """Finds a key ``namespace`` that is not inside anything else than the outermost braces."""
    depth = 0
    for token in re.finditer(_FLOW_TOKEN, text):
        if token[0] in "[]{}":
            depth += 1 if token[0] in "[{" else -1
        elif depth == 1 and token[0].strip("\"'") == "namespace":
            claim = re.compile(_FLOW_CLAIM).match(text, token.start() + (token[0][0] in "\"'"))
            if claim:
                return claim
    return None


def _is_nothing(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value is None


def _warn_of_missing_namespace(root: MapNode, report: Report) -> None:
    entries = root.items.get("entries")
    if not isinstance(entries, ListNode):
        return
    if any(isinstance(item, MapNode) and "kind" in item.items for item in entries.items):
        message = 'the file has entries but no "namespace", so it is ignored'
        near = near_names("namespace", islice(root.items, _MOST_COMPARED), limit=1)
        report.slip(root, "", message, f'"{near[0]}" may be meant to be it' if near else None)


def _entry_file(source: SourceFile, report: Report, document: Document, root: MapNode) -> EntryFile:
    namespace = _namespace(root.items["namespace"], report)
    single = any(key in root.items for key in _SINGLE_KEYS) and "entries" not in root.items
    if single:
        items = {key: item for key, item in root.items.items() if key not in ("version", "namespace")}
        entry = MapNode(root.line, root.column)
        entry.items, entry.marks = items, root.marks
        return EntryFile(source, report, namespace, None, ((entry, ""),), _file_values(document, (entry,)))
    meta, entries = _meta(root, report), tuple(_entries(root, report))
    files = _file_values(document, (entry for entry, _ in entries))
    isolation, calls = _isolation(root, report), root.items.get("calls")
    return EntryFile(source, report, namespace, meta, entries, files, isolation=isolation, calls=calls)


def _file_values(document: Document, entries: Iterable[MapNode]) -> tuple[tuple[ScalarNode, str], ...]:
    """Returns the values that stand for files: all that look like it but the texts of ``source: {text: ...}``."""
    if not document.file_values:
        return ()
    texts = {id(text) for entry in entries for text in _texts(entry)}
    return tuple(value for value in document.file_values if id(value[0]) not in texts)


def _texts(entry: MapNode) -> Iterator[Node]:
    for holder in (entry, entry.items.get("data")):
        source = holder.items.get("source") if isinstance(holder, MapNode) else None
        if isinstance(source, MapNode) and TEXT in source.items:
            yield source.items[TEXT]


def _namespace(node: Node, report: Report) -> str:
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        message = f'expected a namespace, such as "app.orders", got {describe_node(node)}'
        report.problem(node, "namespace", message)
        return ""
    if not NAMESPACE.fullmatch(node.value):
        message = f'expected names joined by dots, such as "app.orders", got {describe_node(node)}'
        report.problem(node, "namespace", message)
        return ""
    return node.value


def _meta(root: MapNode, report: Report) -> MapNode | None:
    node = root.items.get("meta")
    if node is None or isinstance(node, MapNode) or (isinstance(node, ScalarNode) and node.value is None):
        return node if isinstance(node, MapNode) else None
    report.problem(node, "meta", f"expected a mapping, got {describe_node(node)}")
    return None


def _isolation(root: MapNode, report: Report) -> str | None:
    node = root.items.get("isolation")
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return None
    if isinstance(node, ScalarNode) and node.value in ISOLATIONS:
        return str(node.value)
    report.problem(node, "isolation", f"expected {_ISOLATION(None)}, got {describe_node(node)}")
    return None


def _entries(root: MapNode, report: Report) -> list[tuple[MapNode, str]]:
    _check_keys(root, report)
    node = root.items.get("entries")
    if isinstance(node, ListNode):
        found = []
        for index, item in enumerate(node.items):
            if isinstance(item, MapNode):
                found.append((item, f"entries[{index}]"))
            else:
                report.problem(item, f"entries[{index}]", f"expected an entry, got {describe_node(item)}")
        return found
    if node is not None and not (isinstance(node, ScalarNode) and node.value is None):
        hint = 'begin each entry with "- "' if isinstance(node, MapNode) else None
        report.problem(node, "entries", f"expected a list of entries, got {describe_node(node)}", hint)
    return []


def _check_keys(root: MapNode, report: Report) -> None:
    for key, mark in root.marks.items():
        if report.full:
            break
        if key in _SINGLE_KEYS:
            message = 'a file has either "entries", or the "name" and "kind" of one entry'
            report.problem(mark, key, message, "move this entry into the list")
        elif key not in FILE_KEYS:
            hint = suggestion(key, FILE_KEYS) or f"known here: {', '.join(FILE_KEYS)}"
            report.problem(mark, key, "unknown key", hint)
    if "entries" not in root.items:
        at = root.marks.get("namespace", Mark(root.line, root.column))
        report.problem(at, "", 'a file with "namespace" needs "entries", or the "name" and "kind" of one entry')
