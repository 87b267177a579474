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
  - {name: rest, kind: function.wat, method: f, source: '(module (func (export "f")))', wit: "f: func()"}
"""

LISTED = "click, yaml, contextlib, contextvars, dataclasses, math, pathlib, queue"
CALLED = f"{LISTED}, json"
FOREIGN = {
    "lua": f"{CALLED}, lupa.lua54",
    "wasm": f"{CALLED}, wasmtime, wasmtime._ffi, hashlib, ipaddress, mmap, pickle, select, signal",
    "list": LISTED,
}
"""What is not ours, and what that loads."""

MOST = {"lua": 123, "wasm": 202, "list": 97}
"""Modules of ours. Each takes a tenth of a millisecond at least: who adds one looks for one that can wait."""


def loaded(tmp_path: Path, script: str) -> set[str]:
    show = "import sys; print(*[name for name in sys.modules if not name.startswith('_')], sep='\\n', file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\n{show}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


COMMANDS = {"lua": ["call", "app:greet", '"x"'], "wasm": ["call", "app:rest"], "list": ["list"]}


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_loads_what_it_needs_and_no_more(tmp_path: Path, kind: str) -> None:
    write_project(tmp_path, index=INDEX)
    command = f"from polycall.registry.cli.main import main\nassert main({COMMANDS[kind]!r}) == 0"
    if kind == "wasm":
        loaded(tmp_path, command)  # the first call compiles, and writes down what it has found out
    found = loaded(tmp_path, command)
    ours = sorted(name for name in found if name.partition(".")[0] == "polycall")
    assert found - loaded(tmp_path, f"import {FOREIGN[kind]}") == set(ours)
    assert len(ours) <= MOST[kind], ours
