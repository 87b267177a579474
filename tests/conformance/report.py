"""What a run of the suite comes to: a table by script, what failed, and one line at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["FAILED", "GATED", "PASSED", "Outcome", "report"]

PASSED, FAILED, GATED = "passed", "failed", "gated"


@dataclass(frozen=True)
class Outcome:
    """What became of a command.

    Attributes:
        script: The script's name.
        line: Where the command is.
        kind: What it is.
        outcome: ``passed``, ``failed`` or ``gated``.
        why: Of a failure, what happened; of a gate, what is missing.
    """

    script: str
    line: int
    kind: str
    outcome: str
    why: str = ""


def report(outcomes: Iterable[Outcome]) -> str:
    """Returns the report, its last line ``passed N, failed N, gated N of N``."""
    all_outcomes = list(outcomes)
    by_script: dict[str, Counter[str]] = {}
    for each in all_outcomes:
        by_script.setdefault(each.script, Counter())[each.outcome] += 1
    total = Counter(each.outcome for each in all_outcomes)
    gates = Counter(each.why for each in all_outcomes if each.outcome == GATED)
    lines = [
        f"| script | {PASSED} | {FAILED} | {GATED} |",
        "|---|---:|---:|---:|",
        *(f"| {name} | {found[PASSED]} | {found[FAILED]} | {found[GATED]} |" for name, found in by_script.items()),
        "",
        *(f"gated {count}: {why}" for why, count in gates.most_common()),
        *(
            f"FAILED {each.script}:{each.line} {each.kind}: {each.why}"
            for each in all_outcomes
            if each.outcome == FAILED
        ),
        f"passed {total[PASSED]}, failed {total[FAILED]}, gated {total[GATED]} of {len(all_outcomes)}",
    ]
    return "\n".join(lines)
