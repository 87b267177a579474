"""Entries that are tests (``meta.type: test``): finding them, running them, and what came out."""

from __future__ import annotations

import fnmatch
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from polycall.interop.context import Cancellation
from polycall.interop.errors import PolycallError, PreparationError
from polycall.interop.json_text import encode_json
from polycall.interop.logs import logger
from polycall.interop.values import Value
from polycall.registry.entries.entry import Entry
from polycall.registry.registry import Registry

__all__ = ["GuestTest", "GuestTestOutcome", "find_tests", "run_test"]

_NO_SUITE = "tests"


class GuestTest(NamedTuple):
    """An entry that is a test; sorted, tests are in the order in which they run.

    Attributes:
        suite: ``meta.suite``, or ``tests``.
        order: ``meta.order``, or 0.
        entry_id: ``namespace:name``.
    """

    suite: str
    order: float
    entry_id: str

    def fits(self, filters: Sequence[str]) -> bool:
        """Says whether a filter is the id or the suite of this test, or a pattern (``*``, ``?``) of one of them."""
        return not filters or any(
            fnmatch.fnmatchcase(name, pattern) for pattern in filters for name in (self.entry_id, self.suite)
        )


class GuestTestOutcome(NamedTuple):
    """What came out of one test.

    Attributes:
        test: The test.
        failure: Why it failed, or None.
        traceback: The guest's traceback, or None.
        output: What guests printed and logged meanwhile, line by line.
        seconds: How long it took, preparing included.
    """

    test: GuestTest
    failure: str | None
    traceback: str | None
    output: tuple[str, ...]
    seconds: float


def find_tests(registry: Registry, filters: Sequence[str] = ()) -> list[GuestTest]:
    """Returns the tests of a project in the order in which they run: by suite, order and id.

    Raises:
        PreparationError: A ``meta.order`` is no number.
    """
    tests = sorted(map(_test, registry.find(meta={"type": "test"})))
    return [test for test in tests if test.fits(filters)]


def _test(entry: Entry) -> GuestTest:
    order: Any = entry.meta.get("order") or 0
    if isinstance(order, bool) or not isinstance(order, (int, float)):
        raise PreparationError(f"{entry.location}: meta.order is {order!r}; expected a number", entry_id=str(entry.id))
    return GuestTest(str(entry.meta.get("suite") or _NO_SUITE), order, str(entry.id))


def run_test(registry: Registry, test: GuestTest, *, timeout: float | None = None) -> GuestTestOutcome:
    """Calls a test without arguments.

    It fails if the call fails, if its result is false, and if its result is a WIT ``err``.

    Args:
        registry: Where it is.
        test: Which one.
        timeout: Seconds that it may take, or None.
    """
    failure = traceback = None
    start = time.perf_counter()
    with _captured() as output:
        try:
            # With a cancellation the call is interruptible, which also lets Ctrl-C through.
            failure = _verdict(registry.call(test.entry_id, timeout=timeout, cancellation=Cancellation()))
        except PolycallError as error:
            failure, traceback = str(error), error.guest_traceback
    return GuestTestOutcome(test, failure, traceback, tuple(output), time.perf_counter() - start)


def _verdict(result: Value) -> str | None:
    if result is False:
        return "returned false"
    if isinstance(result, dict) and result.keys() == {"err"}:
        return f"returned the error {encode_json(result['err'])}"
    return None


class _Capture(logging.Handler):
    """Keeps lines, and hands on what the log would have shown anyway."""

    def __init__(self, shown_from: int, lines: list[str]) -> None:
        super().__init__()
        self._shown_from = shown_from
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one line."""
        self._lines.append(record.getMessage())
        if record.levelno >= self._shown_from:
            logger("polycall").handle(record)


@contextmanager
def _captured() -> Iterator[list[str]]:
    """Collects what guests print and log."""
    guests = logger("polycall.entry")
    lines: list[str] = []
    before = guests.handlers, guests.level, guests.propagate
    guests.handlers, guests.propagate = [_Capture(guests.getEffectiveLevel(), lines)], False
    guests.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        guests.handlers, guests.propagate = before[0], before[2]
        guests.setLevel(before[1])
