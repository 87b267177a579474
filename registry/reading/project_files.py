"""Which files of a project count, read to entries: everything but what lies in data (see `data_folders`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from polycall.interop.errors import Problem
from polycall.registry.documents.nodes import START
from polycall.registry.documents.paths import is_file
from polycall.registry.documents.problems import Report
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.settings import SETTINGS_FILE, Settings
from polycall.registry.reading.data_folders import DataFolders, lies_in_data, settle
from polycall.registry.reading.declarations import declare
from polycall.registry.reading.discovery import LOCK_FILE, SourceFile, discover
from polycall.registry.reading.entry_file import EntryFile, read_entry_file
from polycall.registry.reading.file_sources import FileSources
from polycall.registry.reading.project_folder import is_marked, no_project

__all__ = ["ProjectFile", "read_project"]

Amend = Callable[[list[EntryFile]], None]


class ProjectFile(NamedTuple):
    """A file that was looked at.

    Attributes:
        source: The file.
        report: What is wrong with it.
        entry_file: What it says at its top; None if it is nobody's entry file.
        entries: What it declares.
    """

    source: SourceFile
    report: Report
    entry_file: EntryFile | None
    entries: list[Entry]


def read_project(root: Path, settings: Settings, amend: Amend | None) -> tuple[list[ProjectFile], list[Problem]]:
    """Reads the files that count.

    The files in the project folder itself come first: no folder makes data of them, so what they make data need not
    be looked at, however much a guest has put there.

    Args:
        root: The project folder, without symbolic links in its path.
        settings: The project's.
        amend: Sees the files as read, before anything in them is checked, and may change their nodes.

    Returns:
        The files, and what is wrong with the project as a whole.

    Raises:
        NotFoundError: The folder is no project.
    """
    reader = _Reader(root, settings, amend)
    at_top, unreadable = discover(root, enter=lambda _folder: False)
    top = reader.read(file for file in at_top if file.path.parent == root)
    if not (unreadable or is_marked(root) or any(map(_is_meant, top))):
        raise no_project(root)
    data = DataFolders(_entries(top), root)
    found, problems = discover(root, enter=lambda folder: data.holder(folder) is None)
    deeper = reader.read(file for file in found if file.path.parent != root and not data.holder(file.path.parent))
    read = [*top, *deeper]
    settled = settle([(file.source.path, file.entries) for file in read], root)
    for number, holder in settled.open.items():
        _report_circle(read[number], holder)
    counting = [file for number, file in enumerate(read) if number in settled.kept or number in settled.open]
    for file in counting:
        reader.refuse_data(file, settled.data)
    problems = [problem for problem in problems if not settled.data.holder(root / problem.file)]
    return counting, [*problems, *_links_to_data(root, settled.data)]


class _Reader:
    """Reads files to entries, one by one."""

    def __init__(self, root: Path, settings: Settings, amend: Amend | None) -> None:
        self._root = root
        self._settings = settings
        self._texts = FileSources(root)
        self._amend = amend

    def read(self, sources: Iterable[SourceFile]) -> list[ProjectFile]:
        wanted = [(source, Report(source.name)) for source in sources if source.name != SETTINGS_FILE]
        files = [(source, report, read_entry_file(source, report)) for source, report in wanted]
        if self._amend is not None:
            self._amend([file for _, _, file in files if file is not None])
        return [ProjectFile(source, report, file, self._declared(file)) for source, report, file in files]

    def _declared(self, file: EntryFile | None) -> list[Entry]:
        if file is None:
            return []
        self._texts.expand(file)
        return list(declare(file, self._settings))

    def refuse_data(self, file: ProjectFile, data: DataFolders) -> None:
        """Reports what a file wants to have read from data."""
        if file.entry_file is not None:
            self._texts.refuse_data(file.entry_file, data)
        for entry in file.entries:
            # By kind: to import the dataclasses of env.* takes a fortieth of a short command's time.
            if entry.kind == "env.storage.file" and entry.spec is not None:
                holder = data.holder(self._root / entry.spec.file_path)
                if holder is not None:
                    message = f"{entry.spec.file_path} {lies_in_data(holder)}: a guest could write it"
                    file.report.problems.append(entry.problem("file_path", message, "keep the variables outside of it"))


def _is_meant(file: ProjectFile) -> bool:
    """Says whether a file is an entry file, or was to be one."""
    return file.entry_file is not None or file.source.path.stem == "_index" or bool(file.report.warnings)


def _entries(files: Iterable[ProjectFile]) -> Iterator[Entry]:
    return (entry for file in files for entry in file.entries)


def _report_circle(file: ProjectFile, holder: Entry) -> None:
    message = (
        f"source or data? {holder.id} in {holder.location.file} hands out the folder of this file to guests, "
        "and a file that is data itself declares nothing"
    )
    hint = "declare one of the two fs.directory entries in the project folder itself, or remove it"
    file.report.problem(START, "", message, hint)


def _links_to_data(root: Path, data: DataFolders) -> list[Problem]:
    """Returns a problem for each file of the project as a whole that is a link into data."""
    holders = [(name, data.holder(root / name)) for name in (SETTINGS_FILE, LOCK_FILE)]
    return [
        Problem(name, 1, 1, "", f"this file {lies_in_data(holder)}", "put the file itself here instead of a link")
        for name, holder in holders
        if holder is not None and is_file(root / name)
    ]
