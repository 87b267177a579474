"""Which files of a project can hold entries (specification: system facts 1.1)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from polycall.interop.errors import Problem
from polycall.registry.documents.nodes import START
from polycall.registry.documents.paths import is_file, is_folder, shown_path
from polycall.registry.documents.problems import Report

__all__ = ["LOCK_FILE", "SKIPPED_FOLDERS", "SUFFIXES", "SourceFile", "SourceRoot", "discover"]

LOCK_FILE = "wippy.lock"
"""Where a Wippy project says what its folders of sources are, at the top of the project folder."""

SUFFIXES = (".yaml", ".yml", ".json")
"""What the names of files end in that may hold entries."""

SKIPPED_FOLDERS = frozenset({"node_modules"})
"""Folders that hold no entries, like those whose name begins with a dot."""

_MOST_MEMBERS = 200_000
"""Files and folders that are looked at: who calls for a project in ``/`` or at home should not wait for minutes."""

_MARKS_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"

_SKIPPED_WITH: Mapping[str, tuple[str, ...]] = {
    "SKIP_TEMPORAL_TESTS": ("temporal", "_temporal"),
    "SKIP_CLOUDSTORAGE_TESTS": ("cloudstorage",),
    "SKIP_SQS_TESTS": ("sqs",),
    "SKIP_NETWORK_TESTS": ("network",),
}
_SKIPPED_BY_NAME = "SKIP_TEST_DIRS"


class SourceRoot(NamedTuple):
    """A folder of sources.

    Attributes:
        folder: Without symbolic links in its path.
        without: Folders below it that are left out.
    """

    folder: Path
    without: frozenset[Path] = frozenset()


class SourceFile(NamedTuple):
    """A file that may hold entries.

    Attributes:
        path: Where it lies.
        name: What messages call it: its path relative to the project folder.
        root: The folder of sources that it was found under; ``file:///`` starts there.
    """

    path: Path
    name: str
    root: Path


def discover(
    project: Path,
    environment: Mapping[str, str] = os.environ,
    *,
    enter: Callable[[Path], bool] = lambda _folder: True,
) -> tuple[list[SourceFile], list[Problem]]:
    """Finds the YAML and JSON files of a project.

    Symbolic links are followed inside their folder of sources; no file comes twice.

    Args:
        project: The project folder, without symbolic links in its path.
        environment: Where ``SKIP_*`` variables are looked up.
        enter: Says of each folder below a folder of sources whether to look into it.

    Returns:
        The files in the order of their names, and what is wrong with ``wippy.lock``, links and folders.
    """
    roots, problems = _source_roots(project)
    walk = _Walk(project, problems, _skipped_folders(environment), enter)
    try:
        for root in roots:
            walk.add(root)
    except _EndlessError:
        return [], problems[-1:]  # what else is wrong in there is nobody's concern
    return sorted(walk.files, key=lambda file: file.name.split("/")), problems


def _source_roots(project: Path) -> tuple[list[SourceRoot], list[Problem]]:
    if not is_file(project / LOCK_FILE):
        return [SourceRoot(project)], []
    from polycall.registry.reading.wippy_lock import source_roots  # noqa: PLC0415  # few projects have one

    return source_roots(project)


def _skipped_folders(environment: Mapping[str, str]) -> frozenset[str]:
    named = (name.strip() for name in environment.get(_SKIPPED_BY_NAME, "").split(","))
    switched_off = (name for switch, names in _SKIPPED_WITH.items() if environment.get(switch) for name in names)
    return SKIPPED_FOLDERS.union(filter(None, named), switched_off)


class _EndlessError(Exception):
    """There is too much to walk over; the last problem says so."""


class _Walk:
    """One pass over all folders of sources. Links come after everything else, so that a file has its own name."""

    def __init__(
        self, project: Path, problems: list[Problem], skipped: frozenset[str], enter: Callable[[Path], bool]
    ) -> None:
        self.files: list[SourceFile] = []
        self._project = project
        self._problems = problems
        self._skipped = skipped
        self._enter = enter
        self._seen: set[str] = set()
        self._members_seen = 0

    def add(self, root: SourceRoot) -> None:
        links: list[Path] = []
        self._folder(root.folder, root, links)
        while links:
            self._link(links.pop(0), root, links)

    def _folder(self, start: Path, root: SourceRoot, links: list[Path]) -> None:
        pending = [start]
        while pending:
            folder = pending.pop()
            if self._is_new(folder):
                pending += reversed(list(self._members(folder, root, links)))

    def _members(self, folder: Path, root: SourceRoot, links: list[Path]) -> Iterator[Path]:
        """Takes the files of a folder in and yields the folders in it."""
        try:
            members = sorted(os.scandir(folder), key=lambda member: member.name)
        except OSError as error:
            self._problem(folder, f"this folder cannot be read: {error.strerror or error}")
            return
        self._members_seen += len(members)
        if self._members_seen > _MOST_MEMBERS:
            message = f"there are more than {_MOST_MEMBERS:,} files and folders: is this a project?"
            self._problem(root.folder, message, "name its folder with -C, or that of its sources in wippy.lock")
            raise _EndlessError
        for member in members:
            path = folder / member.name
            if member.is_symlink():
                links.append(path)
            elif member.is_dir():
                if self._is_wanted(path, root):
                    yield path
            elif member.name.endswith(SUFFIXES) and member.is_file():
                self._file(path, root)

    def _link(self, link: Path, root: SourceRoot, links: list[Path]) -> None:
        try:
            target = Path(os.path.realpath(link))
        except OSError as error:  # a link that may not be read, such as those of other people's processes
            self._problem(link, f"this symbolic link cannot be read: {error.strerror or error}")
            return
        except RecursionError:  # until Python 3.12, each link that a link leads to takes some of its stack
            self._problem(link, "this symbolic link leads over too many others")
            return
        leads_to_folder = is_folder(target)
        if not (self._is_wanted(link, root) if leads_to_folder else link.name.endswith(SUFFIXES)):
            return
        if not target.is_relative_to(root.folder):
            message = f"this symbolic link leads out of the folder {shown_path(root.folder, self._project)}"
            self._problem(link, message, "put what it points to inside, or name it under replacements in wippy.lock")
        elif leads_to_folder:
            self._folder(target, root, links)
        elif is_file(target):
            self._file(target, root)
        else:
            self._problem(link, "this symbolic link points to nothing")

    def _file(self, path: Path, root: SourceRoot) -> None:
        if self._is_new(path):
            self.files.append(SourceFile(path, shown_path(path, self._project), root.folder))

    def _is_wanted(self, folder: Path, root: SourceRoot) -> bool:
        if folder.name.startswith(".") or folder.name in self._skipped or folder in root.without:
            return False
        if not self._enter(folder):
            return False
        return not is_file(folder / _MARKS_VIRTUAL_ENVIRONMENT)  # installed packages have YAML of their own

    def _is_new(self, path: Path) -> bool:
        known = str(path) in self._seen
        self._seen.add(str(path))
        return not known

    def _problem(self, path: Path, message: str, hint: str | None = None) -> None:
        report = Report(shown_path(path, self._project))
        report.problem(START, "", message, hint)
        self._problems += report.problems
