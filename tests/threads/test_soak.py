"""A few seconds of what ``make soak`` does for minutes."""

from __future__ import annotations

import os
import subprocess
import sys

from effort import times
from projects import REPOSITORY


def test_calls_of_every_kind_and_outcome_go_right_amid_reloads_and_killed_workers() -> None:
    # In a process of its own: it counts threads, descriptors and children.
    command = [sys.executable, "-m", "soak", "--seconds", str(times(3, 2)), "--threads", "8"]
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
    run = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.rstrip().endswith("passed")
