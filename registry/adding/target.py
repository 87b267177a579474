"""The entry file that entries are added to, and the folders that they may name."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from polycall.interop.errors import NotFoundError, PreparationError
from polycall.interop.ids import EntryId, suggestion
from polycall.registry.binary_hashes import index_without_hashes
from polycall.registry.documents.problems import Report
from polycall.registry.documents.text_edits import replace_file
from polycall.registry.entries.data_kinds import FsDirectorySpec
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.folders import declared_folder
from polycall.registry.entries.index import Index
from polycall.registry.own_folder import own_folder
from polycall.registry.reading.discovery import SUFFIXES, SourceFile
from polycall.registry.reading.entry_edits import added
from polycall.registry.reading.entry_file import read_entry_file

__all__ = ["Addition", "Folder", "Target", "scalar"]

_INDEX = "_index.yaml"
_NEW_INDEX = "namespace: app\n\nentries:\n"
_SCHEMA = "entries.schema.json"
_PLAIN = re.compile(r"[A-Za-z][\w./#@:-]*[\w]|[A-Za-z]")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


class Addition(NamedTuple):
    """What was added.

    Attributes:
        entry_file: Where, relative to the project.
        added: The ids of the new entries.
        kept: Those that were there already.
        files: Other files that were written, relative to the project.
        notes: What there is still to decide.
    """

    entry_file: str
    added: tuple[str, ...]
    kept: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Folder(NamedTuple):
    """A folder that binaries are named in.

    Attributes:
        path: The folder.
        reference: Its ``fs.directory``, as the entry file names it.
        text: The declaration of a new one, as YAML; empty for one that is there.
    """

    path: Path
    reference: str
    text: str


class Target:
    """The entry file that entries are added to.

    Attributes:
        index: The project's entries.
        source: The file.
        namespace: What it declares.
    """

    def __init__(self, project: Path, to: str | None) -> None:
        """Reads the project.

        Args:
            project: Its folder.
            to: The file, relative to that; None for ``_index.yaml``, which is made if it is missing.

        Raises:
            NotFoundError: There is no such project or file.
            PreparationError: It is no entry file of the project.
        """
        self.index: Index = index_without_hashes(project)
        root = self.index.root
        path = root / (_INDEX if to is None else to)
        name = Path(os.path.normpath(path))
        if not name.is_relative_to(root):
            raise PreparationError(f"{to} lies outside of the project")
        self.source = SourceFile(name, name.relative_to(root).as_posix(), root)
        self._new = not path.exists()
        if self._new and to is not None:
            near = suggestion(to, [each.name for each in root.iterdir() if each.suffix in SUFFIXES])
            raise NotFoundError(f"there is no entry file {to}", hint=near)
        self.namespace = "app" if self._new else self._declared()
        self._taken = {entry.id.name for entry in self.index if entry.id.namespace == self.namespace}

    def _declared(self) -> str:
        file = read_entry_file(self.source, Report(self.source.name))
        if file is None or not file.namespace:
            raise PreparationError(f"{self.source.name} is no entry file", hint="--to names another one")
        return file.namespace

    def id_of(self, name: str) -> str:
        """Returns the id of an entry in the file."""
        return str(EntryId(self.namespace, name))

    def refuse_taken(self, name: str) -> None:
        """Refuses a name that an entry of the namespace has."""
        if name in self._taken:
            raise PreparationError(
                f"the id {self.id_of(name)} is taken", hint="choose another; for a file: --name and --export"
            )

    def free(self, name: str) -> str:
        """Returns a name that is not taken, and takes it."""
        self.refuse_taken(name)
        self._taken.add(name)
        return name

    def folder(self, path: Path) -> Folder:
        """Returns the closest folder with an ``fs.directory`` that holds a path, or a new one and its declaration."""
        held = [(folder, entry) for folder, entry in self._folders() if path.is_relative_to(folder)]
        if held:
            folder, entry = max(held, key=lambda each: len(each[0].parts))
            same = entry.id.namespace == self.namespace
            return Folder(folder, entry.id.name if same else str(entry.id), "")
        relative = path.relative_to(self.index.root).as_posix()
        name = path.name if relative != "." else "files"
        name = name if name not in self._taken else f"{name}-files"
        self.free(name)
        text = f"- name: {scalar(name)}\n  kind: fs.directory\n  directory: {scalar(relative)}\n  auto_init: true\n\n"
        return Folder(path, name, text)

    def _folders(self) -> Iterator[tuple[Path, Entry]]:
        for entry in self.index:
            if isinstance(entry.spec, FsDirectorySpec):
                yield Path(os.path.realpath(declared_folder(entry, self.index.root))), entry

    def write(self, entries: str) -> None:
        """Adds entries to the file, which is made if it is missing."""
        if not self._new:
            replace_file(self.source.path, added(self.source, entries))
            return
        schema = own_folder(self.index.root) / _SCHEMA  # an editor would complain of one that is not there
        head = f"# yaml-language-server: $schema={schema.parent.name}/{_SCHEMA}\n" if schema.exists() else ""
        self.source.path.write_text(head + _NEW_INDEX, encoding="utf-8")
        self.source.path.write_bytes(added(self.source, entries))


def scalar(text: str) -> str:
    """Returns a text as YAML has it: plain where that is the same text, else in quotes."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
