from __future__ import annotations

from pathlib import Path

import pytest

from polycall.interop.confined import ConfinedFolder
from polycall.interop.errors import NotFoundError, PreparationError
from polycall.interop.ids import EntryId
from polycall.registry.reading.load import load_index
from polycall.registry.services.filesystems import FileSystems

FILES = EntryId("app", "files")


def file_systems(folder: Path, keys: str = "directory: data") -> FileSystems:
    (folder / "_index.yaml").write_text(
        f"namespace: app\nentries:\n  - {{name: files, kind: fs.directory, {keys}}}\n"
        "  - {name: x, kind: registry.entry}\n"
    )
    return FileSystems(load_index(folder))


@pytest.fixture
def files(tmp_path: Path) -> ConfinedFolder:
    (tmp_path / "data/inner").mkdir(parents=True)
    (tmp_path / "data/price.wasm").write_bytes(b"")
    (tmp_path / "data/inner/tax.wasm").write_bytes(b"")
    (tmp_path / "secret").write_text("")
    return file_systems(tmp_path).folder("app:files")


def test_a_relative_folder_starts_at_the_project(tmp_path: Path, files: ConfinedFolder) -> None:
    assert files.folder == (tmp_path / "data").resolve()


def test_an_absolute_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project").mkdir()
    systems = file_systems(tmp_path / "project", f"directory: {tmp_path / 'elsewhere'}")
    assert systems.folder("app:files").folder == (tmp_path / "elsewhere").resolve()


def test_a_folder_of_a_module_starts_at_the_module(tmp_path: Path) -> None:
    module = tmp_path / ".wippy/vendor/acme/tax"
    (module / "data").mkdir(parents=True)
    (tmp_path / "src").mkdir()
    (tmp_path / "wippy.lock").write_text("")
    (module / "_index.yaml").write_text(
        "namespace: acme\nname: files\nkind: fs.directory\ndirectory: data\nbase: module\n"
    )
    assert FileSystems(load_index(tmp_path)).folder("acme:files").folder == (module / "data").resolve()


def test_a_bare_name_belongs_to_the_namespace_given(tmp_path: Path, files: ConfinedFolder) -> None:
    systems = file_systems(tmp_path)
    assert systems.folder("files", "app").folder == files.folder
    with pytest.raises(NotFoundError, match="has no namespace"):
        systems.folder("files")


def test_a_missing_file_is_reported_with_near_names(tmp_path: Path, files: ConfinedFolder) -> None:
    systems = file_systems(tmp_path)
    assert systems.locate(FILES, "/price.wasm").folder == files.folder
    with pytest.raises(NotFoundError) as caught:
        systems.locate(FILES, "/pricing.wasm")
    assert str(caught.value) == 'app:files: the file /pricing.wasm is not there (did you mean "price.wasm"?)'
    with pytest.raises(NotFoundError, match=r"inner is no file"):
        systems.locate(FILES, "inner")
    for path in ("no/such/folder.wasm", "x" * 5000):
        with pytest.raises(NotFoundError, match=r"is not there"):
            systems.locate(FILES, path)


@pytest.mark.parametrize("path", ["../secret", "inner/../../secret", "out"])
def test_a_file_outside_is_not_located(tmp_path: Path, files: ConfinedFolder, path: str) -> None:
    (files.folder / "out").symlink_to(tmp_path / "secret")
    with pytest.raises(PreparationError, match="leads out of the folder") as caught:
        file_systems(tmp_path).locate(FILES, path)
    assert caught.value.kind == "PermissionDenied"


def test_a_missing_folder_is_an_error_unless_it_may_be_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        file_systems(tmp_path).folder("app:files")
    assert str(caught.value) == "app:files: there is no folder data (make it, or declare auto_init: true)"
    assert caught.value.entry_id == "app:files"


@pytest.mark.parametrize(("mode", "made"), [("0755", 0o755), ("640", 0o750), ("0600", 0o700), ("0444", 0o555)])
def test_a_folder_is_made_with_its_mode_and_can_be_entered_where_it_can_be_read(
    tmp_path: Path, mode: str, made: int
) -> None:
    systems = file_systems(tmp_path, f'directory: a/b, auto_init: true, mode: "{mode}"')
    assert systems.folder("app:files").folder.stat().st_mode & 0o777 == made
    assert systems.folder("app:files").folder == (tmp_path / "a/b").resolve()


@pytest.mark.parametrize("directory", ["_index.yaml", "_index.yaml/below", '"a\\0b"', "x" * 5000])
def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, directory: str) -> None:
    systems = file_systems(tmp_path, f"directory: {directory}, auto_init: true")
    with pytest.raises(PreparationError, match="cannot be made"):
        systems.folder("app:files")


def test_only_a_file_system_entry_is_one(tmp_path: Path) -> None:
    systems = file_systems(tmp_path)
    with pytest.raises(PreparationError, match=r"app:x is registry\.entry; expected fs\.directory"):
        systems.folder("app:x")
    with pytest.raises(NotFoundError, match="there is no entry app:file "):
        systems.folder("app:file")
