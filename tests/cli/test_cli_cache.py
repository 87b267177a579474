"""polycall cache: what is kept, and an end to it."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest

from commands import run
from polycall.interop.slow_work import SLOW_LOG
from polycall.registry.cli.logs import configure_logging
from projects import write_project

INDEX = """
namespace: app
entries:
  - {name: f, kind: function.wat, method: f, wit: "f: func() -> s32",
     source: '(module (func (export "f") (result i32) (i32.const 7)))'}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYCALL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def project(tmp_path: Path) -> str:
    (tmp_path / "project").mkdir()
    return str(write_project(tmp_path / "project", index=INDEX, polycall_yaml="max_cache_bytes: 20971520"))


def test_it_shows_what_is_kept_and_empties_it(folder: Path, project: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "-C", project, "call", "app:f").out == "7\n"
    (folder / "mine.txt").touch()
    assert (
        run(capsys, "-C", project, "cache").out == f"folder  {folder}\nfiles   1\nsize    0.0 MiB, at most 20.0 MiB\n"
    )
    done = run(capsys, "-C", project, "cache", "--clear")
    assert (done.code, done.out) == (0, f"removed 1 files, 0.0 MiB, from {folder}\n")
    assert [file.name for file in folder.iterdir()] == ["mine.txt"]
    assert run(capsys, "-C", project, "call", "app:f").out == "7\n"


def test_json_has_bytes(folder: Path, project: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "-C", project, "call", "app:f")
    (file,) = folder.iterdir()
    shown = json.loads(run(capsys, "-C", project, "cache", "--json").out)
    expected = {"folder": str(folder), "files": 1, "bytes": file.stat().st_size, "max_bytes": 20971520}
    assert shown == {**expected, "cleared": False}
    assert json.loads(run(capsys, "-C", project, "cache", "--json", "--clear").out) == {**expected, "cleared": True}


def test_no_project_is_needed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "-C", str(tmp_path), "cache").out.endswith("files   0\nsize    0.0 MiB, at most 1024.0 MiB\n")
    assert run(capsys, "-C", str(tmp_path), "cache", "--clear").code == 0
    assert not folder.exists()


@pytest.mark.usefixtures("folder")
def test_settings_that_are_wrong_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "polycall.yaml").write_text("max_cache_bytes: -1\n", encoding="utf-8")
    done = run(capsys, "-C", str(tmp_path), "cache")
    assert done.code != 0
    assert "polycall.yaml:1:18" in done.err
    assert "max_cache_bytes" in done.err


def test_a_folder_that_is_none_is_told(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.write_text("a file")
    for options in ([], ["--clear"]):
        done = run(capsys, "-C", str(tmp_path), "cache", *options)
        assert done.code != 0
        assert str(folder) in done.err
    assert folder.read_text() == "a file"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_is_told_what_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    configure_logging(0)
    logging.getLogger(SLOW_LOG).info("%s", "it takes a while")
    assert capsys.readouterr().err == ("it takes a while\n" if terminal else "")
