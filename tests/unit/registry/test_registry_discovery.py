from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from polycall.interop.errors import DeclarationError
from polycall.registry.documents.text_files import MAX_FILE_BYTES, UnreadableError, read_text
from polycall.registry.reading.discovery import discover
from polycall.registry.reading.load import load_index

ENTRY = "namespace: app\nname: {}\nkind: registry.entry\n"


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ENTRY.format(path.stem.strip("_")), encoding="utf-8")


def found(folder: Path, **environment: str) -> list[str]:
    files, problems = discover(folder.resolve(), environment)
    assert not problems
    return [file.name for file in files]


def problem(folder: Path) -> str:
    _files, problems = discover(folder.resolve(), {})
    assert len(problems) == 1
    return str(problems[0])


def test_yaml_yml_and_json_are_found_at_any_depth_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "b.yml", "a/z.json", "a/b/c.yaml", "_index.yaml", "a.yaml", "notes.txt", "a/b.lua")
    assert found(tmp_path) == ["_index.yaml", "a/b/c.yaml", "a/z.json", "a.yaml", "b.yml"]


def test_dot_folders_and_node_modules_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, ".git/a.yaml", ".wippy/b.yaml", "node_modules/c.json", "x/node_modules/d.json", "x/ok.yaml")
    assert found(tmp_path) == ["x/ok.yaml"]


def test_a_folder_that_is_no_project_is_not_searched_for_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, *(f"{folder}/{number}.yaml" for folder in "abc" for number in range(4)))
    monkeypatch.setattr("polycall.registry.reading.discovery._MOST_MEMBERS", 15)
    assert len(found(tmp_path)) == 12
    monkeypatch.setattr("polycall.registry.reading.discovery._MOST_MEMBERS", 9)
    assert problem(tmp_path) == (
        ".:1:1: there are more than 9 files and folders: is this a project? "
        "(name its folder with -C, or that of its sources in wippy.lock)"
    )


def test_virtual_environments_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "venv/lib/a.yaml", "a.yaml")
    (tmp_path / "venv/pyvenv.cfg").touch()
    assert found(tmp_path) == ["a.yaml"]


def test_test_folders_are_left_out_by_environment(tmp_path: Path) -> None:
    write(tmp_path, "temporal/a.yaml", "sqs/b.yaml", "network/c.yaml", "mine/d.yaml", "cloudstorage/e.yaml")
    assert len(found(tmp_path)) == 5
    assert found(tmp_path, SKIP_TEMPORAL_TESTS="1", SKIP_SQS_TESTS="1") == [
        "cloudstorage/e.yaml",
        "mine/d.yaml",
        "network/c.yaml",
    ]
    assert found(tmp_path, SKIP_TEST_DIRS=" mine, network ,,cloudstorage") == ["sqs/b.yaml", "temporal/a.yaml"]


def test_links_inside_the_folder_are_followed_and_no_file_comes_twice(tmp_path: Path) -> None:
    write(tmp_path, "z/real.yaml", ".hidden/kept.yaml")
    (tmp_path / "a.yaml").symlink_to(tmp_path / "z/real.yaml")
    (tmp_path / "again").symlink_to(tmp_path / "z")
    (tmp_path / "z/circle").symlink_to(tmp_path)
    (tmp_path / "shown").symlink_to(tmp_path / ".hidden")
    assert found(tmp_path) == [".hidden/kept.yaml", "z/real.yaml"]


def test_a_link_out_of_the_folder_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, "outside/secret.yaml", "project/ok.yaml")
    (tmp_path / "project/link.yaml").symlink_to(tmp_path / "outside/secret.yaml")
    assert problem(tmp_path / "project").startswith("link.yaml:1:1: this symbolic link leads out of the folder .")
    (tmp_path / "project/link.yaml").unlink()
    (tmp_path / "project/folder").symlink_to(tmp_path / "outside")
    assert problem(tmp_path / "project").startswith("folder:1:1: this symbolic link leads out")


def test_links_that_do_not_matter_are_no_problem(tmp_path: Path) -> None:
    write(tmp_path, "outside/data.yaml", "project/ok.yaml")
    (tmp_path / "outside/data.txt").write_text("x")
    (tmp_path / "project/data.txt").symlink_to(tmp_path / "outside/data.txt")
    (tmp_path / "project/.venv").symlink_to(tmp_path / "outside")
    (tmp_path / "project/node_modules").symlink_to(tmp_path / "outside")
    assert found(tmp_path / "project") == ["ok.yaml"]


