"""What would end the process if nobody checked it: each is violated once, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from attacks import Attack, attacks
from component_checks import CASES, Case

PROCESS = Path(__file__).parents[1] / "component_checks.py"
CONTROL = "done right, it gives its value"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, object]]:
    """What became of each case; those behind one that ended the process are missing."""
    command = [sys.executable, str(PROCESS), str(tmp_path_factory.mktemp("cache"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = {name: (attempt, control) for name, attempt, control in map(json.loads, done.stdout.splitlines())}
    if len(found) == len(CASES):
        assert done.returncode == 0, done.stderr
    return found


@attacks(*(Attack(each.name, "component", each.expected, CONTROL) for each in CASES))
@pytest.mark.parametrize("case", CASES, ids=[each.name for each in CASES])
def test_what_would_end_the_process_is_an_error(outcomes: dict[str, tuple[str, object]], case: Case) -> None:
    assert case.name in outcomes, "this case, or one before it, has ended the process"
    attempt, control = outcomes[case.name]
    assert attempt.partition(":")[0] == case.expected, attempt
    assert "guest.wat:" not in attempt, "the text of the attempt is wrong"
    assert control is True, control


def test_names_are_told_apart() -> None:
    assert len({each.name for each in CASES}) == len(CASES)
