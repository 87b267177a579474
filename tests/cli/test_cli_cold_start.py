"""What a command loads before it does anything: most of the time of a short one goes into that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from projects import write_project

INDEX = """
namespace: app
entries:
  - {name: greet, kind: function.lua, method: f, source: "return { f = function(name) return 'Hello, ' .. name end }"}
  - {name: add, kind: function.wat, method: f, source: '(module (func (export "f")))', wit: "f: func()"}
"""

FOREIGN = {
    "call": "click, yaml, lupa.lua54, contextlib, contextvars, dataclasses, json, math, pathlib, queue",
    "list": "click, yaml, contextlib, contextvars, dataclasses, math, pathlib, queue",
}
"""What is not ours, and what that loads."""

MOST = {"call": 123, "list": 97}
"""Modules of ours. Each takes a tenth of a millisecond at least: who adds one looks for one that can wait."""


def loaded(tmp_path: Path, script: str) -> set[str]:
    show = "import sys; print(*[name for name in sys.modules if not name.startswith('_')], sep='\\n', file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\n{show}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("command", [("call", "app:greet", '"x"'), ("list",)], ids=["call", "list"])
def test_a_command_loads_what_it_needs_and_no_more(tmp_path: Path, command: tuple[str, ...]) -> None:
    write_project(tmp_path, index=INDEX)
    found = loaded(tmp_path, f"from polycall.registry.cli.main import main\nassert main({[*command]!r}) == 0")
    ours = sorted(name for name in found if name.partition(".")[0] == "polycall")
    assert found - loaded(tmp_path, f"import {FOREIGN[command[0]]}") == set(ours)
    assert len(ours) <= MOST[command[0]], ours
