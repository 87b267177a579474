from __future__ import annotations

from pathlib import Path

import pytest

from interop.errors import NotFoundError, PreparationError
from registry.filesystems import FileSystem, FileSystems
from registry.load import load_index


def file_systems(folder: Path, keys: str = "directory: data") -> FileSystems:
    (folder / "_index.yaml").write_text(
        f"namespace: app\nentries:\n  - {{name: files, kind: fs.directory, {keys}}}\n"
        "  - {name: x, kind: registry.entry}\n"
    )
    return FileSystems(load_index(folder))


@pytest.fixture
def files(tmp_path: Path) -> FileSystem:
    (tmp_path / "data/inner").mkdir(parents=True)
    (tmp_path / "data/price.wasm").write_bytes(b"")
    (tmp_path / "data/inner/tax.wasm").write_bytes(b"")
    (tmp_path / "secret").write_text("")
    return file_systems(tmp_path).get("app:files")


def test_a_relative_folder_starts_at_the_project(tmp_path: Path, files: FileSystem) -> None:
    assert files.folder == (tmp_path / "data").resolve()
    assert files.entry_id == "app:files"


def test_an_absolute_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project").mkdir()
    systems = file_systems(tmp_path / "project", f"directory: {tmp_path / 'elsewhere'}")
    assert systems.get("app:files").folder == (tmp_path / "elsewhere").resolve()


def test_a_folder_of_a_module_starts_at_the_module(tmp_path: Path) -> None:
    module = tmp_path / ".wippy/vendor/acme/tax"
    (module / "data").mkdir(parents=True)
    (tmp_path / "src").mkdir()
    (tmp_path / "wippy.lock").write_text("")
    (module / "_index.yaml").write_text(
        "namespace: acme\nname: files\nkind: fs.directory\ndirectory: data\nbase: module\n"
    )
    assert FileSystems(load_index(tmp_path)).get("acme:files").folder == (module / "data").resolve()


def test_paths_inside_are_found_with_or_without_a_leading_slash(files: FileSystem) -> None:
    for path in ("price.wasm", "/price.wasm", "./price.wasm", "inner/../price.wasm", "//price.wasm"):
        assert files.file(path) == files.folder / "price.wasm"
    assert files.confined("") == files.confined("/") == files.folder
    assert files.confined("new/file") == files.folder / "new/file"


@pytest.mark.parametrize("path", ["../secret", "..", "inner/../../secret", "/../secret", "a\0b"])
def test_a_path_out_of_the_folder_is_refused(files: FileSystem, path: str) -> None:
    with pytest.raises(PreparationError) as caught:
        files.confined(path)
    assert caught.value.kind == "PermissionDenied"


def test_a_sibling_whose_name_begins_alike_is_outside(tmp_path: Path, files: FileSystem) -> None:
    (tmp_path / "database").write_text("")
    with pytest.raises(PreparationError, match="leads out of it"):
        files.confined("../database")


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_followed(tmp_path: Path, files: FileSystem) -> None:
    (files.folder / "out").symlink_to(tmp_path)
    (files.folder / "in").symlink_to(files.folder / "inner")
    assert files.file("in/tax.wasm") == files.folder / "inner/tax.wasm"
    for path in ("out", "out/secret", "in/../out/secret"):
        with pytest.raises(PreparationError, match="is a symbolic link out of it"):
            files.confined(path)


def test_a_missing_file_is_reported_with_near_names(files: FileSystem) -> None:
    with pytest.raises(NotFoundError) as caught:
        files.file("/pricing.wasm")
    assert str(caught.value) == 'app:files: the file /pricing.wasm is not there (did you mean "price.wasm"?)'
    with pytest.raises(NotFoundError, match=r"the file inner is a folder"):
        files.file("inner")
    with pytest.raises(NotFoundError, match=r"is not there$"):
        files.file("no/such/folder.wasm")
    with pytest.raises(NotFoundError, match=r"is not there"):
        files.file("x" * 5000)


def test_a_missing_folder_is_an_error_unless_it_may_be_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        file_systems(tmp_path).get("app:files")
    assert str(caught.value) == "app:files: there is no folder data (make it, or declare auto_init: true)"
    assert caught.value.entry_id == "app:files"


@pytest.mark.parametrize(("mode", "made"), [("0755", 0o755), ("640", 0o750), ("0600", 0o700), ("0444", 0o555)])
def test_a_folder_is_made_with_its_mode_and_can_be_entered_where_it_can_be_read(
    tmp_path: Path, mode: str, made: int
) -> None:
    systems = file_systems(tmp_path, f'directory: a/b, auto_init: true, mode: "{mode}"')
    assert systems.get("app:files").folder.stat().st_mode & 0o777 == made
    assert systems.get("app:files").folder == (tmp_path / "a/b").resolve()


@pytest.mark.parametrize("directory", ["_index.yaml", "_index.yaml/below", '"a\\0b"', "x" * 5000])
def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, directory: str) -> None:
    systems = file_systems(tmp_path, f"directory: {directory}, auto_init: true")
    with pytest.raises(PreparationError, match="cannot be made"):
        systems.get("app:files")


def test_only_a_file_system_entry_is_one(tmp_path: Path) -> None:
    systems = file_systems(tmp_path)
    with pytest.raises(PreparationError, match=r"app:x is registry\.entry; expected fs\.directory"):
        systems.get("app:x")
    with pytest.raises(NotFoundError, match="there is no entry app:file "):
        systems.get("app:file")


def test_a_file_is_located_by_the_id_of_its_file_system(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.wasm").write_bytes(b"")
    assert file_systems(tmp_path).locate("app:files", "/a.wasm") == (tmp_path / "data/a.wasm").resolve()
