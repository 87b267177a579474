from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import run
from projects import write_project

INDEX = """
namespace: app.x
entries:
  - {name: greet, kind: registry.entry}
  - {name: group, kind: registry.entry}
  - {name: other, kind: registry.entry}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, index=INDEX)


def completed(project: Path, *words: str) -> list[str]:
    environment = {
        **os.environ,
        "_POLYCALL_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["polycall", *words]),
        "COMP_CWORD": str(len(words)),
    }
    script = "import sys; sys.argv[0] = 'polycall'; from polycall.registry.cli import main; sys.exit(main())"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert result.stderr == ""
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


@pytest.mark.parametrize("command", ["call", "show", "hash"])
def test_entry_ids_are_completed(project: Path, command: str) -> None:
    assert completed(project, command, "app.x:gr") == ["app.x:greet", "app.x:group"]


def test_the_project_option_says_whose_ids(project: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write_project(tmp_path / "sub", index="namespace: sub\nentries: [{name: one, kind: registry.entry}]")
    assert completed(project, "-C", "sub", "call", "") == ["sub:one"]


def test_a_project_that_does_not_load_completes_to_nothing(tmp_path: Path) -> None:
    write_project(tmp_path, index="namespace: app\nentries: 7")
    assert completed(tmp_path, "call", "") == []


def test_commands_and_options_are_completed(project: Path) -> None:
    assert completed(project, "co") == ["completion"]
    assert completed(project, "hash", "--w") == ["--write"]


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete "), ("zsh", "#compdef polycall"), ("fish", "complete ")]
)
def test_the_script_of_each_shell_is_printed(capsys: pytest.CaptureFixture[str], shell: str, mark: str) -> None:
    done = run(capsys, "completion", shell)
    assert done.code == 0
    assert mark in done.out
    assert "_POLYCALL_COMPLETE" in done.out
    assert run(capsys, "completion", "csh").code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_an_id_behind_its_colon(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "script").write_text(run(capsys, "completion", "bash").out)
    tools = project / "tools"
    tools.mkdir()
    (tools / "polycall").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m polycall "$@"\n')
    (tools / "polycall").chmod(0o755)
    commands = (
        "COMP_WORDBREAKS=' :='; source ./script; echo \"[$COMP_WORDBREAKS]\"; "
        "COMP_WORDS=(polycall call app.x:gr); COMP_CWORD=2; "
        "words=($(complete -p polycall)); ${words[-2]} polycall; echo ${COMPREPLY[@]}"
    )
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        ["bash", "-c", commands], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert result.stdout == "[ =]\napp.x:greet app.x:group\n"
