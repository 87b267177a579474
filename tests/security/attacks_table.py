"""Writes `docs/attacks.md` from what the tests of this folder say: ``python tests/security/attacks_table.py``.

Each row is noted on the test that makes the attempt (see `tests/attacks.py`), so a test that goes takes its row along.
"""

from __future__ import annotations

import re
import runpy
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]

from attacks import Attack  # noqa: E402 - after the path to it is set

DOCUMENT = REPOSITORY / "docs" / "attacks.md"
_HEAD = """# Attacks

What the tests in `tests/security` attempt, and how each attempt ends. `make test` runs them, and fails if this page
does not say what they say (`python tests/security/attacks_table.py` writes it). Each attempt has a control, its honest
twin, which must work. The attempts run in the process of the tests itself (the deepest chain in one of its own): had
one of them ended it, there would be no result.
[SECURITY.md](../SECURITY.md) says what is promised.

"""


def collect() -> list[Attack]:
    """Returns the rows of all tests, in the order of the files and of the tests in them."""
    found: list[Attack] = []
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for name, value in runpy.run_path(str(path)).items():
            if name.startswith("test_"):
                found += getattr(value, "attacks", ())
    return found


def page(rows: Sequence[Attack]) -> str:
    """Returns the document."""
    counts = Counter(row.language for row in rows)
    total = ", ".join(f"{count} {language}" for language, count in counts.items())
    lines = [f"{len(rows)} attempts: {total}.", "", "| attempt | language | result | control |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return _HEAD + "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    one_line = re.sub(r"\s+", " ", text).strip()
    return one_line.replace("|", "\\|")


if __name__ == "__main__":
    DOCUMENT.write_text(page(collect()), encoding="utf-8")
