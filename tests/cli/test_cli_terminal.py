from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import on_a_terminal
from projects import write_project

INDEX = """
namespace: app
entries:
  - {name: "[red]x[/red]", kind: function.lua, meta: {comment: says hello, type: test}, method: f,
     source: "return { f = function() return true end }"}
  - {name: broken, kind: function.lua, method: g, source: "return { f = 1 }"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, index=INDEX)


@pytest.mark.parametrize("command", ["list", "check", "test", "doctor"])
def test_a_terminal_gets_colours(project: Path, command: str) -> None:
    shown = on_a_terminal(project, command)
    assert "\x1b[" in shown
    if command in ("list", "test"):
        assert "app:[red]x[/red]" in shown  # an id is never taken for markup


def test_nothing_is_cut_off_where_the_terminal_is_narrow(project: Path) -> None:
    shown = on_a_terminal(project, "list", environment={"COLUMNS": "20"})
    assert "…" not in shown


@pytest.mark.parametrize("columns", ["40", "20"])
def test_an_id_is_never_broken_however_narrow_the_terminal_is(tmp_path: Path, columns: str) -> None:
    names = [f"a-function-with-a-long-name-{number}" for number in range(3)]
    entries = [{"name": name, "kind": "function.lua", "method": "f", "source": "return {}"} for name in names]
    write_project(tmp_path, index=json.dumps({"namespace": "app.of.some.depth", "entries": entries}))
    shown = on_a_terminal(tmp_path, "list", environment={"COLUMNS": columns})
    assert all(f"app.of.some.depth:{name}" in shown for name in names)


@pytest.mark.parametrize("command", ["list", "doctor"])
def test_no_color_is_respected(project: Path, command: str) -> None:
    assert "\x1b" not in on_a_terminal(project, command, environment={"NO_COLOR": "1"})


def test_a_long_check_shows_its_progress_and_leaves_nothing_of_it(project: Path) -> None:
    shown = on_a_terminal(project, "check")
    assert "0/2" in shown or "1/2" in shown or "2/2" in shown
    assert "1 error, 0 warnings" in shown.splitlines()[-1]


def test_no_color_leaves_the_progress_out_as_well(project: Path) -> None:
    shown = on_a_terminal(project, "check", environment={"NO_COLOR": "1"})
    assert "\x1b" not in shown
    assert "1 error, 0 warnings" in shown


def test_a_pipe_gets_plain_text_and_no_rich(project: Path) -> None:
    script = (
        "import sys; from polycall.registry.cli.main import main; "
        f"[main(['-C', {str(project)!r}, command]) for command in ('list', 'check', 'test')]; "
        "sys.exit('rich' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert "\x1b" not in result.stdout + result.stderr
    assert result.stdout.startswith("app:[red]x[/red]  function.lua  says hello\napp:broken        function.lua\n")
