"""A confined folder as such, and the walk; tests/security/test_fs_confinement.py tries to get out of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from polycall.interop.confined import ConfinedFolder, Member


@pytest.fixture
def folder(tmp_path: Path) -> ConfinedFolder:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/file").write_text("content")
    (tmp_path / "link").symlink_to("inner/file")
    return ConfinedFolder(tmp_path)


def test_a_file_is_read_up_to_a_bound(folder: ConfinedFolder) -> None:
    assert folder.read("inner/file", 7) == b"content"
    with pytest.raises(OSError, match="more than 6 bytes") as caught:
        folder.read("inner/file", 6)
    assert caught.value.errno == errno.EFBIG


def test_truncating_happens_only_to_a_regular_file(folder: ConfinedFolder) -> None:
    os.mkfifo(folder.folder / "pipe")
    for name in ("pipe", "inner"):
        with pytest.raises(OSError, match=r"no regular file|Is a directory"):
            folder.open(name, os.O_WRONLY | os.O_TRUNC)
    os.close(folder.open("inner/file", os.O_WRONLY | os.O_TRUNC))
    assert folder.read("inner/file", 10) == b""


def test_a_file_may_have_any_number_of_names(folder: ConfinedFolder) -> None:
    os.link(folder.folder / "inner/file", folder.folder / "second")
    assert folder.read("second", 10) == b"content"
    os.close(folder.open("second", os.O_WRONLY | os.O_TRUNC))
    assert folder.read("inner/file", 10) == b""


def test_the_target_of_a_link_that_ends_in_a_slash_is_a_folder(folder: ConfinedFolder) -> None:
    (folder.folder / "to-file").symlink_to("inner/file/")
    (folder.folder / "to-folder").symlink_to("inner/")
    (folder.folder / "to-new").symlink_to("new/")
    assert folder.read("to-folder/file", 10) == b"content"
    with pytest.raises(NotADirectoryError):
        folder.read("to-file", 10)
    with pytest.raises(FileNotFoundError):
        folder.open("to-new", os.O_WRONLY | os.O_CREAT)


def test_replacing_writes_the_target_of_a_link_and_keeps_permissions(folder: ConfinedFolder) -> None:
    (folder.folder / "inner/file").chmod(0o640)
    folder.replace("link", b"new", 0o600)
    assert (folder.folder / "link").is_symlink()
    assert (folder.folder / "inner/file").read_bytes() == b"new"
    assert (folder.folder / "inner/file").stat().st_mode & 0o777 == 0o640
    folder.replace("inner/other", b"", 0o604)
    assert (folder.folder / "inner/other").stat().st_mode & 0o777 == 0o604
    assert {path.name for path in (folder.folder / "inner").iterdir()} == {"file", "other"}


def test_a_failed_replacement_leaves_nothing_behind(folder: ConfinedFolder) -> None:
    with pytest.raises(IsADirectoryError):
        folder.replace("inner", b"new", 0o600)
    assert sorted(path.name for path in folder.folder.iterdir()) == ["inner", "link"]


def test_members_are_sorted_and_bounded(folder: ConfinedFolder) -> None:
    assert folder.members("", 2) == [Member("inner", True), Member("link", False)]
    with pytest.raises(OSError, match="more than 1 names"):
        folder.members("/", 1)
    with pytest.raises(NotADirectoryError):
        folder.members("inner/file", 1)


def test_no_descriptor_stays_open(folder: ConfinedFolder) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    for path in ("link", "inner/../link", "inner/no", "..", "link/x", "inner/" * 100):
        try:
            folder.read(path, 100)
        except OSError:
            continue
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_the_folder_itself_may_be_reached_through_a_link(folder: ConfinedFolder, tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to(folder.folder.resolve() / "inner/file")
    (tmp_path / "alias").symlink_to(tmp_path)
    assert ConfinedFolder(tmp_path / "alias").read("absolute", 10) == b"content"


def test_a_path_has_at_most_so_many_bytes_folders_and_links(folder: ConfinedFolder) -> None:
    deepest = folder.folder
    for _ in range(64):
        deepest /= "d"
        deepest.mkdir()
    (deepest / "file").write_text("deep")
    assert folder.read("d/" * 64 + "file", 9) == b"deep"
    (deepest / "d").mkdir()
    with pytest.raises(OSError, match="more than 64 folders deep"):
        folder.read("d/" * 65 + "file", 9)

    (folder.folder / "l1").symlink_to("inner/file")
    for number in range(2, 42):
        (folder.folder / f"l{number}").symlink_to(f"l{number - 1}")
    assert folder.read("l40", 9) == b"content"
    with pytest.raises(OSError, match="symbolic links") as caught:
        folder.read("l41", 9)
    assert caught.value.errno == errno.ELOOP

    longest = "/".join(["."] * 2043) + "/inner/file"
    assert len(longest) == 4096
    assert folder.read(longest, 9) == b"content"
    with pytest.raises(OSError, match="too long") as caught:
        folder.read(longest + "/", 9)
    assert caught.value.errno == errno.ENAMETOOLONG
