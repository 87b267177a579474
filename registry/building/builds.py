"""The builds that a project declares: one for each command, however many entries share it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from polycall.interop.errors import PreparationError
from polycall.registry.binary_hashes import index_without_hashes
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.folders import declared_folder
from polycall.registry.entries.index import Index
from polycall.registry.reading.data_folders import DataFolders, lies_in_data
from polycall.wasm_runtime.spec import WasmFunctionSpec

__all__ = ["Build", "find_builds"]


class Build(NamedTuple):
    """A command that makes binaries.

    Attributes:
        command: For the shell.
        workdir: Where it runs.
        watch: Patterns of what it reads, relative to `workdir`.
        entry_ids: The entries that declare it.
        outputs: The files that they name.
    """

    command: str
    workdir: Path
    watch: tuple[str, ...]
    entry_ids: tuple[str, ...]
    outputs: tuple[Path, ...]

    @property
    def name(self) -> str:
        """What messages call it: its entries."""
        return ", ".join(self.entry_ids)


def find_builds(project: str | os.PathLike[str], entry_ids: Sequence[str] = ()) -> tuple[Path, list[Build]]:
    """Returns the project folder and its builds, in the order of their entries.

    Args:
        project: The project folder.
        entry_ids: Only the builds of these entries; all if there are none.

    Raises:
        DeclarationError: Something else than a hash is wrong with the declarations.
        NotFoundError: There is no such folder or entry.
        PreparationError: An entry that is asked for has no ``build``, or one runs where guests may write.
    """
    index = index_without_hashes(project)
    wanted = {str(index.get(entry_id).id) for entry_id in entry_ids}
    builds = list(_builds(index))
    for entry_id in sorted(wanted - {each for build in builds for each in build.entry_ids}):
        raise PreparationError(f'{entry_id} has no "build"', entry_id=entry_id, hint="only function.wasm has one")
    return index.root, [build for build in builds if not wanted or wanted & set(build.entry_ids)]


def _builds(index: Index) -> Iterator[Build]:
    data = DataFolders(index, index.root)
    shared: dict[tuple[str, Path, tuple[str, ...]], list[tuple[str, Path]]] = {}
    for entry in index:
        spec = entry.spec
        if isinstance(spec, WasmFunctionSpec) and spec.build is not None:
            workdir = _workdir(entry, spec.build.workdir, index.root, data)
            key = spec.build.command, workdir, spec.build.watch
            shared.setdefault(key, []).append((str(entry.id), _output(entry, index)))
    for key, entries in shared.items():
        names, outputs = zip(*entries, strict=True)
        yield Build(*key, names, tuple(dict.fromkeys(outputs)))


def _output(entry: Entry, index: Index) -> Path:
    folder = Path(os.path.normpath(declared_folder(index.get(entry.spec.fs), index.root)))
    output = Path(os.path.normpath(folder / entry.spec.path.lstrip("/")))
    if not output.is_relative_to(folder):
        raise PreparationError(str(entry.problem("path", f"{entry.spec.path} leads out of {entry.spec.fs}")))
    return output


def _workdir(entry: Entry, workdir: str, root: Path, data: DataFolders) -> Path:
    """Returns the folder that a build runs in: never one where a guest could write what is run."""
    folder = Path(os.path.normpath((root / entry.location.file).parent / workdir))
    holder = data.holder(folder)
    if holder is not None:
        where = entry.problem("build.workdir", f"{workdir} {lies_in_data(holder)}: a guest could write what is run")
        raise PreparationError(str(where), entry_id=str(entry.id), hint="keep the sources outside of it")
    return folder
