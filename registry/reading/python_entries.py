"""Entries that Python declares: values instead of a file, decoded by the same rules."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from polycall.interop.errors import DeclarationError, Problem
from polycall.interop.ids import NAMESPACE, EntryId, cut
from polycall.interop.values import MAX_NESTING, describe
from polycall.registry.documents.node_builder import MAX_NODES
from polycall.registry.documents.nodes import ListNode, MapNode, Mark, Node, ScalarNode, join
from polycall.registry.documents.problems import Report
from polycall.registry.entries.decode import INVALID, Decoder
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.folders import declared_folder, holds
from polycall.registry.entries.index import Index
from polycall.registry.entries.kinds import KEPT_KINDS
from polycall.registry.reading.data_folders import DataFolders, lies_in_data
from polycall.registry.reading.declarations import declare
from polycall.registry.reading.discovery import SourceFile
from polycall.registry.reading.entry_file import EntryFile

__all__ = ["declared", "decoded", "folder_problems"]

T = TypeVar("T")

_NOWHERE = Mark(0, 0)
"""The place of all that stands in no file."""

_BESIDE_ID = ("namespace", "name")
_OF_FUNCTIONS = "registry.function(...) registers a Python function"


def declared(declaration: Mapping[str, Any], index: Index, place: str) -> tuple[Entry, list[Problem]]:
    """Returns the entry of a declaration, and what is wrong with it: with a problem, it is good for more of them only.

    Args:
        declaration: ``id``, ``kind``, ``meta`` and the keys of the kind. No text in it is the name of a file.
        index: What has the project's folder and settings.
        place: What messages call it: ``add()``.

    Raises:
        DeclarationError: There is no telling which entry it is; all problems are listed.
    """
    report = Report(place)
    node = _Nodes(report).mapping(declaration)
    entry_id = _entry_id(node, report)
    if entry_id is not None:
        node.items["name"] = _scalar(entry_id.name)
    source = SourceFile(index.root / place, place, index.root)
    namespace = entry_id.namespace if entry_id else ""
    file = EntryFile(source, report, namespace, None, ((node, ""),), text_name=str(entry_id))
    entries = list(declare(file, index.settings))
    if not entries:
        raise DeclarationError(report.problems)
    kind = entries[0].kind
    if report.warnings and kind not in KEPT_KINDS:  # what a file may say for somebody else, nobody says in Python
        hint = _OF_FUNCTIONS if kind == "function.python" else report.warnings[0].hint
        report.problem(_NOWHERE, "kind", f'unknown kind "{cut(kind)}"', hint)
    return entries[0], report.problems


def decoded(spec_type: type[T], values: Mapping[str, Any], place: str) -> tuple[T, list[Problem]]:
    """Returns values by the keys of a dataclass, and what is wrong with them: with a problem, the first is nothing.

    Args:
        spec_type: A dataclass whose fields are made with `polycall.interop.fields.key`.
        values: The values.
        place: What messages call them.
    """
    report = Report(place)
    return Decoder(report, "").spec(spec_type, _Nodes(report).mapping(values), ""), report.problems


def folder_problems(entry: Entry, index: Index, *, has_files: bool) -> Iterator[Problem]:
    """Yields what an entry of Python's must not have to do with the files of a project.

    A folder within the project that guests may write is the project's own to declare: the load then reads nothing in
    there. And what guests may write is no place for variables.

    Args:
        entry: The entry.
        index: With it.
        has_files: Whether the entries of a folder are in there.
    """
    if entry.spec is None:
        return
    if entry.kind == "fs.directory" and has_files:
        folder = Path(os.path.realpath(declared_folder(entry, index.root)))
        if not holds(folder, index.root) and _meets_sources(folder, index):  # what holds the project is read-only
            message = f"{entry.spec.directory} lies in a folder of sources, or holds one: a guest could write them"
            yield entry.problem("directory", message, "declare it in a file of the project, or use another folder")
    if entry.kind in ("env.storage.file", "fs.directory"):
        yield from _variables_in_data(entry, index)


def _variables_in_data(entry: Entry, index: Index) -> Iterator[Problem]:
    storages = [entry] if entry.kind == "env.storage.file" else index.find(kind="env.storage.file")
    data = DataFolders(index.find(kind="fs.directory"), index.root)
    for storage in storages:
        path = storage.spec.file_path
        holder = data.holder(index.root / path)
        if holder is not None:
            message = f"{path}, the variables of {storage.id}, {lies_in_data(holder)}: a guest could write it"
            yield entry.problem("file_path" if storage is entry else "directory", message, "keep them apart")


def _meets_sources(folder: Path, index: Index) -> bool:
    """Says whether a folder lies in one that entries are read from, or holds one: those of modules may be anywhere."""
    roots = {entry.source_root for entry in index.by_id.values() if entry.spec is not None and entry.location.line}
    return any(holds(root, folder) or holds(folder, root) for root in {index.root, *roots})


def _entry_id(node: MapNode, report: Report) -> EntryId | None:
    """Takes the id out of a declaration; None if there is none that is right."""
    for key in _BESIDE_ID:
        if node.items.pop(key, None) is not None:
            report.problem(_NOWHERE, key, "unknown key", 'in Python an entry is named by its "id": "namespace:name"')
    given = node.items.pop("id", None)
    if given is None:
        node.items["name"] = _scalar("x")  # which is not what is missing
        report.problem(_NOWHERE, "id", "required, but missing", 'such as "app.orders:checkout"')
        return None
    node.items["name"] = given
    text = Decoder(report, "").text(given, "id")
    try:
        found = EntryId.parse(text) if text is not INVALID else None
    except ValueError as error:
        report.problem(_NOWHERE, "id", str(error))
        return None
    if found is not None and not NAMESPACE.fullmatch(found.namespace):
        report.problem(_NOWHERE, "id", f"expected names joined by dots before the colon, got {describe(text)}")
        return None
    return found


def _scalar(value: Any) -> ScalarNode:
    text = value if isinstance(value, str) else "" if value is None else str(value).lower()
    return ScalarNode(value, text, *_NOWHERE, 1)


class _Nodes:
    """Makes nodes of values; what is no value of a declaration goes to the report, and counts as nothing."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._left = MAX_NODES

    def mapping(self, values: Mapping[str, Any], path: str = "", depth: int = 0) -> MapNode:
        node = MapNode(*_NOWHERE)
        for key, value in values.items():
            if not isinstance(key, str):
                self._report.problem(_NOWHERE, path, f"a key must be text, got {describe(key)}")
                continue
            name = str.__str__(key)
            node.items[name], node.marks[name] = self._node(value, join(path, name), depth + 1), _NOWHERE
        return node

    def _node(self, value: Any, path: str, depth: int) -> Node:
        self._left -= 1
        if depth > MAX_NESTING or self._left < 0:
            return self._refused(path, f"nested deeper than {MAX_NESTING} levels, or of more than {MAX_NODES:,} values")
        if isinstance(value, EntryId):
            return _scalar(str(value))
        if isinstance(value, Mapping):
            return self.mapping(value, path, depth)
        if isinstance(value, (list, tuple)):
            node = ListNode(*_NOWHERE)
            node.items = [self._node(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
            return node
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if value is None or type(value) in (bool, int, float):
            return _scalar(value)
        if isinstance(value, str) and _is_unicode(value):
            return _scalar(str.__str__(value))
        return self._refused(path, f"expected None, bool, int, float, str, a list or a mapping, got {describe(value)}")

    def _refused(self, path: str, message: str) -> Node:
        self._report.problem(_NOWHERE, path, message)
        return _scalar(None)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True
