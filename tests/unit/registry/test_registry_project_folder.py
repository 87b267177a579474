from __future__ import annotations

import os
from pathlib import Path

import pytest

from polycall.interop.errors import NotFoundError
from polycall.registry.reading.load import load_index
from polycall.registry.reading.project_folder import find_project

INDEX = "namespace: app\nentries:\n  - {name: x, kind: registry.entry}\n"


def refused(folder: Path) -> str:
    with pytest.raises(NotFoundError, match="is no project: it has neither") as caught:
        load_index(folder)
    assert caught.value.hint is not None
    return caught.value.hint


@pytest.mark.parametrize("mark", ["polycall.yaml", "wippy.lock"])
def test_the_nearest_marked_folder_above_is_the_project(tmp_path: Path, mark: str) -> None:
    below = tmp_path / "outer" / "inner" / "deep"
    below.mkdir(parents=True)
    assert find_project(below) == below
    (tmp_path / "outer" / mark).touch()
    assert find_project(below) == tmp_path / "outer"
    (tmp_path / "outer" / "inner" / mark).touch()
    assert find_project(below) == tmp_path / "outer" / "inner"
    assert find_project(Path(tmp_path / "outer")) == tmp_path / "outer"


def test_entries_alone_do_not_make_a_folder_the_project_of_those_below(tmp_path: Path) -> None:
    (tmp_path / "_index.yaml").write_text(INDEX)
    (tmp_path / "below").mkdir()
    assert find_project(tmp_path / "below") == tmp_path / "below"
    assert refused(tmp_path / "below") == f"is it {tmp_path}? Go there, or put an empty polycall.yaml there"
    (tmp_path / "polycall.yaml").touch()
    assert find_project(tmp_path / "below") == tmp_path
    assert refused(tmp_path / "below") == f"is it {tmp_path}?"  # who names a folder means that one


def test_a_mark_above_of_another_user_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "below"
    below.mkdir()
    (tmp_path / "polycall.yaml").touch()
    owner = 1 if os.getuid() == 0 else os.getuid()
    os.chown(tmp_path / "polycall.yaml", owner, -1)
    monkeypatch.setattr(os, "getuid", lambda: owner)
    assert find_project(below) == tmp_path
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert find_project(below) == below


def test_a_folder_that_is_no_project_is_refused_and_not_looked_through(tmp_path: Path) -> None:
    assert refused(tmp_path) == "polycall init makes one; an empty polycall.yaml makes this folder one"
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "_index.yaml").write_text("namespace: [wrong\n")
    (tmp_path / "foreign.yaml").write_text("a: 1\n")
    assert refused(tmp_path) == "is it shop? polycall -C shop names it"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("polycall.yaml", ""),
        ("_index.yaml", ""),
        ("other.json", '{"namespace": "app", "entries": []}'),
        ("misspelt.yaml", "namspace: app\nentries: [{name: x, kind: registry.entry}]\n"),
    ],
)
def test_what_makes_a_folder_a_project(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert len(load_index(tmp_path)) == 0


def test_with_a_mark_the_entries_may_lie_below(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "_index.yaml").write_text(INDEX)
    refused(tmp_path)
    (tmp_path / "polycall.yaml").touch()
    assert len(load_index(tmp_path)) == 1
