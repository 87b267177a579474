"""``polycall call --each``: a call for each line of input, and a line of output for each call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import closing
from typing import NamedTuple

from polycall.interop.errors import ConversionError, PolycallError, raise_if
from polycall.interop.forks import new_lock
from polycall.interop.values import Value, describe
from polycall.registry.cli.each_input import FORMATS, Input, Line
from polycall.registry.cli.failures import add_hint
from polycall.registry.cli.interruptible import interruptible
from polycall.registry.cli.progress import rate
from polycall.registry.cli.results import may_err, refuse_err, result_line
from polycall.registry.cli.stderr import say
from polycall.registry.dispatch.bulk import Outcome, streamed
from polycall.registry.registry import Registry

__all__ = ["Each", "call_each"]

_SOME_FAILED = 1


class Each(NamedTuple):
    """How lines become calls.

    Attributes:
        format: ``json``, ``lines`` or ``csv``.
        spread: Whether a line is a list of arguments, not one.
        jobs: How many calls run at a time.
        unordered: Whether results are written as they are ready.
        keep_going: Whether a line that failed is an error object in the output, not the end.
        fail_on_err: Whether the err of a WIT result is a failure.
        raw: Whether a result of text is written as it is.
        timeout: Seconds that each call may take, or None.
        limits: Of each call, or None.
    """

    format: str
    spread: bool
    jobs: int
    unordered: bool
    keep_going: bool
    fail_on_err: bool
    raw: bool
    timeout: float | None
    limits: dict[str, int] | None


def call_each(registry: Registry, target: str, lines: Input, how: Each) -> int:
    """Calls a function with each line, and writes a line for each: the result, or what went wrong.

    Returns:
        The exit code: 1 if lines failed and it was to go on all the same.

    Raises:
        PolycallError: The function cannot be called at all, or a line failed and it was not to go on.
        OSError: The input cannot be read, or the output not written.
    """
    output = _Output(lines)

    def work() -> None:
        call = _call(registry, target, how)
        outcomes = streamed(call, lines, workers=how.jobs, ordered=not how.unordered)
        output.write_all(outcomes, keep_going=how.keep_going)

    try:
        interruptible(work, tick=output.tick)
    finally:
        output.progress(None)
    if output.failed:
        say(f"{output.failed:,} of {output.written:,} lines failed")
    return _SOME_FAILED if output.failed else 0


def _call(registry: Registry, target: str, how: Each) -> Callable[[Line], str]:
    """Returns what makes a line of output of a line of input; prepares the function, so that it fails once if it does.

    No call has a cancellation, for which the loops of guests would pay: after Ctrl-C the process ends as it is.
    """
    fails = how.fail_on_err and may_err(registry.prepare(target, timeout=how.timeout).signature)
    value, call, spread, raw = FORMATS[how.format, how.spread].value, registry.call, how.spread, how.raw

    timeout, limits = how.timeout, how.limits

    def one(line: Line) -> str:
        given = value(line.content)
        result = call(target, *(_spread(given) if spread else (given,)), timeout=timeout, limits=limits)
        if fails:
            refuse_err(result, target)
        return result if raw and isinstance(result, str) else result_line(result)

    return one


def _spread(given: Value) -> list[Value]:
    if isinstance(given, list):
        return given
    raise ConversionError("$", "lower", "a list of arguments (--spread)", describe(given))


class _Output:
    """Lines on stdout. They are written by one thread and pushed on by another, which looks in from time to time.

    Attributes:
        written: How many lines there are.
        failed: How many of them are errors.
    """

    def __init__(self, lines: Input) -> None:
        self.written = self.failed = 0
        self._lines = lines
        self._lock = new_lock()
        self.progress = rate()

    def write_all(self, outcomes: Generator[Outcome[Line, str]], *, keep_going: bool) -> None:
        with closing(outcomes):
            for outcome in outcomes:
                line = outcome.result
                if line is None:
                    line = self._failure(outcome, keep_going)
                with self._lock:
                    sys.stdout.write(f"{line}\n")
                self.written += 1
        with self._lock:
            sys.stdout.flush()

    def _failure(self, outcome: Outcome[Line, str], keep_going: bool) -> str:
        error = outcome.error
        if not keep_going or not isinstance(error, PolycallError):
            if isinstance(error, PolycallError):
                add_hint(error, f"it was {outcome.item}; --keep-going goes on with the others")
            with self._lock:
                sys.stdout.flush()  # what came before it is there when it is told
            raise_if(error)
        self.failed += 1
        return _error_line(outcome.item, error) if isinstance(error, PolycallError) else ""

    def tick(self) -> None:
        # Whoever writes at this moment, or waits for its reader to take it, will be here again.
        if self._lock.acquire(blocking=False):
            try:
                sys.stdout.flush()
            finally:
                self._lock.release()
        failed = f"  {self.failed:,} failed" if self.failed else ""
        size = self._lines.size_bytes
        share = f"{min(100, 100 * self._lines.read_bytes // size)} %  " if size else ""
        self.progress((share, self.written, failed))


def _error_line(line: Line, error: PolycallError) -> str:
    where: dict[str, Value] = {} if line.file is None else {"file": line.file}
    details: dict[str, Value] = {} if error.details is None else {"details": error.details}
    about: dict[str, Value] = {"line": line.number, "code": error.code, "message": error.text()}
    return result_line({"error": {**where, **about, **details}})
