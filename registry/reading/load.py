"""From a project folder to its index: the story of a load, told once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from polycall.interop.errors import DeclarationError, Problem
from polycall.registry.documents.problems import Report, Slip, in_reading_order
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.entries.references import by_id, cycle_problems, reference_problems, variable_problems
from polycall.registry.entries.settings import SETTINGS_FILE, read_settings
from polycall.registry.reading.entry_file import EntryFile
from polycall.registry.reading.project_files import ProjectFile, read_project
from polycall.registry.reading.project_folder import project_folder

__all__ = ["load_index"]


def load_index(
    path: str | os.PathLike[str],
    *,
    isolation: str | None = None,
    amend: Callable[[list[EntryFile]], None] | None = None,
) -> Index:
    """Reads the settings and all entry files of a project.

    Args:
        path: The project folder.
        isolation: What every function has at least, in the place of what the settings say; None for those.
        amend: Sees the files as read, before anything in them is checked, and may change their nodes.

    Raises:
        DeclarationError: The declarations are wrong; every problem of every file is listed.
        NotFoundError: There is no such folder, or it is no project.
    """
    root = project_folder(Path(path))
    about_settings = Report(SETTINGS_FILE)
    settings = read_settings(root, about_settings)
    if isolation is not None:
        settings = settings.with_isolation(isolation)
    found, problems = read_project(root, settings, amend)
    entries, problems_of_all = _link(found)
    reports = [about_settings, *(file.report for file in found)]
    problems += [problem for report in reports for problem in report.problems] + problems_of_all
    if problems:
        raise DeclarationError(in_reading_order(problems))
    warnings = in_reading_order(warning for report in reports for warning in report.warnings)
    if not any(file.entry_file for file in found):
        warnings.append(_nothing_found())
    return Index(entries, root, warnings, settings)


def _link(found: list[ProjectFile]) -> tuple[list[Entry], list[Problem]]:
    entries, problems = by_id(entry for file in found for entry in file.entries)
    unknown = {file.entry_file.namespace for file in found if file.entry_file and not file.entry_file.complete}
    problems += reference_problems(entries, unknown)
    problems += cycle_problems(entries)
    problems += variable_problems(entries.values())
    return list(entries.values()), problems


def _nothing_found() -> Problem:
    message = "there are no entries: no YAML or JSON file here has a namespace"
    return Slip(".", 1, 1, "", message, "polycall add --template lua NAME makes one")
