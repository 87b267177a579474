"""`wasi:filesystem` as a guest sees it: every function once, through a component; tests/security tries to get out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import polycall
from file_steps import Mount, Place, Steps, as_time, load_steps
from polycall.interop.errors import CallError, TrapError

Ran = Callable[[Steps], list[Any]]
SECOND = 10**9


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    (folder / "file").write_bytes(b"content")
    (folder / "inner/deep").write_bytes(b"deep")
    (folder / "link").symlink_to("file")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/far").write_bytes(b"far")
    (tmp_path / "project").mkdir()
    return folder


@pytest.fixture
def registry(data: Path, request: pytest.FixtureRequest) -> Iterator[polycall.Registry]:
    mounts = (Mount(data.parent / "other", "/other"), Mount(data, "/data"), Mount(data, "/locked", read_only=True))
    with load_steps(data.parent / "project", *mounts, isolation=getattr(request, "param", "none")) as loaded:
        yield loaded


IN_A_WORKER_TOO = pytest.mark.parametrize("registry", ["none", "process"], indirect=True)


@pytest.fixture
def run(registry: polycall.Registry) -> Ran:
    return lambda steps: steps.run(lambda values: registry.call("app:steps", values))


DATA, LOCKED, OTHER = 0, 1, 2
"""Preopens come sorted by their guest paths."""


@IN_A_WORKER_TOO
def test_preopens_are_sorted_and_the_same_each_time(run: Ran) -> None:
    steps = Steps()
    once, again = steps.do("get-directories"), steps.do("get-directories")
    locked, data = steps.root(LOCKED), steps.root(DATA)
    same, flags, no_flags = (
        steps.do("is-same-object", locked, data),
        *(steps.do("get-flags", d) for d in (data, locked)),
    )
    results = run(steps)
    assert results[once.step] == results[again.step] == ["/data", "/locked", "/other"]
    assert results[same.step] is True
    assert results[flags.step] == {"ok": ["read", "mutate-directory"]}
    assert results[no_flags.step] == {"ok": ["read"]}


def test_a_file_is_read_and_written_at_any_place(run: Ran, data: Path) -> None:
    steps = Steps()
    file = steps.open(steps.root(), "file", flags="read write")
    for name, *arguments in (
        ("read", 4, 3),
        ("read", 100, 7),
        ("read", 0, 0),
        ("write", b"XY", 9),
        ("read", 100, 0),
        ("set-size", 3),
        ("read", 2**40, 0),
        ("get-type",),
        ("get-flags",),
        ("sync",),
        ("sync-data",),
        ("advise", 0, 0, 3),
    ):
        steps.do(name, file, *arguments)
    assert run(steps)[3:] == [
        {"ok": (b"tent", False)},
        {"ok": (b"", True)},
        {"ok": (b"", True)},
        {"ok": 2},
        {"ok": (b"content\0\0XY", False)},
        {"ok": None},
        {"ok": (b"con", False)},
        {"ok": "regular-file"},
        {"ok": ["read", "write"]},
        {"ok": None},
        {"ok": None},
        {"ok": None},
    ]
    assert (data / "file").read_bytes() == b"con"


@pytest.mark.parametrize("number", [2**63, 2**64 - 1])
def test_sizes_and_offsets_that_no_file_has_are_invalid(run: Ran, data: Path, number: int) -> None:
    steps = Steps()
    file = steps.open(steps.root(), "file", flags="read write")
    start = steps.do("set-size", file, number).step
    steps.do("read", file, number, number)
    steps.do("write", file, b"x", number)
    steps.do("advise", file, number, number, 0)
    reads, writes = steps.do("read-via-stream", file, number), steps.do("write-via-stream", file, number)
    steps.do("blocking-read", reads, number)
    failed = steps.do("blocking-write-and-flush", writes, b"x")
    steps.do("filesystem-error-code", failed._replace(shift=8))
    ok = {"ok": None}
    assert run(steps)[start:] == [*[{"err": "invalid"}] * 4, ok, ok, {"err": "closed"}, {"err": "failed"}, "invalid"]
    assert (data / "file").read_bytes() == b"content"


def test_one_read_gives_at_most_a_mebibyte(registry: polycall.Registry, data: Path) -> None:
    (data / "large").write_bytes(bytes(3 << 20))
    steps = Steps()
    steps.do("read", steps.open(steps.root(), "large"), 2**62, 0)
    *_, answer = steps.run(lambda values: registry.call("app:steps", values), (1 << 20) + (64 << 10))
    assert len(answer["ok"][0]) == 1 << 20


@IN_A_WORKER_TOO
def test_streams_read_write_and_append_and_outlive_the_descriptor(run: Ran, data: Path) -> None:
    steps = Steps()
    file = steps.open(steps.root(), "file", flags="read write")
    reads, writes, appends = steps.do("read-via-stream", file, 3), *(
        steps.do("write-via-stream", file, 2), steps.do("append-via-stream", file),
    )  # fmt: skip
    steps.do("drop-descriptor", file)
    start = steps.do("blocking-read", reads, 2).step
    steps.do("stream-read", reads, 100)
    steps.do("blocking-read", reads, 100)
    steps.do("check-write", writes)
    steps.do("stream-write", writes, b"NT")
    steps.do("blocking-write-and-flush", writes, b"EN")
    steps.do("blocking-write-and-flush", appends, b"end")
    steps.do("blocking-flush", appends)
    assert run(steps)[start:] == [
        {"ok": b"te"},
        {"ok": b"nt"},
        {"err": "closed"},
        {"ok": 1 << 20},
        *[{"ok": None}] * 4,
    ]
    assert (data / "file").read_bytes() == b"coNTENtend"


def test_an_error_of_a_stream_has_a_code(run: Ran) -> None:
    steps = Steps()
    file = steps.open(steps.root(), "file", flags="read")
    failed = steps.do("blocking-write-and-flush", steps.do("write-via-stream", file, 0), b"x")
    code = steps.do("filesystem-error-code", failed._replace(shift=8))
    results = run(steps)
    assert results[failed.step] == {"err": "failed"}
    assert results[code.step] == "bad-descriptor"


def test_what_is_known_of_files_folders_and_links(run: Ran, data: Path) -> None:
    os.link(data / "file", data / "second")
    os.mkfifo(data / "pipe")
    os.utime(data / "file", ns=(5 * SECOND + 1, 7 * SECOND + 2))
    os.utime(data / "inner", ns=(-SECOND, -1))
    changed = (data / "file").stat().st_ctime_ns
    steps = Steps()
    root = steps.root()
    file = steps.open(root, "file")
    steps.do("stat", file)
    for follow, path in ((0, "file"), (1, "link"), (0, "link"), (0, "pipe"), (0, "inner"), (0, "no"), (0, "file/")):
        steps.do("stat-at", root, follow, path)
    steps.do("stat", root)
    known, *results = run(steps)[3:]
    assert known["ok"] == {
        "type": "regular-file",
        "links": 2,
        "size": 7,
        "accessed": 5 * SECOND + 1,
        "modified": 7 * SECOND + 2,
        "changed": changed,
    }
    assert results[:2] == [known, known]
    assert [each["ok"]["type"] for each in results[2:5]] == ["symbolic-link", "fifo", "directory"]
    assert results[4]["ok"]["modified"] is None, "before 1970 there is no time that a guest could be told"
    assert results[5:7] == [{"err": "no-entry"}, {"err": "not-directory"}]
    assert results[7]["ok"]["type"] == "directory"


def test_times_are_set_for_what_is_open_and_by_path(run: Ran, data: Path) -> None:
    before = time.time_ns() - 10 * SECOND
    steps = Steps()
    root = steps.root()
    file = steps.open(root, "file")
    start = steps.do("set-times", file, *as_time(3 * SECOND + 5), *as_time("no-change")).step
    steps.do("set-times", file, *as_time("no-change"), *as_time("now"))
    steps.do("set-times-at", root, 0, "inner", *as_time(SECOND), *as_time(2 * SECOND))
    steps.do("set-times-at", root, 0, "link", *as_time(SECOND), *as_time(9 * SECOND))
    steps.do("set-times-at", root, 0, "inner/deep", *as_time("now"), *as_time("now"))
    steps.do("set-times", root, *as_time("no-change"), *as_time("no-change"))
    steps.do("set-times", file, 2, 5, SECOND, *as_time("now"))
    steps.do("set-times", file, 2, 2**63, 0, *as_time("now"))
    assert run(steps)[start:] == [*[{"ok": None}] * 6, {"err": "invalid"}, {"err": "overflow"}]
    status = (data / "file").stat()
    assert status.st_atime_ns == 3 * SECOND + 5
    assert status.st_mtime_ns > before
    assert (data / "inner").stat().st_mtime_ns == 2 * SECOND
    assert (data / "link").lstat().st_mtime_ns == 9 * SECOND
    assert (data / "inner/deep").stat().st_mtime_ns > before


@IN_A_WORKER_TOO
def test_a_folder_is_listed_as_it_is_asked_for(run: Ran, data: Path) -> None:
    os.mkfifo(data / "pipe")
    steps = Steps()
    root = steps.root()
    lists = [steps.do("read-directory", root), steps.do("read-directory", root)]
    entries = [[steps.do("read-directory-entry", entries).step for _ in range(6)] for entries in lists]
    steps.do("drop-entries", lists[0])
    steps.do("read-directory", steps.open(root, "file"))
    results = run(steps)
    for places in entries:
        *found, first_end, second_end = (results[place]["ok"] for place in places)
        assert sorted(found) == [
            ("directory", "inner"), ("fifo", "pipe"), ("regular-file", "file"), ("symbolic-link", "link"),
        ]  # fmt: skip
        assert first_end is second_end is None
    assert results[-1] == {"err": "not-directory"}


def test_a_name_that_is_not_utf8_is_told_and_passed_over(run: Ran, data: Path) -> None:
    (data / "inner" / os.fsdecode(b"\xff")).touch()
    (data / "odd").symlink_to(os.fsdecode(b"\xff"))
    steps = Steps()
    root = steps.root()
    inner = steps.do("read-directory", steps.open(root, "inner"))
    start = min(steps.do("read-directory-entry", inner).step for _ in range(3))
    steps.do("readlink-at", root, "odd")
    *entries, link = run(steps)[start:]
    assert {"err": "illegal-byte-sequence"} in entries
    assert {"ok": ("regular-file", "deep")} in entries
    assert entries[-1] == {"ok": None}
    assert link == {"err": "illegal-byte-sequence"}


@IN_A_WORKER_TOO
def test_folders_links_and_names_are_made_and_removed(run: Ran, data: Path) -> None:
    steps = Steps()
    root = steps.root()
    inner = steps.open(root, "inner", "directory")
    start = steps.do("create-directory-at", root, "made/").step
    steps.do("create-directory-at", root, "made")
    steps.do("symlink-at", root, "../file", "made/up")
    steps.do("readlink-at", root, "made/up")
    steps.do("readlink-at", root, "file")
    steps.do("link-at", root, 0, "file", inner, "second")
    steps.do("link-at", root, 1, "link", inner, "third")
    steps.do("link-at", root, 0, "made", inner, "third")
    steps.do("link-at", root, 0, "no", inner, "third")
    steps.do("rename-at", inner, "deep", root, "made/risen")
    steps.do("rename-at", root, "no", root, "made/risen")
    steps.do("unlink-file-at", root, "made")
    steps.do("remove-directory-at", root, "made")
    steps.do("unlink-file-at", root, "made/up")
    steps.do("unlink-file-at", root, "made/risen")
    steps.do("remove-directory-at", root, "made/")
    steps.do("remove-directory-at", root, "file")
    ok = {"ok": None}
    assert run(steps)[start:] == [
        ok, {"err": "exist"}, ok, {"ok": "../file"}, {"err": "invalid"},
        ok, {"err": "invalid"}, {"err": "not-permitted"}, {"err": "no-entry"},
        ok, {"err": "no-entry"}, {"err": "is-directory"}, {"err": "not-empty"},
        ok, ok, ok, {"err": "not-directory"},
    ]  # fmt: skip
    assert sorted(os.listdir(data)) == ["file", "inner", "link"]  # noqa: PTH208  # names alone
    assert (data / "inner/second").samefile(data / "file")


def test_opening_and_what_get_flags_says_of_it(run: Ran, data: Path) -> None:
    steps = Steps()
    root = steps.root()
    opened = {
        "read": steps.open(root, "file"),
        "write": steps.open(root, "file", flags="write"),
        "made": steps.open(root, "new", "create", "exclusive"),
        "cut": steps.open(root, "inner/deep", "truncate"),
        "synchronous": steps.open(root, "file", flags="write file-integrity-sync data-integrity-sync"),
        "folder": steps.open(root, "inner", "directory", flags="read mutate-directory"),
        "by link": steps.open(root, "link", follow=True),
    }
    flags = {name: steps.do("get-flags", place).step for name, place in opened.items()}
    refused = {
        "there": steps.open(root, "file", "create", "exclusive").step,
        "a link": steps.open(root, "link").step,
        "a link to be a folder": steps.open(root, "link", "directory").step,
        "no folder": steps.open(root, "file", "directory").step,
        "writing a folder": steps.open(root, "inner", flags="write").step,
        "contradiction": steps.open(root, "inner", "directory", "create").step,
        "under a file": steps.open(opened["read"], "x").step,
        "nothing": steps.open(root, "").step,
    }
    results = run(steps)
    assert {name: results[step]["ok"] for name, step in flags.items()} == {
        "read": ["read"],
        "write": ["write"],
        "made": ["read", "write"],
        "cut": ["read", "write"],
        "synchronous": ["write", "file-integrity-sync", "data-integrity-sync"],
        "folder": ["read", "mutate-directory"],
        "by link": ["read"],
    }
    assert {name: results[step]["err"] for name, step in refused.items()} == {
        "there": "exist",
        "a link": "loop",
        "a link to be a folder": "loop",
        "no folder": "not-directory",
        "writing a folder": "is-directory",
        "contradiction": "invalid",
        "under a file": "not-directory",
        "nothing": "no-entry",
    }
    assert (data / "inner/deep").read_bytes() == b""


def test_the_functions_of_files_refuse_folders(run: Ran) -> None:
    steps = Steps()
    root = steps.root()
    start = steps.do("read", root, 1, 0).step
    steps.do("write", root, b"x", 0)
    steps.do("set-size", root, 0)
    steps.do("advise", root, 0, 0, 0)
    steps.do("write-via-stream", root, 0)
    steps.do("append-via-stream", root)
    steps.do("read-via-stream", root, 0)
    steps.do("sync", root)
    assert run(steps)[start:] == [*[{"err": "bad-descriptor"}] * 6, {"err": "is-directory"}, {"ok": None}]


def test_hashes_tell_files_apart_and_stay(run: Ran, data: Path) -> None:
    steps = Steps()
    root = steps.root()
    file = steps.open(root, "file", flags="write")
    start = steps.do("metadata-hash", file).step
    steps.do("write", file, b"more", 0)
    steps.do("metadata-hash-at", root, 1, "link")
    steps.do("metadata-hash-at", root, 0, "link")
    steps.do("metadata-hash", root)
    steps.do("is-same-object", file, file)
    steps.do("is-same-object", file, root)
    before, _, after, link, folder, same, other = run(steps)[start:]
    assert before == after
    assert len({str(each) for each in (before, link, folder)}) == 3
    assert str((data / "file").stat().st_ino) not in str(before)
    assert (same, other) == (True, False)


@IN_A_WORKER_TOO
def test_nothing_goes_from_one_mount_to_another(run: Ran, data: Path) -> None:
    steps = Steps()
    here, there = steps.root(DATA), steps.root(OTHER)
    start = steps.do("rename-at", there, "far", here, "far").step
    steps.do("link-at", there, 0, "far", here, "far")
    steps.do("link-at", here, 0, "file", there, "file")
    assert run(steps)[start:] == [{"err": "cross-device"}] * 3
    assert (data.parent / "other/far").stat().st_nlink == 1


WRITING: dict[str, tuple[Any, ...]] = {
    "create": ("open-at", 0, "new", 1, 1),
    "truncate": ("open-at", 0, "file", 8, 1),
    "write": ("open-at", 0, "file", 0, 2),
    "mutate-directory": ("open-at", 0, "inner", 2, 33),
    "create-directory-at": ("create-directory-at", "new"),
    "remove-directory-at": ("remove-directory-at", "empty"),
    "symlink-at": ("symlink-at", "file", "new"),
    "unlink-file-at": ("unlink-file-at", "link"),
    "set-times-at": ("set-times-at", 0, "file", *as_time("now"), *as_time("now")),
    "set-times of a folder": ("set-times", *as_time("now"), *as_time("now")),
}
OF_A_FILE: dict[str, tuple[Any, ...]] = {
    "set-times": ("set-times", *as_time("now"), *as_time("now")),
    "set-size": ("set-size", 0),
    "write": ("write", b"x", 0),
    "write-via-stream": ("write-via-stream", 0),
    "append-via-stream": ("append-via-stream",),
}


def _state(folder: Path) -> list[Any]:
    found = sorted(folder.rglob("*"))
    return [(path, path.lstat().st_mtime_ns, path.lstat().st_size, path.lstat().st_nlink) for path in found]


@pytest.mark.parametrize("name", WRITING)
def test_a_read_only_mount_refuses_every_way_of_writing_by_path(run: Ran, data: Path, name: str) -> None:
    (data / "empty").mkdir()
    function, *arguments = WRITING[name]
    before = _state(data)
    refused, granted = Steps(), Steps()
    refused.do(function, refused.root(LOCKED), *arguments)
    assert run(refused)[-1] == {"err": "read-only"}
    assert _state(data) == before
    granted.do(function, granted.root(DATA), *arguments)
    assert run(granted)[-1] == {"ok": None}


@IN_A_WORKER_TOO
@pytest.mark.parametrize("name", OF_A_FILE)
def test_a_file_of_a_read_only_mount_refuses_every_way_of_writing(run: Ran, data: Path, name: str) -> None:
    function, *arguments = OF_A_FILE[name]
    before = _state(data)
    refused, granted = Steps(), Steps()
    refused.do(function, refused.open(refused.root(LOCKED), "file"), *arguments)
    assert run(refused)[-1] == {"err": "read-only"}
    assert _state(data) == before
    granted.do(function, granted.open(granted.root(DATA), "file", flags="read write"), *arguments)
    assert "ok" in run(granted)[-1]


@pytest.mark.parametrize(("old", "new"), [(LOCKED, LOCKED), (LOCKED, DATA), (DATA, LOCKED), (OTHER, LOCKED)])
def test_nothing_is_renamed_or_linked_out_of_or_into_a_read_only_mount(
    run: Ran, data: Path, old: int, new: int
) -> None:
    before = _state(data.parent)
    steps = Steps()
    one, other = steps.root(old), steps.root(new)
    name = "far" if old == OTHER else "file"
    start = steps.do("rename-at", one, name, other, "new").step
    steps.do("link-at", one, 0, name, other, "new")
    assert run(steps)[start:] == [{"err": "read-only"}] * 2
    assert _state(data.parent) == before
    granted = Steps()
    root = granted.root(DATA)
    granted.do("link-at", root, 0, "file", root, "new")
    assert run(granted)[-1] == {"ok": None}


@IN_A_WORKER_TOO
def test_what_a_read_only_mount_lets_do(run: Ran) -> None:
    steps = Steps()
    root = steps.root(LOCKED)
    file = steps.open(root, "file")
    start = steps.do("read", file, 9, 0).step
    steps.do("stat-at", root, 1, "link")
    steps.do("readlink-at", root, "link")
    steps.do("read-directory", root)
    steps.do("sync", root)
    steps.do("read-via-stream", file, 0)
    assert all("ok" in each for each in run(steps)[start:])


# --- from one call to the next ---


def test_a_preopen_finds_its_folder_anew_at_each_call(data: Path) -> None:
    with load_steps(data.parent / "project", Mount(data), pool={"type": "static", "size": 1}) as registry:
        steps = Steps()
        root = steps.root()
        steps.do("read", steps.open(root, "file"), 9, 0)
        assert steps.run(lambda values: registry.call("app:steps", values))[-1] == {"ok": (b"content", False)}
        data.rename(data.parent / "old")
        data.mkdir()
        (data / "file").write_bytes(b"other")
        # The handle of the first call, by its number: the guest has it still.
        again = Steps()
        again.do("open-at", 1, 0, "file", 0, 1)
        again.do("read", Place(0), 9, 0)
        assert again.run(lambda values: registry.call("app:steps", values))[-1] == {"ok": (b"other", False)}
        (data / "file").unlink()
        data.rmdir()
        with pytest.raises(CallError, match=r"wasi\.mounts: /data is not there") as caught:
            again.run(lambda values: registry.call("app:steps", values))
        assert caught.value.kind == "NotFound"


def test_what_a_call_opened_is_gone_in_the_next_one(data: Path) -> None:
    with load_steps(data.parent / "project", Mount(data), pool={"type": "static", "size": 1}) as registry:
        steps = Steps()
        root = steps.root()
        steps.open(root, "file")
        steps.do("read-directory", root)
        before = _descriptors()
        steps.run(lambda values: registry.call("app:steps", values))
        assert _descriptors() == before, "nothing of the host is held between calls"
        for name, handle, *arguments in (("read", 2, 1, 0), ("read-directory-entry", 3)):
            later = Steps()
            later.do(name, handle, *arguments)
            with pytest.raises(TrapError, match="closed when the call that opened it ended"):
                later.run(lambda values: registry.call("app:steps", values))  # called at once
            steps.run(lambda values: registry.call("app:steps", values))  # an instance anew


def _descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208  # a count, of no path


def test_without_mounts_there_are_no_folders_and_no_error(tmp_path: Path) -> None:
    steps = Steps()
    steps.do("get-directories")
    with load_steps(tmp_path) as registry:
        assert steps.run(lambda values: registry.call("app:steps", values)) == [[]]


def test_a_mount_of_a_folder_that_is_not_there_fails_when_it_is_used(data: Path) -> None:
    mounts = (Mount(data), Mount(data.parent / "nowhere", "/nowhere"))
    with load_steps(data.parent / "project", *mounts) as registry:
        fine, broken = Steps(), Steps()
        fine.open(fine.root(0), "file")
        assert fine.run(lambda values: registry.call("app:steps", values))[-1] == {"ok": None}
        broken.do("stat", broken.root(1))
        with pytest.raises(CallError, match=r"wasi\.mounts: /nowhere is not there: app:f1") as caught:
            broken.run(lambda values: registry.call("app:steps", values))
        assert "auto_init" in str(caught.value.hint)


def test_a_source_folder_is_read_only(tmp_path: Path) -> None:
    steps = Steps()
    root = steps.root()
    steps.open(root, "new", "create")
    steps.do("get-flags", root)
    with load_steps(tmp_path, Mount(tmp_path)) as registry:
        assert steps.run(lambda values: registry.call("app:steps", values))[-2:] == [
            {"err": "read-only"},
            {"ok": ["read"]},
        ]
