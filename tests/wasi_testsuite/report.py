"""What a run of the suite comes to: a table with the reason of every failure, and a line that counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["FAILED", "NOT_YET", "PASSED", "Outcome", "counted", "table"]

PASSED, FAILED, NOT_YET = "passed", "failed", "not yet"


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        name: The case's.
        outcome: ``passed``, ``failed`` or ``not yet``.
        why: Of all but the first, the reason.
        known: Whether a failure is none of polycall's.
    """

    name: str
    outcome: str
    why: str = ""
    known: bool = False


def table(outcomes: Iterable[Outcome]) -> str:
    """Returns a table of what passed and failed."""
    lines = [
        "| test | outcome | reason |",
        "|---|---|---|",
        *(f"| {each.name} | {each.outcome} | {each.why.replace('|', '/')} |" for each in outcomes),
    ]
    return "\n".join(lines)


def counted(outcomes: Iterable[Outcome]) -> str:
    """Returns ``passed N, failed N, not yet N of N``."""
    counts = Counter(each.outcome for each in outcomes)
    return f"{PASSED} {counts[PASSED]}, {FAILED} {counts[FAILED]}, {NOT_YET} {counts[NOT_YET]} of {counts.total()}"
