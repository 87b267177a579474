"""Changed binaries through validation, instantiation and calls, in a process of their own: it must live."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROCESS = Path(__file__).parents[1] / "changed_instances.py"
TIMES = int(os.environ.get("POLYCALL_CHANGED", "400"))


def test_changed_binaries_end_in_an_error_or_a_value() -> None:
    command = [sys.executable, str(PROCESS), "0", str(TIMES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + TIMES, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    found = json.loads(done.stdout)
    assert sum(found.values()) == TIMES
    assert found["refused"] > TIMES // 2
    assert found["called"] > TIMES // 50
