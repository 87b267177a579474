"""``polycall test``: runs the entries that are tests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from polycall.registry.cli.command import Command, PathType
from polycall.registry.cli.interruptible import interruptible
from polycall.registry.cli.output import print_json, print_line
from polycall.registry.cli.progress import progress
from polycall.registry.cli.seconds import SECONDS
from polycall.registry.cli.session import Session
from polycall.registry.cli.stderr import say
from polycall.registry.cli.watch import Load, run, watch_option
from polycall.registry.guest_tests import GuestTest, GuestTestOutcome, find_tests, run_test
from polycall.registry.junit import junit_xml
from polycall.registry.registry import Registry

__all__ = ["run_tests"]

_SOME_FAILED = 1
_FOUND_NO_TESTS = 5
"""As pytest has it: a filter that fits nothing must not look like success."""


@click.command("test", cls=Command, short_help="Run the entries that are tests.")
@click.argument("filters", metavar="[FILTER]...", nargs=-1)
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="Stop each test after this time.")
@click.option("-x", "--fail-fast", is_flag=True, help="Stop at the first test that fails.")
@click.option("--junit", type=PathType("file", dir_okay=False, writable=True), help="Write JUnit XML to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@watch_option
@click.pass_obj
def run_tests(  # noqa: PLR0917  # click passes options by name
    session: Session,
    filters: tuple[str, ...],
    timeout: float | None,
    fail_fast: bool,
    junit: Path | None,
    as_json: bool,
    watch: bool,
) -> int:
    """Run the entries with "type: test" in their meta, in the order of meta.suite, meta.order and id.

    A test fails if it raises, returns an error or returns false. FILTER is an id, a suite, or a pattern such as
    "app.*" of one of them. The exit code is 0, 1 if a test failed, 5 if there are no tests.
    """

    def once(load: Load) -> int:
        with load() as registry:
            tests = find_tests(registry, filters)
            outcomes = _run(registry, tests, timeout, fail_fast)
        return _tell(tests, outcomes, filters, junit, as_json)

    return run(session, once, watch=watch)


def _tell(
    tests: list[GuestTest],
    outcomes: list[GuestTestOutcome],
    filters: tuple[str, ...],
    junit: Path | None,
    as_json: bool,
) -> int:
    """Reports the outcomes; returns the exit code."""
    if junit is not None:
        junit.write_bytes(junit_xml(outcomes))
    if as_json:
        print_json([_row(outcome) for outcome in outcomes])
    else:
        _report(outcomes, left=len(tests) - len(outcomes))
    if not tests:
        say('a test is an entry with "type: test" in its meta' if not filters else "no test has such an id or suite")
        return _FOUND_NO_TESTS
    return _SOME_FAILED if any(outcome.failure is not None for outcome in outcomes) else 0


def _run(registry: Registry, tests: list[GuestTest], timeout: float | None, fail_fast: bool) -> list[GuestTestOutcome]:
    outcomes: list[GuestTestOutcome] = []
    with progress(len(tests)) as begin:
        for test in tests:
            begin(test.entry_id)
            outcomes.append(interruptible(partial(run_test, registry, test, timeout=timeout)))
            if fail_fast and outcomes[-1].failure is not None:
                break
    return outcomes


def _report(outcomes: Sequence[GuestTestOutcome], left: int) -> None:
    width = max((len(outcome.test.entry_id) for outcome in outcomes), default=0)
    for suite, members in groupby(outcomes, key=lambda outcome: outcome.test.suite):
        print_line((suite, "bold"))
        for outcome in members:
            _report_one(outcome, width)
    failed = sum(outcome.failure is not None for outcome in outcomes)
    not_run = f", {left} not run" if left else ""
    seconds = sum(outcome.seconds for outcome in outcomes)
    summary = (
        f"{len(outcomes) - failed} passed, {failed} failed{not_run} in {seconds:.2f} s" if outcomes else "no tests"
    )
    print_line((summary, "red" if failed else "green" if outcomes else "yellow"))


def _report_one(outcome: GuestTestOutcome, width: int) -> None:
    word, style = ("ok    ", "green") if outcome.failure is None else ("FAILED", "red")
    name = f"  {outcome.test.entry_id:{width}}  "
    print_line(("  ", ""), (word, style), (name, ""), (f"{outcome.seconds * 1000:.1f} ms", "dim"))
    if outcome.failure is None:
        return
    lines = [*outcome.failure.splitlines(), *(outcome.traceback or "").splitlines()]
    if outcome.output:
        lines += ["output:", *(f"  {line}" for entry in outcome.output for line in entry.splitlines() or [""])]
    for line in lines:
        print_line((f"          {line}".rstrip(), ""))


def _row(outcome: GuestTestOutcome) -> dict[str, Any]:
    return {
        "id": outcome.test.entry_id,
        "suite": outcome.test.suite,
        "passed": outcome.failure is None,
        "failure": outcome.failure,
        "traceback": outcome.traceback,
        "output": list(outcome.output),
        "seconds": round(outcome.seconds, 6),
    }
