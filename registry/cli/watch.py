"""``--watch``: a command that runs again after each change of the project."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from functools import partial
from pathlib import Path

import click

from polycall.interop.errors import DeclarationError, PolycallError, PreparationError
from polycall.registry.cli.printable import one_line
from polycall.registry.cli.session import Session
from polycall.registry.cli.stderr import say
from polycall.registry.reading.discovery import SKIPPED_FOLDERS
from polycall.registry.reading.project_folder import project_folder
from polycall.registry.registry import Registry

__all__ = ["Load", "run", "watch_option"]

Load = Callable[[], AbstractContextManager[Registry]]
"""Gives a command the registry for one run."""

_TICK_MS = 100
"""How long one look for changes takes at most; the first look comes before the first run."""

_FILES_SHOWN = 3

_MOST_BUILDS_IN_A_ROW = 3
"""How often what was built may be due again at once: a command that changes what it reads must not run for ever."""

watch_option = click.option(
    "--watch", is_flag=True, help="Build and run again after each change of a file; Ctrl-C ends it."
)


def run(session: Session, command: Callable[[Load], int], *, watch: bool) -> int:
    """Runs a command once or, with `watch`, again after each change of a file of the project until Ctrl-C.

    With `watch`, what is due of the project's builds runs before it.

    Args:
        session: What the options before the command say.
        command: Does its work once, and returns the exit code.
        watch: Whether to run it again.

    Returns:
        The exit code of the command; 0 for a watch that ended while it waited.

    Raises:
        NotFoundError: There is no project folder to watch.
        click.UsageError: The package that watches files is not installed.
    """
    if not watch:
        return command(session.load)
    root = project_folder(session.project)
    with closing(_changes(root)) as changes, closing(_Reloading(session)) as registry:
        next(changes)  # from here on no change is missed
        first = True
        while True:
            _run_once(partial(_build_and_run, session, partial(command, registry.load), changes, first), session.debug)
            first = False
            try:
                say(f"watching {one_line(str(root))}, Ctrl-C ends")
                changed = next(filter(None, changes))
            except KeyboardInterrupt:
                return 0
            say(f"changed: {one_line(_listed(changed))}")


class _Reloading:
    """Loads the project once and reloads it afterwards, so that what did not change stays prepared."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._registry: Registry | None = None

    def load(self) -> AbstractContextManager[Registry]:
        if self._registry is None:
            self._registry = self._session.load()
        else:
            self._registry.reload()
        return nullcontext(self._registry)

    def close(self) -> None:
        if self._registry is not None:
            self._registry.close()


def _build_and_run(session: Session, command: Callable[[], int], changes: Generator[list[str]], first: bool) -> int:
    from polycall.registry.cli.build import bring_up_to_date  # noqa: PLC0415  # only a watch builds

    for _ in range(_MOST_BUILDS_IN_A_ROW):
        try:
            report = bring_up_to_date(session, first=first)
        except DeclarationError:  # which the command tells in its own way
            break
        failed = [each.build.name for each in report.built if each.failure is not None]
        if failed:
            raise PreparationError(f"{'; '.join(failed)} could not be built")
        if not report.built and not report.files:
            break
        first = False
        next(changes)  # our own, and what else is there by now: the command loads after it
    return command()


def _run_once(command: Callable[[], int], debug: bool) -> None:
    try:
        command()
    except (PolycallError, OSError) as error:
        from polycall.registry.cli.failures import show_failure  # noqa: PLC0415  # most commands do not fail

        show_failure(error, debug=debug)


def _changes(root: Path) -> Generator[list[str]]:
    """Yields which files changed since the last time, relative to the project: none after a tick without changes."""
    try:
        import watchfiles  # noqa: PLC0415  # an extra: the other commands do without
    except ImportError as error:
        raise click.UsageError("--watch needs the package watchfiles: pip install 'polycall[watch]'") from error

    # Nor these: a log in the project would be written because it was written.
    outputs = {file for descriptor in (1, 2) for file in _file_of(partial(os.fstat, descriptor))}

    def wanted(_change: watchfiles.Change, path: str) -> bool:
        parts = Path(path).relative_to(root).parts
        skipped = any(part.startswith(".") or part in SKIPPED_FOLDERS for part in parts)
        return not skipped and outputs.isdisjoint(_file_of(Path(path).stat))

    # Watching begins with the first item, which therefore must not wait for the first change.
    for found in watchfiles.watch(root, watch_filter=wanted, rust_timeout=_TICK_MS, yield_on_timeout=True):
        yield sorted({Path(path).relative_to(root).as_posix() for _, path in found})


def _file_of(look: Callable[[], os.stat_result]) -> Iterator[tuple[int, int]]:
    """Yields by what a file is the same as another one; nothing if it is gone."""
    with suppress(OSError):
        found = look()
        yield found.st_dev, found.st_ino


def _listed(files: list[str]) -> str:
    more = len(files) - _FILES_SHOWN
    return ", ".join(files[:_FILES_SHOWN]) + (f" and {more} more" if more > 0 else "")
