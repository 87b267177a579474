"""What a run of the suite comes to: a table with the reason of every failure, and one line at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["FAILED", "NOT_YET", "PASSED", "Outcome", "report"]

PASSED, FAILED, NOT_YET = "passed", "failed", "not yet"


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        name: The case's.
        outcome: ``passed``, ``failed`` or ``not yet``.
        why: Of all but the first, the reason.
    """

    name: str
    outcome: str
    why: str = ""


def report(outcomes: Iterable[Outcome]) -> str:
    """Returns the report, its last line ``passed N, failed N, not yet N of N``."""
    found = list(outcomes)
    counts = Counter(each.outcome for each in found)
    shown = [each for each in found if each.outcome != NOT_YET]
    later = Counter(each.why for each in found if each.outcome == NOT_YET)
    lines = [
        "| test | outcome | reason |",
        "|---|---|---|",
        *(f"| {each.name} | {each.outcome} | {each.why.replace('|', '/')} |" for each in shown),
        "",
        *(f"{NOT_YET} {count}: {why}" for why, count in later.items()),
        f"{PASSED} {counts[PASSED]}, {FAILED} {counts[FAILED]}, {NOT_YET} {counts[NOT_YET]} of {len(found)}",
    ]
    return "\n".join(lines)
