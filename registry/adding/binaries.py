"""Entries for the exports of a binary, added to a project."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from polycall.interop.errors import PreparationError
from polycall.interop.ids import suggestion
from polycall.registry.adding.target import Addition, Target, scalar
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.folders import declared_folder
from polycall.wasm_runtime.imports import group_of_spelling
from polycall.wasm_runtime.spec import WasmFunctionSpec

__all__ = ["add_binary"]


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
    target = Target(project, to)
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(target.index.root):
        raise PreparationError(f"{path} lies outside of the project", hint=f"copy it below {target.index.root}")
    wanted = list(_wanted(look.exports, exports, name, path))
    folder = target.folder(real.parent)
    file = real.relative_to(folder.path).as_posix()
    known = {(spec.method, declared_folder(target.index.get(spec.fs), target.index.root) / spec.path): entry
             for entry in target.index if isinstance(spec := entry.spec, WasmFunctionSpec)}  # fmt: skip
    digest = "sha256:" + hashlib.sha256(binary).hexdigest()
    granted = list(look.groups) if grant else []
    blocks, ids, kept = [], [], list[Entry]()
    for called, method, wit in wanted:
        there = known.get((method, folder.path / file))
        if there is not None:
            kept.append(there)
            continue
        own = target.free(called)
        ids.append(target.id_of(own))
        keys = {"fs": folder.reference, "path": file, "hash": digest, "method": method, "wit": wit}
        blocks.append(_block(own, keys, granted))
    if blocks:
        target.write(folder.text + "\n".join(blocks))
    notes = [*_notes(look.groups, look.foreign, grant), *_notes_of_kept(kept, digest, granted)]
    return Addition(target.source.name, tuple(ids), tuple(str(entry.id) for entry in kept), notes=tuple(notes))


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
        listed = ", ".join(groups)
        yield f"it imports {listed}: nothing is granted; add imports: [{listed}] where it is needed"
    if foreign:
        yield f"it imports {', '.join(foreign)}: links say which entries serve that"


def _notes_of_kept(kept: Sequence[Entry], digest: str, granted: Sequence[str]) -> Iterator[str]:
    for entry in kept:
        if entry.spec.hash not in (digest, None):
            yield f"{entry.id} declares another hash: polycall hash --write {entry.id} takes the one of now"
        has = {group_of_spelling(each) for each in entry.spec.imports}
        missing = [group for group in granted if group not in has]
        if missing:
            yield f"{entry.id} stays as it is: add imports: [{', '.join(missing)}] to it"


def _block(name: str, keys: Mapping[str, str | None], granted: Sequence[str]) -> str:
    lines = [f"- name: {scalar(name)}", "  kind: function.wasm"]
    lines += [f"  {key}: {scalar(value)}" for key, value in keys.items() if value]
    if granted:
        lines.append(f"  imports: [{', '.join(map(scalar, granted))}]")
    return "\n".join(lines) + "\n"
