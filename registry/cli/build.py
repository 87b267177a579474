"""``polycall build``: binaries made from their sources, as their entries say."""

from __future__ import annotations

from contextlib import suppress

import click

from polycall.interop.context import Cancellation
from polycall.interop.errors import PolycallError, PreparationError
from polycall.registry.building.due import BuildReport, build_what_is_due
from polycall.registry.building.processes import Builders, Built
from polycall.registry.cli.command import Command
from polycall.registry.cli.interruptible import interruptible
from polycall.registry.cli.output import print_line
from polycall.registry.cli.printable import indented, printable
from polycall.registry.cli.progress import progress
from polycall.registry.cli.session import Session
from polycall.registry.cli.stderr import say

__all__ = ["bring_up_to_date", "build"]

_SOME_FAILED = 1


@click.command(cls=Command, short_help="Build what has changed.")
@click.argument("entry_ids", metavar="[ID]...", nargs=-1)
@click.option("--force", is_flag=True, help="Build all, changed or not.")
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="How many run at a time (default: one a processor).")
@click.pass_obj
def build(session: Session, entry_ids: tuple[str, ...], force: bool, jobs: int | None) -> int:
    """Run the "build" of the function.wasm entries of the project, or of those with an ID, and write the hashes.

    A build runs if what it reads ("watch") or what it made is not as it was after its last run; one that does not say
    what it reads runs each time. What it prints is shown if it fails; the exit code is 1 then.

    The commands are those of the entry files: run this only in a project that you trust.
    """
    report = _run(session, entry_ids, Builders(jobs), force=force)
    for each in report.kept:
        print_line(("unchanged  ", "dim"), (each.name, ""))
    if report.files:
        print_line((f"wrote hashes in {', '.join(report.files)}", ""))
    _compile(session, report)
    if not report.built and not report.kept:
        say('nothing to build: no entry has a "build"')
    return _SOME_FAILED if any(each.failure is not None for each in report.built) else 0


def _compile(session: Session, report: BuildReport) -> None:
    """Compiles what was built, for the cache: the first call would have to do it in its own time."""
    entry_ids = [each for built in report.built if built.failure is None for each in built.build.entry_ids]
    if not entry_ids:
        return
    cancellation = Cancellation()

    def work() -> None:
        with suppress(PolycallError), session.load() as registry:  # `check` says what is wrong
            for entry_id in entry_ids:
                with suppress(PreparationError):
                    registry.prepare(entry_id, cancellation=cancellation)

    interruptible(work, cancellation)


def bring_up_to_date(session: Session, *, first: bool) -> BuildReport:
    """Builds what is due, for a command that runs again and again.

    Args:
        session: What the options before the command say.
        first: Whether to run what does not say what it reads.
    """
    return _run(session, (), Builders(), unwatched=first)


def _run(
    session: Session, entry_ids: tuple[str, ...], builders: Builders, *, force: bool = False, unwatched: bool = True
) -> BuildReport:
    cancellation = Cancellation()
    cancellation.on_cancel(builders.stop)
    report = interruptible(
        lambda: build_what_is_due(
            session.project, entry_ids, builders=builders, progress=progress, force=force, unwatched=unwatched
        ),
        cancellation,
    )
    for each in report.built:
        _show(each)
    return report


def _show(built: Built) -> None:
    failed = built.failure is not None
    word, style = ("FAILED     ", "red") if failed else ("built      ", "green")
    print_line((word, style), (built.build.name, ""), (f"  {built.seconds:.1f} s", "dim"))
    if failed:
        lines = [*built.output.rstrip().splitlines(), str(built.failure)]
        say("\n".join(indented(printable(f"  {line}")) for line in lines))