def test_a_link_to_nothing_and_a_link_to_itself_are_problems(tmp_path: Path) -> None:
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nothing.yaml")
    assert problem(tmp_path) == "gone.yaml:1:1: this symbolic link points to nothing"
    (tmp_path / "gone.yaml").unlink()
    (tmp_path / "self.yaml").symlink_to(tmp_path / "self.yaml")
    assert "self.yaml:1:1: " in problem(tmp_path)


def test_a_pipe_named_like_an_entry_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    write(tmp_path, "ok.yaml")
    assert found(tmp_path) == ["ok.yaml"]
    with pytest.raises(UnreadableError, match="no regular file"):
        read_text(tmp_path / "pipe.yaml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, "locked/a.yaml")
    (tmp_path / "locked").chmod(0)
    try:
        assert problem(tmp_path) == "locked:1:1: this folder cannot be read: Permission denied"
    finally:
        (tmp_path / "locked").chmod(0o755)


# wippy.lock


def test_a_lock_file_moves_the_sources_to_src(tmp_path: Path) -> None:
    write(tmp_path, "src/a.yaml", "elsewhere/b.yaml", "c.yaml")
    (tmp_path / "wippy.lock").write_text("modules: []\n")
    assert found(tmp_path) == ["src/a.yaml"]
    (tmp_path / "wippy.lock").write_text("directories: {src: ./elsewhere}\n")
    assert found(tmp_path) == ["elsewhere/b.yaml"]


def test_each_unpacked_module_is_a_folder_of_sources_of_its_own(tmp_path: Path) -> None:
    write(
        tmp_path,
        "src/a.yaml",
        ".wippy/vendor/acme/http/m.yaml",
        ".wippy/vendor/acme/sql@v1.2.0/n.yaml",
        ".wippy/x.yaml",
    )
    (tmp_path / "wippy.lock").write_text("")
    files, problems = discover(tmp_path.resolve(), {})
    assert not problems
    root = tmp_path.resolve()
    assert {file.name: file.root for file in files} == {
        "src/a.yaml": root / "src",
        ".wippy/vendor/acme/http/m.yaml": root / ".wippy/vendor/acme/http",
        ".wippy/vendor/acme/sql@v1.2.0/n.yaml": root / ".wippy/vendor/acme/sql@v1.2.0",
    }


def test_a_replacement_takes_the_place_of_its_module(tmp_path: Path) -> None:
    write(tmp_path, "p/src/a.yaml", "p/mods/vendor/acme/sql@v1.2.0/old.yaml", "local/new.yaml")
    (tmp_path / "p/wippy.lock").write_text(
        "directories: {modules: mods}\nreplacements:\n  - from: acme/sql\n    to: ../local\n"
    )
    assert found(tmp_path / "p") == ["../local/new.yaml", "src/a.yaml"]


def test_sources_that_hold_their_modules_give_them_up(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "mods/vendor/acme/sql/b.yaml")
    (tmp_path / "wippy.lock").write_text("directories: {src: ., modules: mods}\n")
    files, _problems = discover(tmp_path.resolve(), {})
    assert [(file.name, file.root.name) for file in files][1] == ("mods/vendor/acme/sql/b.yaml", "sql")


@pytest.mark.parametrize("content", [b"directories: [", b"\xff\xff", b"- a\n"])
def test_a_broken_lock_file_is_a_problem_and_not_a_crash(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "wippy.lock").write_bytes(content)
    _files, problems = discover(tmp_path.resolve(), {})
    assert problems
    assert problems[0].file == "wippy.lock"


# Files that cannot be read


def load_problem(folder: Path) -> str:
    with pytest.raises(DeclarationError) as caught:
        load_index(folder)
    assert len(caught.value.problems) == 1
    return str(caught.value.problems[0])


def test_a_file_of_a_hundred_megabytes_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "_index.yaml").open("wb") as file:
        file.truncate(100_000_000)
    assert load_problem(tmp_path).startswith(
        "_index.yaml:1:1: the file has 100,000,000 bytes; expected at most 8,388,608"
    )


