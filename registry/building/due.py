"""A project brought up to date: what is due is built, and the hashes are written after."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from polycall.registry.binary_hashes import binary_hashes, write_hashes
from polycall.registry.building.builds import Build, find_builds
from polycall.registry.building.processes import Builders, Built
from polycall.registry.building.record import BuildRecord, inputs_digest

__all__ = ["BuildReport", "build_what_is_due"]

Progress = Callable[[int], AbstractContextManager[Callable[[str], None]]]


class BuildReport(NamedTuple):
    """What was done.

    Attributes:
        built: The builds that ran.
        kept: Those that had nothing to do.
        files: The entry files that got new hashes.
    """

    built: list[Built]
    kept: list[Build]
    files: list[str]


def build_what_is_due(
    project: str | os.PathLike[str],
    entry_ids: Sequence[str] = (),
    *,
    builders: Builders,
    progress: Progress,
    force: bool = False,
    unwatched: bool = True,
) -> BuildReport:
    """Runs the builds whose inputs or outputs are not those of their last run.

    Args:
        project: The project folder.
        entry_ids: Only the builds of these entries; all if there are none.
        builders: Who runs them.
        progress: Is told how many are due, and then of each that begins.
        force: Run all of them.
        unwatched: Run those that do not say what they read.

    Raises:
        DeclarationError: Something else than a hash is wrong with the declarations.
        NotFoundError: There is no such folder or entry.
        PreparationError: A build cannot run, or a hash cannot be written.
    """
    root, builds = find_builds(project, entry_ids)
    record = BuildRecord(root)
    # Taken before: what changes while a build runs is built again the next time.
    inputs = {build: inputs_digest(build) for build in builds}
    due = [
        build
        for build in builds
        if force or (unwatched if inputs[build] is None else record.is_due(build, inputs[build]))
    ]
    built: list[Built] = []
    if due:
        with progress(len(due)) as begin:
            built = builders.run(due, begin)
    done = [each.build for each in built if each.failure is None]
    for build in done:
        record.note(build, inputs[build])
    if done:
        record.write()
    kept = [build for build in builds if build not in due]
    return BuildReport(built, kept, _write_hashes(root, [build for build in [*done, *kept] if record.has_made(build)]))


def _write_hashes(root: Path, builds: Sequence[Build]) -> list[str]:
    entries = [entry_id for build in builds for entry_id in build.entry_ids]
    return write_hashes(binary_hashes(root, entries)) if entries else []
