"""An open folder as such; tests/security/test_wasi_files.py tries to get out, tests/wasi compares with wasmtime."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from polycall.interop.open_folder import OpenFolder, set_times


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/file").write_text("content")
    (tmp_path / "link").symlink_to("inner/file")
    return tmp_path


@pytest.fixture
def folder(path: Path) -> Iterator[OpenFolder]:
    descriptor = os.open(path, os.O_RDONLY)
    yield OpenFolder(descriptor, "/data", read_only=False)
    os.close(descriptor)


def code_of(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


@pytest.mark.parametrize(
    ("path_given", "flags", "follow", "code"),
    [
        ("inner/file", os.O_RDONLY, False, ""),
        ("inner/file/", os.O_RDONLY, False, "ENOTDIR"),
        ("inner/", os.O_RDONLY, False, ""),
        ("inner", os.O_WRONLY, False, "EISDIR"),
        ("inner", os.O_RDONLY | os.O_DIRECTORY, False, ""),
        ("link", os.O_RDONLY, False, "ELOOP"),
        ("link", os.O_RDONLY, True, ""),
        ("link/", os.O_RDONLY, True, "ENOTDIR"),
        ("new/", os.O_WRONLY | os.O_CREAT, False, "EISDIR"),
        ("link", os.O_WRONLY | os.O_CREAT | os.O_EXCL, True, "EEXIST"),
        ("", os.O_RDONLY, False, "ENOENT"),
        ("/", os.O_RDONLY, False, "EPERM"),
        ("..", os.O_RDONLY, False, "EPERM"),
    ],
)
def test_what_can_be_opened(folder: OpenFolder, path_given: str, flags: int, follow: bool, code: str) -> None:
    assert code_of(lambda: os.close(folder.open(path_given, flags, follow=follow))) == code


def test_nothing_waits_or_is_inherited(folder: OpenFolder) -> None:
    descriptor = folder.open("inner/file", os.O_RDWR, follow=False)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_no_descriptor_stays_open(folder: OpenFolder) -> None:
    def count() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = count()
    for given in ("inner/../inner/../..", "inner/file/x", "inner/no/x", "link/x", "inner/" * 100):
        assert code_of(partial(folder.status, given, follow=True))
        assert code_of(partial(folder.rename, given, folder, given))
        assert code_of(partial(folder.open, given, os.O_WRONLY | os.O_CREAT, follow=True))
    assert count() == before


def test_two_open_folders_of_one_mount_exchange_names(folder: OpenFolder, path: Path) -> None:
    descriptor = folder.open("inner", os.O_RDONLY, follow=False)
    inner = OpenFolder(descriptor, "/data", read_only=False)
    other = OpenFolder(descriptor, "/other", read_only=False)
    locked = OpenFolder(descriptor, "/data", read_only=True)
    assert code_of(lambda: inner.rename("file", other, "x")) == "EXDEV"
    assert code_of(lambda: folder.link("link", other, "x")) == "EXDEV"
    assert code_of(lambda: folder.link("link", locked, "x")) == "EROFS"
    inner.link("file", folder, "second")
    inner.rename("file", folder, "first")
    os.close(descriptor)
    assert (path / "first").samefile(path / "second")


def test_times_that_are_not_given_stay(path: Path) -> None:
    file = path / "inner/file"
    os.utime(file, ns=(1, 2))
    set_times(str(file), file.stat(), None, None)
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (1, 2)
    set_times(str(file), file.stat(), 5, None)
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (5, 2)
    set_times(str(file), file.stat(), "now", "now")
    assert file.stat().st_atime_ns > 5