def test_a_file_just_within_the_bound_is_read(tmp_path: Path) -> None:
    path = tmp_path / "_index.yaml"
    path.write_text(ENTRY.format("x") + "#" * (MAX_FILE_BYTES - len(ENTRY.format("x"))))
    assert path.stat().st_size == MAX_FILE_BYTES
    assert len(load_index(tmp_path)) == 1


def test_invalid_utf_8_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "_index.yaml").write_bytes("namespace: app\nname: é".encode() + b"\xffx\nkind: registry.entry\n")
    assert load_problem(tmp_path) == "_index.yaml:2:8: the file is not UTF-8 text: byte 0xff (save it as UTF-8)"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_with_a_byte_order_mark_is_recognised(tmp_path: Path, encoding: str) -> None:
    text = ENTRY.format("x") if encoding == "utf-16" else "\ufeff" + ENTRY.format("x")
    (tmp_path / "_index.yaml").write_bytes(text.encode(encoding))
    assert "is UTF-16 text; expected UTF-8" in load_problem(tmp_path)


def test_a_utf_8_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "_index.yaml").write_bytes(codecs.BOM_UTF8 + ENTRY.format("x").replace("\n", "\r\n").encode())
    assert [str(entry.id) for entry in load_index(tmp_path)] == ["app:x"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, "_index.yaml")
    (tmp_path / "_index.yaml").chmod(0)
    assert load_problem(tmp_path) == "_index.yaml:1:1: the file cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("values.yaml", b"metadata:\n  namespace: prod\n---\nx: {{ .Values.x }}\n"),
        ("tsconfig.json", b'{\n  // comment\n  "compilerOptions": {"reactNamespace": "x",},\n}\n'),
        ("helm.yaml", b"{{- if .Values.x }}\nkind: x\nmetadata:\n  namespace: {{ .Release.Namespace }}\n{{- end }}\n"),
        ("latin.yaml", b"title: caf\xe9\n"),
        ("list.yaml", b"- namespace: app\n"),
        ("number.json", b"5"),
        ("empty.yaml", b""),
        ("tagged.yaml", b"entries: []\nx: !Ref y\nmap: {1: 2}\n"),
    ],
)
def test_a_foreign_file_without_a_namespace_at_its_top_does_no_harm(tmp_path: Path, name: str, content: bytes) -> None:
    write(tmp_path, "_index.yaml")
    (tmp_path / name).write_bytes(content)
    index = load_index(tmp_path)
    assert len(index) == 1
    assert not index.warnings


@pytest.mark.parametrize("top", ["", '{"items": [{"namespace": "prod"}], "x": "namespace"', "x:\n  namespace: prod\n"])
def test_a_large_foreign_file_is_ignored_with_a_warning(tmp_path: Path, top: str) -> None:
    write(tmp_path, "_index.yaml")
    (tmp_path / "large.json").write_text(top + MAX_FILE_BYTES * " " + "\n")
    index = load_index(tmp_path)
    assert len(index) == 1
    assert [warning.file for warning in index.warnings] == ["large.json"]
    assert "so it is ignored" in index.warnings[0].message


@pytest.mark.parametrize("top", ['{"meta": {}, "namespace": "app"', "version: 1\nnamespace: app\n"])
def test_a_large_file_with_a_namespace_at_its_top_is_a_problem(tmp_path: Path, top: str) -> None:
    (tmp_path / "large.yaml").write_text(top + MAX_FILE_BYTES * " " + "\n")
    assert "expected at most 8,388,608" in load_problem(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_foreign_utf_16_is_ignored(tmp_path: Path, encoding: str) -> None:
    write(tmp_path, "_index.yaml")
    bom = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else codecs.BOM_UTF16_BE
    (tmp_path / "settings.json").write_bytes(bom + '{"a": {"namespace": 1}}'.encode(encoding))
    assert len(load_index(tmp_path)) == 1


def test_a_link_over_thousands_of_others_is_reported(tmp_path: Path) -> None:
    links = tmp_path / ".links"  # which are not looked at by themselves
    links.mkdir()
    for number in range(2000):
        (links / f"{number}").symlink_to(f"{number + 1}")
    (tmp_path / "far.yaml").symlink_to(".links/0")
    assert problem(tmp_path).startswith("far.yaml:1:1: this symbolic link ")
