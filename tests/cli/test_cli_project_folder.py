from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import run
from projects import REPOSITORY, write_project


def test_a_command_finds_the_project_that_it_is_called_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "shop"
    assert run(capsys, "init", str(project)).code == 0
    (project / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "er")
    assert run(capsys, "call", "app:greet", "--string", "Ana").out == "Hello, Ana!\n"
    monkeypatch.chdir(tmp_path)
    done = run(capsys, "list")
    assert (done.code, done.out) == (4, "")
    assert done.err == (
        f"error: {tmp_path} is no project: it has neither polycall.yaml nor wippy.lock, and no entry file at its top\n"
        "hint: is it shop? polycall -C shop names it\n"
    )
    assert run(capsys, "-C", "shop", "list", "--kind", "function.wat").code == 0


def test_a_folder_that_is_named_is_the_project_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "polycall.yaml").touch()
    (tmp_path / "inner").mkdir()
    write_project(tmp_path / "inner", index="namespace: app\nentries: [{name: x, kind: registry.entry}]\n")
    assert run(capsys, "-C", str(tmp_path / "inner"), "list").out == "app:x  registry.entry\n"
    (tmp_path / "inner" / "_index.yaml").unlink()
    assert run(capsys, "-C", str(tmp_path / "inner"), "list").code == 4


def test_a_clone_of_polycall_is_refused_in_two_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    done = run(capsys, "list")
    assert done.code == 4
    assert len(done.err.splitlines()) == 2


def test_init_makes_a_project_with_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "init", str(tmp_path / "shop"))
    shown = json.loads(run(capsys, "-C", str(tmp_path / "shop"), "show", "app:greet", "--json").out)
    assert shown["limits"] == {
        "max_execution_ms": 10000,
        "max_memory_bytes": 268435456,
        "max_output_bytes": None,
    }


def test_more_than_twenty_problems_are_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = "".join(f"  - {{name: f{number}, kind: function.lua, metod: f}}\n" for number in range(15))
    write_project(tmp_path, index=f"namespace: app\nentries:\n{wrong}", more_yaml=f"namespace: b\nentries:\n{wrong}")
    done = run(capsys, "-C", str(tmp_path), "list")
    assert done.err.splitlines()[0] == "error: 60 problems in the declarations:"
    assert done.err.splitlines()[21:] == ["  ... and 40 more, in 2 files", "hint: polycall check --all lists them"]
    lines = run(capsys, "-C", str(tmp_path), "check").out.splitlines()
    assert lines[20:] == ["... and 40 more, in 2 files (--all shows them)", "60 errors, 0 warnings"]
    assert len(run(capsys, "-C", str(tmp_path), "check", "--all").out.splitlines()) == 61
    assert len(json.loads(run(capsys, "-C", str(tmp_path), "check", "--json").out)) == 60


def test_no_error_is_hidden_behind_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = "".join(f"  - {{name: a{number}, kind: my.own.kind}}\n" for number in range(30))
    write_project(tmp_path, index=f"namespace: app\nentries:\n{odd}  - {{name: z, kind: functon.lua}}\n")
    lines = run(capsys, "-C", str(tmp_path), "check").out.splitlines()
    assert lines[0].startswith("_index.yaml:33:21: error: ")
    assert lines[20:] == ["... and 11 more, in 1 file (--all shows them)", "1 error, 30 warnings"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("namespace: app\nentries: []\n", None),
        ("namespace: app\nentries: [{name: x, kind: functon.lua}]\n", 'unknown kind "functon.lua"; '),
        ("namspace: app\nentries: [{name: x, kind: registry.entry}]\n", '"namspace" may be meant'),
        ("", "there are no entries"),
    ],
)
def test_check_of_nothing_or_of_a_misspelling_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str | None
) -> None:
    write_project(tmp_path, index=text)
    done = run(capsys, "-C", str(tmp_path), "check")
    assert done.code == (1 if message else 0)
    assert (message or "no problems") in done.out


def test_strict_makes_every_warning_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(tmp_path, index="namespace: app\nentries: [{name: x, kind: my.own.kind}]\n")
    assert run(capsys, "-C", str(tmp_path), "check").code == 0
    done = run(capsys, "-C", str(tmp_path), "check", "--strict")
    assert (done.code, done.out.splitlines()[-1]) == (1, "1 error, 0 warnings")
