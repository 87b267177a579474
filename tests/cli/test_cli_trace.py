from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from observed_project import observed_project


def polycall(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "polycall", "-C", str(project), *arguments],
        capture_output=True, check=False, timeout=60, encoding="utf-8", env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip


def test_trace_prints_the_tree_to_stderr_and_leaves_stdout_alone(tmp_path: Path) -> None:
    result = polycall(observed_project(tmp_path), "call", "--trace", "app:ask", '"app:relay"', '"app:same"', '"hi"')
    assert (result.returncode, result.stdout) == (0, '{\n  "ok": "hi"\n}\n')
    assert re.sub(r" +\d+\.\d{3} ms +", " * ", result.stderr).splitlines() == [
        "app:ask (lua) * (text of 9 bytes, text of 8 bytes, text of 2 bytes) -> record of 1 field",
        "└─ app:relay (wasm) * (text of 8 bytes, text of 2 bytes) -> record of 1 field",
        "   └─ app:same (lua) * (text of 2 bytes) -> text of 2 bytes",
    ]


def test_a_failed_call_is_traced_before_its_error_is_shown(tmp_path: Path) -> None:
    result = polycall(observed_project(tmp_path), "call", "app:ask", '"app:fail"', '"x"', "--trace")
    assert (result.returncode, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert lines[0] == "WARNING polycall.entry.app:fail: going to fail"
    assert lines[1].startswith("app:ask (lua) ")
    assert lines[1].endswith("-> error guest_error")
    assert lines[2].startswith("└─ app:fail (lua) ")
    assert lines[3] == "error: app:ask (lua) -> app:fail (lua): refused x"


def test_the_log_of_calls_is_shown_on_request(tmp_path: Path) -> None:
    result = polycall(observed_project(tmp_path), "-vv", "call", "app:same", "1")
    assert re.search(r"^DEBUG polycall\.call: app:same \(lua\): ok, \d+\.\d{3} ms$", result.stderr, re.MULTILINE)
