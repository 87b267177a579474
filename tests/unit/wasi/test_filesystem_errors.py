"""Errors of files as guests see them: a code for each, and nothing of the host's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from file_steps import ERRORS, Mount, Steps, load_steps
from polycall.registry.observers.trace import Trace
from polycall.wasm_runtime.wasi.filesystem import opened
from polycall.wasm_runtime.wasi.filesystem.errors import CODES, FileErrorCode, code_of, failed
from polycall.wasm_runtime.wasi.filesystem.opened import FileSink, FileSource, Opened
from polycall.wasm_runtime.wasi.io.ends import Closed, Failed
from wasi_sessions import new_session


def opened_at(path: Path, flags: int) -> Opened:
    return Opened(os.open(path, flags), new_session(), "/file")


def test_every_code_of_the_specification_has_an_error_of_the_system() -> None:
    assert set(CODES.values()) == set(ERRORS)


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EXDEV, "cross-device"), (errno.EMFILE, "quota"), (errno.EHOSTDOWN, "io"), (None, "io")]
)
def test_an_error_without_a_code_is_io(number: int | None, code: str) -> None:
    assert code_of(OSError(number, "why") if number else OSError("why")) == code


def test_an_error_of_a_stream_names_no_file_of_the_host() -> None:
    error = failed(PermissionError(errno.EACCES, "Permission denied", "/home/secret")).error
    assert error.text == "the file failed: access"
    assert isinstance(error.cause, FileErrorCode)


@pytest.mark.parametrize("at_once", [True, False])
def test_appending_writes_at_the_end_whatever_others_write(
    tmp_path: Path, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every system can append with one call."""
    if not at_once:
        monkeypatch.setattr(opened, "_APPEND", None)
    (tmp_path / "file").write_bytes(b"first ")
    file = opened_at(tmp_path / "file", os.O_RDWR)
    sink = FileSink(file, None)
    sink.write(b"second ")
    with (tmp_path / "file").open("ab") as other:
        other.write(b"third ")
    sink.write(b"fourth")
    assert os.pwrite(file.descriptor, b"F", 0) == 1, "it still writes elsewhere"
    sink.close()
    file.let_go()
    assert (tmp_path / "file").read_bytes() == b"First second third fourth"


def test_a_descriptor_is_closed_once_nobody_holds_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    file = opened_at(tmp_path / "file", os.O_RDONLY)
    descriptor = file.descriptor
    source = FileSource(file, 0)
    file.let_go()
    assert source.read(3) == b"tex"
    source.close()
    source.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_stream_that_cannot_go_on_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    file = opened_at(tmp_path / "file", os.O_RDONLY)
    with pytest.raises(Closed):
        FileSource(file, 4).read(1)
    with pytest.raises(Failed, match="bad-descriptor"):
        FileSink(file, 0).write(b"x")
    for _ in range(3):
        file.let_go()


@pytest.mark.parametrize("size", [1 << 20, 100])
def test_a_full_disk_is_insufficient_space(tmp_path: Path, size: int) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("the system has no full disk")
    sink = FileSink(opened_at(Path("/dev/full"), os.O_WRONLY), 0)
    with pytest.raises(Failed, match="insufficient-space"):
        sink.write(bytes(size))


def test_what_guests_read_write_and_are_refused_is_counted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_bytes(b"content")
    (tmp_path / "project").mkdir()
    steps = Steps()
    root, locked = steps.root(0), steps.root(1)
    file = steps.open(root, "file", flags="read write")
    steps.do("read", file, 4, 0)
    steps.do("write", file, b"xy", 0)
    steps.do("blocking-read", steps.do("read-via-stream", file, 0), 3)
    steps.open(root, "../out")
    steps.open(locked, "file", flags="write")
    steps.open(root, "missing")
    mounts = (Mount(tmp_path / "data", "/a"), Mount(tmp_path / "data", "/b", read_only=True))
    with load_steps(tmp_path / "project", *mounts) as registry:
        steps.run(lambda values: registry.call("app:steps", values))
        host = registry.stats().entries["app:steps"].host
    assert host is not None
    assert (host.bytes_in, host.bytes_out, host.refusals) == (7, 2, 2)


def test_a_trace_says_which_files_a_call_read_and_wrote(tmp_path: Path) -> None:
    (tmp_path / "data/deep").mkdir(parents=True)
    (tmp_path / "data/deep/file\x1b").write_bytes(b"secret content")
    (tmp_path / "project").mkdir()
    steps = Steps()
    folder = steps.open(steps.root(0), "deep", "directory")
    file = steps.open(folder, "file\x1b", flags="read write")
    steps.do("read", file, 4, 0)
    steps.do("write", file, b"xy", 0)
    steps.do("sync", file)
    steps.do("blocking-read", steps.do("read-via-stream", file, 0), 3)
    steps.do("read-directory-entry", steps.do("read-directory", folder))
    trace = Trace()
    with load_steps(tmp_path / "project", Mount(tmp_path / "data", "/a")) as registry:
        steps.run(lambda values: registry.call("app:steps", values, observer=trace))
    assert set(trace.calls[0].waits) == {"/a/deep/file\\x1b", "/a/deep"}
    assert "secret" not in str(trace.lines())
