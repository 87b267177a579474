"""Entries that the command line adds to a project: for the exports of a binary, or for a function from a template."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
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
from polycall.registry.new_files import taken_names, write_new_files
from polycall.registry.reading.discovery import SourceFile
from polycall.registry.reading.entry_edits import added
from polycall.registry.reading.entry_file import read_entry_file
from polycall.registry.templates import NAME, function_template
from polycall.wasm_runtime.spec import WasmFunctionSpec

__all__ = ["Addition", "add_binary", "add_function"]

_INDEX = "_index.yaml"
_NEW_INDEX = "# yaml-language-server: $schema=.polycall/entries.schema.json\nnamespace: app\n\nentries:\n"
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


def add_function(project: Path, language: str, name: str, *, to: str | None = None) -> Addition:
    """Adds a function to start from.

    Args:
        project: The project folder.
        language: One of `polycall.registry.templates.LANGUAGES`.
        name: What it is called.
        to: The entry file, relative to the project.

    Raises:
        PreparationError: The name will not do or is taken, or the file cannot be changed in place.
        NotFoundError: There is no such project.
    """
    if not NAME.fullmatch(name):
        raise PreparationError(f"{name!r} is no name for a function", hint='small letters and digits, such as "price"')
    target = _Target(project, to)
    entries, files = function_template(language, name)
    target.refuse_taken(name)
    if "\n  fs: build\n" in entries:
        folder = target.folder(target.index.root / "build")
        entries = folder.text + entries.replace("\n  fs: build\n", f"\n  fs: {_scalar(folder.reference)}\n")
    home = target.source.path.parent
    if home != target.index.root and "\n  build:\n" in entries:
        raise PreparationError(f"{target.source.name} is no file of the project folder itself", hint="name one by --to")
    taken = taken_names(home, files)
    if taken:
        raise PreparationError(f"{', '.join(taken)} would be overwritten", hint="choose another name")
    write_new_files(home, files)
    target.write(entries)
    return Addition(target.source.name, (target.id_of(name),), files=tuple(files))


def add_binary(
    project: Path, path: Path, *, to: str | None = None, name: str | None = None, exports: Sequence[str] = (),
    grant: bool = False,
) -> Addition:  # fmt: skip
    """Adds an entry for each export of a binary.

    Args:
        project: The project folder.
        path: The binary, in the project.
        to: The entry file, relative to the project.
        name: What to call the entry, if there is one export.
        exports: Only these exports.
        grant: Whether to grant the groups that it imports.

    Raises:
        PreparationError: It is no WebAssembly, lies elsewhere, has no such export, or the file cannot be changed.
        NotFoundError: There is no such project or file.
    """
    from polycall.wasm_runtime.look import look_at, read_binary  # noqa: PLC0415  # loads the engine

    if path.suffix == ".wat":
        raise PreparationError(f"{path} is text", hint='name it in an entry of kind function.wat: "source: file://..."')
    binary = read_binary(path)
    look = look_at(binary, str(path))
    target = _Target(project, to)
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(target.index.root):
        raise PreparationError(f"{path} lies outside of the project", hint=f"copy it below {target.index.root}")
    wanted = list(_wanted(look.exports, exports, name, path))
    folder = target.folder(real.parent)
    file = real.relative_to(folder.path).as_posix()
    known = {(spec.method, declared_folder(target.index.get(spec.fs), target.index.root) / spec.path): str(entry.id)
             for entry in target.index if isinstance(spec := entry.spec, WasmFunctionSpec)}  # fmt: skip
    digest = "sha256:" + hashlib.sha256(binary).hexdigest()
    granted = list(look.groups) if grant else []
    blocks, ids, kept = [], [], []
    for called, method, wit in wanted:
        there = known.get((method, folder.path / file))
        if there is not None:
            kept.append(there)
            continue
        own = target.free(called)
        ids.append(target.id_of(own))
        blocks.append(_block(own, folder.reference, file, digest, method, wit, granted))
    if blocks:
        target.write(folder.text + "\n".join(blocks))
    return Addition(target.source.name, tuple(ids), tuple(kept), notes=tuple(_notes(look.groups, look.foreign, grant)))


def _wanted(exports: Sequence[tuple[str, str, str | None]], only: Sequence[str], name: str | None, path: Path
            ) -> Iterator[tuple[str, str, str | None]]:  # fmt: skip
    methods = [method for method, _, _ in exports]
    for each in only:
        if each not in methods:
            hint = suggestion(each, methods) or f"it exports {', '.join(methods[:10]) or 'nothing that can be called'}"
            raise PreparationError(f'{path} has no export "{each}"', hint=hint)
    found = [export for export in exports if not only or export[0] in only]
    if not found:
        raise PreparationError(f"{path} exports no functions that can be called")
    if name is not None and len(found) > 1:
        raise PreparationError(f"{path} has {len(found)} exports", hint="--name needs one: choose it by --export")
    for method, label, wit in found:
        yield name or label or path.stem, method, wit


def _notes(groups: Sequence[str], foreign: Sequence[str], grant: bool) -> Iterator[str]:
    if groups and not grant:
        yield f"it imports {', '.join(groups)}: nothing is granted; add imports: [{', '.join(groups)}] where it is needed"
    if foreign:
        yield f"it imports {', '.join(foreign)}: links say which entries serve that"


def _block(name: str, fs: str, path: str, digest: str, method: str, wit: str | None, granted: Sequence[str]) -> str:
    keys = {"kind": "function.wasm", "fs": fs, "path": path, "hash": digest, "method": method, "wit": wit}
    lines = [f"- name: {_scalar(name)}", *(f"  {key}: {_scalar(value)}" for key, value in keys.items() if value)]
    if granted:
        lines.append(f"  imports: [{', '.join(map(_scalar, granted))}]")
    return "\n".join(lines) + "\n"


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


class _Folder(NamedTuple):
    path: Path
    reference: str
    text: str


class _Target:
    """The entry file that entries are added to."""

    def __init__(self, project: Path, to: str | None) -> None:
        self.index: Index = index_without_hashes(project)
        root = self.index.root
        path = root / (_INDEX if to is None else to)
        name = Path(os.path.normpath(path))
        if not name.is_relative_to(root):
            raise PreparationError(f"{to} lies outside of the project")
        self.source = SourceFile(name, name.relative_to(root).as_posix(), root)
        self._new = not path.exists()
        if self._new and to is not None:
            near = suggestion(to, sorted({entry.location.file for entry in self.index}))
            raise NotFoundError(f"there is no entry file {to}", hint=near)
        self.namespace = "app" if self._new else self._declared()
        self._taken = {entry.id.name for entry in self.index if entry.id.namespace == self.namespace}

    def _declared(self) -> str:
        file = read_entry_file(self.source, Report(self.source.name))
        if file is None or not file.namespace:
            raise PreparationError(f"{self.source.name} is no entry file", hint="--to names another one")
        return file.namespace

    def id_of(self, name: str) -> str:
        return str(EntryId(self.namespace, name))

    def refuse_taken(self, name: str) -> None:
        if name in self._taken:
            raise PreparationError(f"the id {self.id_of(name)} is taken", hint="choose another name")

    def free(self, name: str) -> str:
        """Returns a name that is not taken, and takes it."""
        self.refuse_taken(name)
        self._taken.add(name)
        return name

    def folder(self, path: Path) -> _Folder:
        """Returns the closest folder with an ``fs.directory`` that holds a path, or a new one and its declaration."""
        held = [(folder, entry) for folder, entry in self._folders() if path.is_relative_to(folder)]
        if held:
            folder, entry = max(held, key=lambda each: len(each[0].parts))
            same = entry.id.namespace == self.namespace
            return _Folder(folder, entry.id.name if same else str(entry.id), "")
        relative = path.relative_to(self.index.root).as_posix()
        name = path.name if relative != "." else "files"
        name = name if name not in self._taken else f"{name}-files"
        self.free(name)
        text = f"- name: {_scalar(name)}\n  kind: fs.directory\n  directory: {_scalar(relative)}\n  auto_init: true\n\n"
        return _Folder(path, name, text)

    def _folders(self) -> Iterator[tuple[Path, Entry]]:
        for entry in self.index:
            if isinstance(entry.spec, FsDirectorySpec):
                yield Path(os.path.realpath(declared_folder(entry, self.index.root))), entry

    def write(self, entries: str) -> None:
        """Adds entries to the file, which is made if it is missing."""
        if not self._new:
            replace_file(self.source.path, added(self.source, entries))
            return
        self.source.path.write_text(_NEW_INDEX, encoding="utf-8")
        self.source.path.write_bytes(added(self.source, entries))
