"""``polycall check``: what is wrong with a project, without calling anything."""

from __future__ import annotations

import click

from polycall.interop.errors import MOST_SHOWN, DeclarationError, summed_up
from polycall.registry.check import Finding
from polycall.registry.cli.command import Command
from polycall.registry.cli.interruptible import interruptible
from polycall.registry.cli.output import print_json, print_line
from polycall.registry.cli.progress import progress
from polycall.registry.cli.session import Session
from polycall.registry.cli.watch import Load, run, watch_option

__all__ = ["check"]

_FOUND_ERRORS = 1


@click.command(cls=Command, short_help="Check the project without calling anything.")
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
@click.option("--all", "show_all", is_flag=True, help="Show more than the first twenty problems.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all problems.")
@watch_option
@click.pass_obj
def check(session: Session, strict: bool, show_all: bool, as_json: bool, watch: bool) -> int:
    """Check everything that can be known without calling anything: declarations, sources, binaries, exports, imports.

    Lua files are started for it: what stands outside their functions runs.

    The exit code is 1 if there are errors; warnings alone leave it at 0, unless --strict makes errors of them.
    """
    return run(session, lambda load: _check(load, strict, show_all, as_json), watch=watch)


def _check(load: Load, strict: bool, show_all: bool, as_json: bool) -> int:
    findings, entries = _findings(load)
    if strict:
        findings = [finding._replace(severity="error") for finding in findings]
    errors = sum(finding.severity == "error" for finding in findings)
    if as_json:
        print_json([_row(finding) for finding in findings])
    else:
        (_show_all if show_all else _show_some)(findings)
        print_line((_summary(errors, len(findings) - errors, entries), "red" if errors else "green"))
    return _FOUND_ERRORS if errors else 0


def _findings(load: Load) -> tuple[list[Finding], int]:
    try:
        loaded = load()
    except DeclarationError as error:
        return [Finding("error", error.code, problem) for problem in error.problems], 0
    with loaded as registry, progress(len(registry)) as begin:
        return interruptible(lambda: registry.check(begin=begin)), len(registry)


def _show_some(findings: list[Finding]) -> None:
    if len(findings) > MOST_SHOWN:  # no error is hidden behind warnings
        findings = sorted(findings, key=lambda finding: finding.severity == "warning")
    _show_all(findings[:MOST_SHOWN])
    for line in summed_up([finding.problem for finding in findings]):
        print_line((f"{line} (--all shows them)", "dim"))


def _show_all(findings: list[Finding]) -> None:
    for finding in findings:
        _show(finding)


def _show(finding: Finding) -> None:
    where, severity, message = str(finding).partition(f"{finding.severity}: ")
    print_line((where, "dim"), (severity, "red" if finding.severity == "error" else "yellow"), (message, ""))


def _summary(errors: int, warnings: int, entries: int) -> str:
    if not errors and not warnings:
        return f"no problems in {_count(entries, 'entry', 'entries')}"
    return f"{_count(errors, 'error', 'errors')}, {_count(warnings, 'warning', 'warnings')}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _row(finding: Finding) -> dict[str, str | int | None]:
    return {"severity": finding.severity, "code": finding.code, **finding.problem._asdict()}
