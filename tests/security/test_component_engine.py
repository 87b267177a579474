"""What a guest may attempt against the engine of components: where the stack of Python ends, or its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from attacks import Attack, attacks
from recursion_limit import WAYS, Way

PROCESS = Path(__file__).parents[1] / "recursion_limit.py"
ERRORS = {
    "DepthError",
    "DeadlineError",
    "InternalError",
    "RecursionError",
    "ArgumentError",
}  # the last: of ctypes, likewise


@pytest.fixture(scope="module")
def outcomes() -> dict[str, tuple[dict[str, int], list[str]]]:
    """What came of the calls, for each way into the engine."""
    done = subprocess.run([sys.executable, str(PROCESS)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return {name: (found, unraisable) for name, found, unraisable in map(json.loads, done.stdout.splitlines())}


@attacks(
    *(
        Attack(
            f"{way.name}, where Python's recursion limit is near",
            "component",
            "an error, or the right value",
            "further away from it, the right value" if not way.is_endless else "further away from it, DeadlineError",
        )
        for way in WAYS
    )
)
@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
def test_no_callback_fails_unseen(outcomes: dict[str, tuple[dict[str, int], list[str]]], way: Way) -> None:
    found, unraisable = outcomes[way.name]
    good = "DeadlineError" if way.is_endless else "its value"
    assert found.keys() <= ERRORS | {good}, found
    assert good in found, "nothing worked, further away"
    assert found.keys() - {good}, "the limit was not met"
    assert unraisable == []
