"""Preview 1: the folders of ``wasi.mounts``, their files, and what a call leaves open."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

import pytest

from polycall.wasm_runtime.spec import WasiLimitsSpec
from wasip1_guests import OUT, At, Done, Host, Steps, at

BADF, DQUOT, EXIST, INVAL, ISDIR, LOOP = 8, 19, 20, 28, 31, 32
NOENT, NOTDIR, NOTEMPTY, PERM, ROFS, NOTCAPABLE = 44, 54, 55, 63, 69, 76
CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8
READ, WRITE = 1 << 1, 1 << 6
APPEND, SYNC = 1, 16
FOLDER, FILE, LINK = 3, 4, 7
BILLION = 1_000_000_000


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    return Steps(Host({"/": tmp_path}))


def read(steps: Steps, fd: int | At, size: int = 100, to: int = 2048, out: int = OUT + 8) -> Steps:
    return steps.call("fd_read", fd, steps.buffers((to, size)), 1, out)


def write(steps: Steps, fd: int | At, text: str, out: int = OUT + 8) -> Steps:
    return steps.call("fd_write", fd, steps.buffers(steps.text(text)), 1, out)


def filestat(done: Done, address: int) -> tuple[int, ...]:
    """Returns kind, links, size, times of access, change, and change of status."""
    return struct.unpack_from("<16xB7xQQQQQ", done.memory, address)


def entries(data: bytes) -> list[tuple[int, bytes, int]]:
    """Returns place, name and kind of what ``fd_readdir`` gave; what is cut is left out."""
    found, at = [], 0
    while at + 24 <= len(data):
        place, _number, size, kind = struct.unpack_from("<QQIB3x", data, at)
        name = data[at + 24 : at + 24 + size]
        if len(name) == size:
            found.append((place, name, kind))
        at += 24 + size
    return found


def test_folders_have_the_numbers_from_3_on_and_their_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
    steps = Steps(Host({"/zz": tmp_path / "b", "/data/in": tmp_path / "a"}))
    for fd in (3, 4, 5, 2):
        steps.call("fd_prestat_get", fd, 2000 + 8 * fd)
    steps.call("fd_prestat_dir_name", 3, 3000, 8).call("fd_prestat_dir_name", 4, 3100, 100)
    steps.call("fd_prestat_dir_name", 3, 3000, 7).call("fd_prestat_dir_name", 5, 3000, 7)
    done = steps.run()
    assert done.errnos == [0, 0, BADF, BADF, 0, 0, 37, BADF]
    assert [struct.unpack_from("<B3xI", done.memory, 2000 + 8 * fd) for fd in (3, 4)] == [(0, 8), (0, 3)]
    assert (done.text(3000, 9), done.text(3100, 4)) == (b"/data/in\0", b"/zz\0")


def test_a_file_is_written_and_read(steps: Steps, tmp_path: Path) -> None:
    steps.open("file", how=CREATE, rights=READ | WRITE)
    write(steps, at(), "some text")
    steps.call("fd_seek", at(), 2**64 - 4, 1, OUT + 16).call("fd_tell", at(), OUT + 24)
    read(steps, at())
    steps.call("fd_pread", at(), steps.buffers((2100, 2), (2200, 3)), 2, 1, OUT + 32)
    steps.call("fd_pwrite", at(), steps.buffers(steps.text("SO"), steps.text("ME")), 2, 0, OUT + 36)
    steps.call("fd_tell", at(), OUT + 40).call("fd_seek", at(), 0, 2, OUT + 48).call("fd_close", at())
    done = steps.run()
    assert done.errnos == [0] * 10
    assert (done.u64(OUT + 16), done.u64(OUT + 24), done.u64(OUT + 40), done.u64(OUT + 48)) == (5, 5, 9, 9)
    assert done.text(2048, 4) == b"text"
    assert (done.text(2100, 2), done.text(2200, 3)) == (b"om", b"e t")
    assert (tmp_path / "file").read_text() == "SOME text"


def test_what_appends_writes_at_the_end(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("ab")
    steps.open("file", rights=WRITE, flags=APPEND)
    write(steps, at(), "cd")
    steps.call("fd_tell", at(), OUT + 16).call("fd_fdstat_set_flags", at(), 0)
    steps.call("fd_seek", at(), 0, 0, OUT + 24)
    write(steps, at(), "AB")
    done = steps.run()
    assert (done.errnos, done.u64(OUT + 16)) == ([0] * 6, 4)
    assert (tmp_path / "file").read_text() == "ABcd"


@pytest.mark.parametrize(
    ("path", "errno", "flags"),
    [
        ("file", 0, {}),
        ("none", NOENT, {}),
        ("file", EXIST, {"how": CREATE | EXCLUSIVE}),
        ("file", NOTDIR, {"how": DIRECTORY}),
        ("file/", NOTDIR, {}),
        ("folder", 0, {"how": DIRECTORY}),
        ("folder", ISDIR, {"how": DIRECTORY, "rights": READ | WRITE}),
        ("file", INVAL, {"how": 16}),
        ("file", INVAL, {"lookup": 2}),
        ("link", LOOP, {}),
        ("link", 0, {"lookup": 1}),
        ("out", PERM, {"lookup": 1}),
        ("absolute", PERM, {"lookup": 1}),
        ("../x", PERM, {}),
        ("/file", PERM, {}),
        ("folder/../file", 0, {}),
        ("pipe", PERM, {}),
    ],
)
def test_what_opens(steps: Steps, tmp_path: Path, path: str, errno: int, flags: dict[str, int]) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "out").symlink_to("../outside")
    (tmp_path / "absolute").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    assert steps.open(path, **flags).run().errnos == [errno]


def test_what_is_opened_has_no_right_that_was_not_asked_for(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out, rights in ((OUT, READ), (OUT + 64, WRITE), (OUT + 68, 0)):
        steps.open("file", rights=rights, out=out)
        read(steps, at(out))
        write(steps, at(out), "y")
    steps.call("fd_fdstat_get", at(), 3000)
    done = steps.run()
    assert done.errnos == [0, 0, BADF, 0, BADF, 0, 0, BADF, BADF, 0]
    assert struct.unpack_from("<Q", done.memory, 3008)[0] & (READ | WRITE) == READ


def test_a_guest_may_make_its_folder_read_only(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    keeps = READ | 1 << 13 | 1 << 14  # to open and to list
    steps.call("fd_fdstat_set_rights", 3, keeps & ~READ, keeps)
    steps.open("file", rights=READ | WRITE)
    read(steps, at())
    write(steps, at(), "y")
    steps.open("new", how=CREATE).open("file", how=TRUNCATE)
    steps.call("path_unlink_file", 3, *steps.text("file"))
    assert steps.run().errnos == [0, 0, 0, BADF, *[NOTCAPABLE] * 3]
    assert (tmp_path / "file").read_text() == "x"


def test_a_read_only_mount_refuses_every_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    steps = Steps(Host({"/:ro": tmp_path}))
    file, new = steps.text("file"), steps.text("new")
    steps.open("file", rights=WRITE).open("file", how=TRUNCATE).open("new", how=CREATE)
    steps.call("path_create_directory", 3, *new).call("path_remove_directory", 3, *steps.text("folder"))
    steps.call("path_unlink_file", 3, *file).call("path_rename", 3, *file, 3, *new)
    steps.call("path_link", 3, 0, *file, 3, *new).call("path_symlink", *file, 3, *new)
    steps.call("path_filestat_set_times", 3, 0, *file, 1, 1, 5)
    changes = len(steps.open("file").run().errnos) - 1
    read(steps, at())
    steps.call("fd_filestat_set_size", at(), 0).call("fd_filestat_set_times", at(), 1, 1, 5)
    errnos = steps.run().errnos
    assert errnos[:changes] == [ROFS] * changes
    assert errnos[changes:] == [0, 0, ROFS, ROFS]


def test_names_in_folders(steps: Steps, tmp_path: Path) -> None:
    folder, file, other = steps.text("folder"), steps.text("file"), steps.text("folder/other")
    steps.call("path_create_directory", 3, *folder).call("path_create_directory", 3, *folder)
    steps.open("file", how=CREATE)
    steps.call("path_link", 3, 0, *file, 3, *other).call("path_unlink_file", 3, *file)
    steps.call("path_remove_directory", 3, *folder).call("path_unlink_file", 3, *folder)
    steps.call("path_rename", 3, *other, 3, *file).call("path_symlink", *steps.text("to/what"), 3, *other)
    steps.call("path_readlink", 3, *other, 2000, 100, OUT + 16).call("path_readlink", 3, *other, 2200, 4, OUT + 20)
    steps.call("path_readlink", 3, *file, 2000, 100, OUT + 24)
    steps.call("path_symlink", *steps.text("/etc"), 3, *steps.text("absolute"))
    done = steps.run()
    assert done.errnos == [0, EXIST, 0, 0, 0, NOTEMPTY, ISDIR, 0, 0, 0, 0, INVAL, PERM]
    assert (done.u32(OUT + 16), done.text(2000, 8)) == (7, b"to/what\0")
    assert (done.u32(OUT + 20), done.text(2200, 5)) == (4, b"to/w\0")
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["file", "folder", "other"]


def test_what_is_known_of_files(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("four")
    (tmp_path / "link").symlink_to("file")
    file, link = steps.text("file"), steps.text("link")
    steps.call("path_filestat_set_times", 3, 0, *file, 5 * BILLION + 1, 7 * BILLION + 2, 1 | 4)
    steps.call("path_filestat_get", 3, 0, *file, 2000).call("path_filestat_get", 3, 0, *link, 2100 + 4)
    steps.call("path_filestat_get", 3, 1, *link, 2200).call("fd_filestat_get", 3, 2304)
    steps.open("file", rights=READ | WRITE)
    steps.call("fd_filestat_set_times", at(), 9, 0, 1 | 8).call("fd_filestat_set_times", at(), 0, 0, 4 | 8)
    steps.call("fd_filestat_set_size", at(), 2).call("fd_allocate", at(), 10, 5).call("fd_allocate", at(), 0, 3)
    steps.call("fd_allocate", at(), 0, 0).call("fd_advise", at(), 0, 100, 2).call("fd_advise", at(), 0, 100, 6)
    steps.call("fd_sync", at()).call("fd_datasync", at()).call("fd_filestat_get", at(), 2400)
    done = steps.run()
    assert done.errnos == [0] * 7 + [INVAL, 0, 0, 0, INVAL, 0, INVAL, 0, 0, 0]
    assert filestat(done, 2000)[:5] == (FILE, 1, 4, 5 * BILLION + 1, 7 * BILLION + 2)
    assert filestat(done, 2104)[0] == LINK
    assert filestat(done, 2200)[:3] == (FILE, 1, 4)
    assert filestat(done, 2304)[0] == FOLDER
    kind, _, size, accessed, changed, _ = filestat(done, 2400)
    assert (kind, size, accessed) == (FILE, 15, 9)
    assert abs(changed - time.time_ns()) < 60 * BILLION
    numbers = [done.u64(address) for address in (2008, 2112, 2208)]
    assert numbers[0] == numbers[2] != numbers[1]


def test_a_folder_is_listed_piece_by_piece(steps: Steps, tmp_path: Path) -> None:
    names = {f"file-{each}".encode() for each in range(30)}
    for name in names:
        (tmp_path / os.fsdecode(name)).touch()
    (tmp_path / "folder").mkdir()
    # Each time from the place of the third but last entry that the buffer had room for.
    steps.call("fd_readdir", 3, 2048, 1000, 0, OUT)
    steps.call("fd_readdir", 3, 4096 * 4, 4000, 0, OUT + 8).call("fd_readdir", 3, 4096 * 6, 4000, 20, OUT + 16)
    steps.call("fd_readdir", 3, 4096 * 7, 4000, 33, OUT + 24).call("fd_readdir", 3, 4096 * 8, 4000, 2**64 - 1, OUT + 32)
    done = steps.run()
    assert done.errnos == [0] * 5
    assert done.u32() == 1000
    whole = entries(done.text(4096 * 4, done.u32(OUT + 8)))
    assert [each[0] for each in whole] == list(range(1, 34))
    assert whole[:2] == [(1, b".", FOLDER), (2, b"..", FOLDER)]
    assert {name for _, name, _ in whole[2:]} == {*names, b"folder"}
    assert {kind for _, name, kind in whole if name in names} == {FILE}
    cut = entries(done.text(2048, 1000))
    assert cut == whole[: len(cut)]
    assert len(cut) >= 25
    assert entries(done.text(4096 * 6, done.u32(OUT + 16))) == whole[20:]
    assert (done.u32(OUT + 24), done.u32(OUT + 32)) == (0, 0)


def test_a_listing_goes_back_as_far_as_the_guest_wants(steps: Steps, tmp_path: Path) -> None:
    for number in range(1500):
        (tmp_path / f"{number}").touch()
    steps.call("fd_readdir", 3, 2048, 1, 1490, OUT)  # far into it: what came before is not kept
    steps.call("fd_readdir", 3, 2048, 60, 3, OUT + 8).call("fd_readdir", 3, 4096, 60, 0, OUT + 16)
    steps.call("fd_readdir", 3, 8192, 8000, 1492, OUT + 24).call("fd_readdir", 3, 3000, 0, 0, OUT + 32)
    done = steps.run()
    assert done.errnos == [0] * 5
    assert entries(done.text(2048, 60))[0][0] == 4
    assert entries(done.text(4096, 60))[0] == (1, b".", FOLDER)
    assert [each[0] for each in entries(done.text(8192, done.u32(OUT + 24)))] == list(range(1493, 1503))
    assert done.u32(OUT + 32) == 0


def test_a_name_that_is_no_text_is_left_out(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "good").touch()
    try:
        (tmp_path / os.fsdecode(b"b\xffd")).touch()
    except OSError:
        pytest.skip("the file system has no such names")
    done = steps.call("fd_readdir", 3, 2048, 1000, 0, OUT).run()
    assert [name for _, name, _ in entries(done.text(2048, done.u32()))] == [b".", b"..", b"good"]


def test_what_a_call_opens_is_gone_after_it_and_folders_stay(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    steps.call("fd_fdstat_get", 4, 3000).open("file")
    held = Path("/proc/self/fd")
    before = len(list(held.iterdir())) if held.exists() else 0
    with steps.host.instance(steps.source(), wit="run: func() -> list<u8>") as instance:
        for _ in range(3):
            done = steps.run_in(instance)
            assert (done.errnos, done.u32()) == ([BADF, 0], 4)
        if before:
            assert len(list(held.iterdir())) <= before + 2


def test_only_folders_have_paths_and_only_files_places(steps: Steps, tmp_path: Path) -> None:
    steps.open("file", how=CREATE)
    text = steps.text("x")
    steps.call("path_open", at(), 0, *text, 0, READ, 0, 0, OUT + 8).call("path_unlink_file", 1, *text)
    steps.call("fd_readdir", at(), 2048, 100, 0, OUT + 8).call("fd_readdir", 77, 2048, 100, 0, OUT + 8)
    read(steps, 3)
    write(steps, 3, "x")
    steps.call("fd_seek", 3, 0, 0, OUT + 8).call("fd_allocate", 3, 0, 1).call("fd_filestat_set_size", 3, 0)
    assert steps.run().errnos == [0, NOTDIR, NOTDIR, NOTDIR, BADF, *[ISDIR] * 5]


def test_as_many_files_as_the_entry_says(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    steps = Steps(Host({"/": tmp_path}, limits=WasiLimitsSpec(max_open_files=3)))
    for _ in range(4):
        steps.open("file")
    steps.call("fd_close", 4).open("file")
    assert steps.run().errnos == [0, 0, 0, DQUOT, 0, 0]


def test_without_mounts_there_is_no_folder() -> None:
    assert Steps().call("fd_prestat_get", 3, OUT).run().errnos == [BADF]
