"""Attempts to get out of a mount through `wasi:filesystem`, to be stopped by a file, or to take all descriptors.

Whatever an attempt gives must not hold the secret, and the secret must be unchanged afterwards.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import resource
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import polycall
from attacks import Attack, attacks
from file_steps import Mount, Place, Steps, as_time, load_steps
from fs_escapes import READS, SECRET, make_data
from polycall.interop.errors import TrapError
from polycall.interop.open_folder import OpenFolder
from polycall.registry.observers.trace import Trace

WHERE = "component, wasi:filesystem"
REFUSED = {"not-permitted", "no-entry", "not-directory", "name-too-long", "loop", "invalid"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = make_data(tmp_path)
    (folder / "inner/up").symlink_to("../mine")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def registry(data: Path) -> Iterator[polycall.Registry]:
    with load_steps(data.parent / "project", Mount(data)) as loaded:
        yield loaded


def run(registry: polycall.Registry, steps: Steps) -> list[Any]:
    return steps.run(lambda values: registry.call("app:steps", values))


def reading(path: str) -> Steps:
    steps = Steps()
    steps.do("read", steps.open(steps.root(), path, follow=True), 100, 0)
    return steps


@attacks(*(Attack(name, WHERE, "an error code", f"`{case.control[:60]}` is read") for name, case in READS.items()))
@pytest.mark.parametrize("name", READS)
def test_no_path_leads_out_of_a_mount(data: Path, registry: polycall.Registry, name: str) -> None:
    case = READS[name]
    opening = Steps()
    opening.open(opening.root(), case.attempt, follow=True)
    assert run(registry, opening)[-1]["err"] in REFUSED
    assert run(registry, reading(case.control))[-1] == {"ok": (case.expected.encode(), False)}
    assert (data.parent / "secret").read_text() == SECRET


Action = Callable[[Steps, Place], Any]


class Pair(NamedTuple):
    """An attempt and the code that it gets; and the same within the mount, which succeeds."""

    attempt: Action
    code: str
    control: Action


def _in_inner(path: str) -> Action:
    return lambda steps, root: steps.open(steps.open(root, "inner", "directory"), path, follow=True)


def _open(path: str, *how: str, **more: Any) -> Action:
    return lambda steps, root: steps.open(root, path, *how, **more)


def _do(name: str, *arguments: Any) -> Action:
    return lambda steps, root: steps.do(name, root, *arguments)


def _both(name: str, old: str, new: str) -> Action:
    flags = (0,) if name == "link-at" else ()
    return lambda steps, root: steps.do(name, root, *flags, old, root, new)


def _made(target: str) -> Action:
    def act(steps: Steps, root: Place) -> None:
        steps.do("symlink-at", root, target, "laid")
        steps.open(root, "laid", follow=True)

    return act


_NOW = (*as_time("now"), *as_time("now"))
PAIRS = {
    "an absolute path": Pair(_open("/mine"), "not-permitted", _open("mine")),
    "an absolute path by slashes": Pair(_open("//"), "not-permitted", _open(".//")),
    "an absolute link, to the inside even": Pair(
        _open("to-mine-absolutely", follow=True), "not-permitted", _open("to-mine", follow=True)
    ),
    "making a file through a link to nowhere": Pair(
        _open("to-nowhere", "create", follow=True), "not-permitted", _open("to-new", "create", follow=True)
    ),
    "making a file through a link, which must be new": Pair(
        _open("to-nowhere", "create", "exclusive", follow=True), "exist", _open("fresh", "create", "exclusive")
    ),
    "cutting a file through a link": Pair(
        _open("to-secret", "truncate", follow=True), "not-permitted", _open("to-mine", "truncate", follow=True)
    ),
    "a link with a slash": Pair(_open("to-parent/", "directory"), "not-permitted", _open("to-inner/", "directory")),
    "a link with slashes": Pair(_open("to-root//"), "not-permitted", _open("to-inner//")),
    "a link with a slash and a dot": Pair(_open("to-parent/."), "not-permitted", _open("to-inner/.")),
    "a link to a file with a slash": Pair(_open("to-secret/", "create"), "is-directory", _open("new", "create")),
    ".. of an inner folder": Pair(_in_inner(".."), "not-permitted", _in_inner(".")),
    "a file beside an inner folder": Pair(_in_inner("../mine"), "not-permitted", _in_inner("deep")),
    "a link out of an inner folder": Pair(_in_inner("up"), "not-permitted", _open("inner/up", follow=True)),
    "stat through a link": Pair(_do("stat-at", 1, "to-secret"), "not-permitted", _do("stat-at", 1, "to-mine")),
    "the hash of a file outside": Pair(
        _do("metadata-hash-at", 1, "to-secret"), "not-permitted", _do("metadata-hash-at", 1, "to-mine")
    ),
    "times through a link": Pair(
        _do("set-times-at", 1, "to-secret", *_NOW), "not-permitted", _do("set-times-at", 1, "to-mine", *_NOW)
    ),
    "reading an absolute link": Pair(_do("readlink-at", "to-root"), "not-permitted", _do("readlink-at", "to-mine")),
    "making a folder outside": Pair(
        _do("create-directory-at", "../made"), "not-permitted", _do("create-directory-at", "inner/made")
    ),
    "making a folder through a link": Pair(
        _do("create-directory-at", "to-parent/made/"), "not-permitted", _do("create-directory-at", "to-inner/made/")
    ),
    "removing a folder outside": Pair(
        _do("remove-directory-at", "../database"), "not-permitted", _do("remove-directory-at", "empty")
    ),
    "removing through a link": Pair(
        _do("unlink-file-at", "to-parent/secret"), "not-permitted", _do("unlink-file-at", "to-inner/deep")
    ),
    "an absolute target": Pair(
        _do("symlink-at", "/etc/passwd", "laid"), "not-permitted", _do("symlink-at", "mine", "laid")
    ),
    "a link laid and followed": Pair(_made("../secret"), "not-permitted", _made("mine")),
    "a link laid outside": Pair(
        _do("symlink-at", "x", "to-parent/made"), "not-permitted", _do("symlink-at", "x", "to-inner/made")
    ),
    "renaming something out": Pair(
        _both("rename-at", "mine", "../made"), "not-permitted", _both("rename-at", "mine", "inner/made")
    ),
    "renaming something in": Pair(
        _both("rename-at", "../secret", "made"), "not-permitted", _both("rename-at", "inner/deep", "made")
    ),
    "renaming a folder with slashes": Pair(
        _both("rename-at", "empty/", "to-parent/made/"), "not-permitted", _both("rename-at", "empty/", "to-inner/made/")
    ),
    "a second name outside": Pair(
        _both("link-at", "mine", "to-parent/made"), "not-permitted", _both("link-at", "mine", "to-inner/made")
    ),
    "a second name of a file outside": Pair(
        _both("link-at", "../secret", "made"), "not-permitted", _both("link-at", "inner/deep", "made")
    ),
    "a NUL character in a target": Pair(_do("symlink-at", "a\0b", "laid"), "invalid", _do("symlink-at", "a", "laid")),
    "a name that is too long, made": Pair(_open("y" * 256, "create"), "name-too-long", _open("y" * 255, "create")),
}


@attacks(*(Attack(name, WHERE, f"`{pair.code}`", "the same inside succeeds") for name, pair in PAIRS.items()))
@pytest.mark.parametrize("name", PAIRS)
def test_nothing_leads_out_of_a_mount(data: Path, registry: polycall.Registry, name: str) -> None:
    pair = PAIRS[name]
    outside = sorted(path for path in data.parent.rglob("*") if data not in path.parents)
    modified = (data.parent / "secret").stat().st_mtime_ns
    attempt, control = Steps(), Steps()
    pair.attempt(attempt, attempt.root())
    pair.control(control, control.root())
    assert run(registry, attempt)[-1] == {"err": pair.code}
    assert (data.parent / "secret").read_text() == SECRET
    assert (data.parent / "secret").stat().st_mtime_ns == modified
    assert sorted(path for path in data.parent.rglob("*") if data not in path.parents) == outside
    (data / "laid").unlink(missing_ok=True)
    assert "ok" in run(registry, control)[-1]


@attacks(
    Attack("a file with a second name, from another mount", WHERE, "`cross-device`", "within one mount it is made"),
    Attack("a file with a second name, from a read-only mount", WHERE, "`read-only`", "within one mount it is made"),
)
@pytest.mark.parametrize(("read_only", "code"), [(False, "cross-device"), (True, "read-only")])
def test_no_file_gets_a_second_name_in_another_mount(data: Path, read_only: bool, code: str) -> None:
    """Else what may only be read could be written: by its other name."""
    (data.parent / "other").mkdir()
    (data.parent / "other/far").write_text("far")
    mounts = (Mount(data, "/a"), Mount(data.parent / "other", "/b", read_only))
    with load_steps(data.parent / "project", *mounts) as registry:
        steps = Steps()
        here, there = steps.root(0), steps.root(1)
        steps.do("link-at", there, 0, "far", here, "near")
        assert run(registry, steps)[-1] == {"err": code}
        assert (data.parent / "other/far").stat().st_nlink == 1
        control = Steps()
        root = control.root(0)
        control.do("link-at", root, 0, "mine", root, "near")
        assert run(registry, control)[-1] == {"ok": None}


def test_a_file_with_a_second_name_outside_is_read_and_written(data: Path, registry: polycall.Registry) -> None:
    os.link(data.parent / "secret", data / "hard")
    steps = Steps()
    file = steps.open(steps.root(), "hard", flags="read write")
    steps.do("read", file, 100, 0)
    steps.do("write", file, b"THE", 0)
    assert run(registry, steps)[-2:] == [{"ok": (SECRET.encode(), False)}, {"ok": 3}]
    assert (data.parent / "secret").read_text() == "THE secret"


WAYS: list[tuple[list[str], str]] = [
    ([], "read"), ([], "write"), ([], "read write"), (["create"], "read"), (["create"], "write"),
    (["truncate"], "read write"), (["create", "truncate"], "write"), (["directory"], "read"),
]  # fmt: skip


@attacks(*(
    Attack(f"opening a pipe: {' '.join([*how, flags])}", WHERE, "an error code at once", "a file is opened")
    for how, flags in WAYS
))  # fmt: skip
@pytest.mark.parametrize(("how", "flags"), WAYS)
@pytest.mark.parametrize("name", ["pipe", "socket"])
def test_no_open_waits_for_the_other_end_of_a_pipe(
    registry: polycall.Registry, name: str, how: list[str], flags: str
) -> None:
    steps = Steps()
    root = steps.root()
    steps.open(root, name, *how, flags=flags)
    started = time.monotonic()
    assert run(registry, steps)[-1] == {"err": "not-directory" if "directory" in how else "not-permitted"}
    assert time.monotonic() - started < 10
    control = Steps()
    control.open(control.root(), "inner" if "directory" in how else "mine", *how, flags=flags)
    assert run(registry, control)[-1] == {"ok": None}


@attacks(Attack("a device", WHERE, "`not-permitted`", "it is listed, and stat says what it is"))
def test_a_device_is_seen_and_not_opened(tmp_path: Path) -> None:
    with load_steps(tmp_path, Mount(Path("/dev"))) as registry:
        steps = Steps()
        root = steps.root()
        for name in ("zero", "null", "tty"):
            steps.open(root, name)
            steps.open(root, name, flags="write")
            steps.do("stat-at", root, 0, name)
        results = run(registry, steps)[2:]
    assert results[0::3] == results[1::3] == [{"err": "not-permitted"}] * 3
    assert [each["ok"]["type"] for each in results[2::3]] == ["character-device"] * 3


@pytest.fixture
def doors(data: Path) -> Iterator[Callable[[str, str], None]]:
    """Begins to swap a name for a link that leads out, and back, until the end of the test."""
    outside = data.parent / "outside"
    for place, text in ((outside, SECRET), (data, "inside")):
        (place / "door").mkdir(parents=True)
        (place / "door/file").write_text(text)
    stop, threads = threading.Event(), []

    def flip(name: Path, target: str) -> None:
        parked, link = data / "parked", data / "swap"
        while not stop.is_set():
            name.rename(parked)
            link.symlink_to(target)
            link.rename(name)
            stop.wait(random.random() / 5000)  # or the two threads may fall into step
            name.unlink()
            parked.rename(name)
            stop.wait(random.random() / 5000)

    def begin(name: str, target: str) -> None:
        threads.append(threading.Thread(target=flip, args=(data / name, target)))
        threads[-1].start()

    yield begin
    stop.set()
    for thread in threads:
        thread.join()
    assert (outside / "door/file").read_text() == SECRET
    assert sorted(path.name for path in outside.rglob("*")) == ["door", "file"]


SWAPS = {"door": "../outside/door", "door/file": "../../outside/door/file"}
ENOUGH = 5


@attacks(*(
    Attack(f"`{name}` swapped for a link out during a call", WHERE, "an error code", "the file inside is found")
    for name in SWAPS
))  # fmt: skip
@pytest.mark.parametrize("name", SWAPS)
def test_links_that_change_during_a_call_lead_nowhere(
    registry: polycall.Registry, doors: Callable[[str, str], None], name: str
) -> None:
    steps = Steps()
    root = steps.root()
    honest = steps.do("metadata-hash-at", root, 1, "door/file").step
    for _ in range(100):
        steps.do("metadata-hash-at", root, 1, "door/file")
    inside = str(run(registry, steps)[honest])
    doors(name, SWAPS[name])
    found: Counter[str] = Counter()
    until = time.monotonic() + 3
    while time.monotonic() < until and (found[inside] < ENOUGH or found[_code("not-permitted")] < ENOUGH):
        found.update(map(str, run(registry, steps)[2:]))
    assert found[inside]
    assert found[_code("not-permitted")]
    assert set(found) <= {inside, *map(_code, ("not-permitted", "no-entry", "not-directory", "loop"))}


def _code(name: str) -> str:
    return str({"err": name})


OPENINGS = {"read": os.O_RDONLY, "cut": os.O_WRONLY | os.O_TRUNC, "make": os.O_WRONLY | os.O_CREAT}


@attacks(*(
    Attack(f"a link out put in the place of a file: {how}", WHERE, "an error", "the file inside is opened")
    for how in OPENINGS
))  # fmt: skip
@pytest.mark.parametrize("how", OPENINGS)
@pytest.mark.parametrize("name", SWAPS)
def test_no_file_outside_is_opened_while_links_change(
    data: Path, doors: Callable[[str, str], None], name: str, how: str
) -> None:
    """Whatever is opened is a file inside: the secret would be cut, or its text be read."""
    inside = (data / "door/file").stat().st_ino
    doors(name, SWAPS[name])
    with closing_folder(data) as folder:
        opened = refused = 0
        until = time.monotonic() + 3
        while time.monotonic() < until and (opened < ENOUGH or refused < ENOUGH):
            try:
                descriptor = folder.open("door/file", OPENINGS[how], follow=True)
            except OSError as error:
                refused += error.errno == errno.EPERM
                continue
            opened += os.fstat(descriptor).st_ino == inside
            os.close(descriptor)
    assert opened
    assert refused


@contextlib.contextmanager
def closing_folder(path: Path) -> Iterator[OpenFolder]:
    descriptor = os.open(path, os.O_RDONLY)
    yield OpenFolder(descriptor, "/data", read_only=False)
    os.close(descriptor)


@attacks(Attack("links that lead through thousands of folders", WHERE, "`name-too-long`", "a path of two folders"))
def test_a_walk_has_a_bounded_number_of_steps(data: Path, registry: polycall.Registry) -> None:
    for number in range(30):
        (data / f"long{number}").symlink_to("inner/../" * 400 + (f"long{number + 1}" if number < 29 else "mine"))
    steps = Steps()
    root = steps.root()
    steps.do("stat-at", root, 1, "long0")
    steps.do("stat-at", root, 1, "long28")
    results = run(registry, steps)
    assert results[-2] == {"err": "name-too-long"}
    assert results[-1]["ok"]["size"] == 4


# --- descriptors ---


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208  # a count, of no path


@attacks(
    Attack("a guest opens more than `max_open_files`", WHERE, "`quota`, and nothing is made", "once one is dropped"),
)
def test_an_instance_has_a_bounded_number_of_files(data: Path) -> None:
    wasi = {"limits": {"max_open_files": 3}}
    with load_steps(data.parent / "project", Mount(data), wasi=wasi) as registry:
        steps = Steps()
        root = steps.root()
        files = [steps.open(root, name) for name in ("mine", "inner", "inner/deep")]
        refused = [
            steps.open(root, "made", "create").step,
            steps.open(root, "mine", "truncate").step,
            steps.do("read-directory", root).step,
        ]
        steps.do("drop-descriptor", files[0])
        again = steps.open(root, "made", "create").step
        results = run(registry, steps)
        assert [results[each.step] for each in files] == [{"ok": None}] * 3
        assert [results[step] for step in refused] == [{"err": "quota"}] * 3
        assert (data / "mine").read_text() == "mine"
        assert results[again] == {"ok": None}


@attacks(Attack("streams that outlive their descriptors, 200 of them", WHERE, "`quota` after 64", "200, each dropped"))
@pytest.mark.parametrize("drops", [False, True])
def test_streams_keep_no_more_files_open_than_descriptors_could(data: Path, drops: bool) -> None:
    with load_steps(data.parent / "project", Mount(data)) as registry:
        steps = Steps()
        root = steps.root()
        opened = []
        for _ in range(64):
            file = steps.open(root, "mine")
            stream = steps.do("read-via-stream", file, 0)
            steps.do("drop-descriptor", file)
            if drops:
                steps.do("drop-input", stream)
            opened.append(file.step)
        last = steps.open(root, "mine").step
        results = steps.run(lambda values: registry.call("app:steps", values), 64 << 10)
        assert [results[step] for step in opened] == [{"ok": None}] * 64
        assert results[last] == ({"ok": None} if drops else {"err": "quota"})


@attacks(
    Attack(
        "opening a folder from itself, from there again, for a name that grows",
        WHERE,
        "the name has 259 characters",
        "a file opens from the last one",
    )
)
def test_the_name_of_what_is_open_does_not_grow_for_ever(data: Path) -> None:
    with load_steps(data.parent / "project", Mount(data)) as registry:
        steps, trace = Steps(), Trace()
        folder = steps.root()
        for _ in range(40):
            folder, before = steps.open(folder, "././././././."), folder
            steps.do("drop-descriptor", before)
        read = steps.do("read", steps.open(folder, "mine"), 100, 0)
        results = steps.run(lambda values: registry.call("app:steps", values, observer=trace))
        assert results[read.step] == {"ok": (b"mine", False)}
        assert max(map(len, trace.calls[0].waits)) == 256 + len("...")


@pytest.fixture
def few() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@attacks(
    Attack("300 files, where the process may have 256", WHERE, "`quota`: half is left", "a call after it opens one")
)
@pytest.mark.usefixtures("few")
def test_guests_leave_half_of_the_descriptors_of_the_process(data: Path) -> None:
    wasi = {"limits": {"max_open_files": 1000}}
    with load_steps(data.parent / "project", Mount(data), wasi=wasi) as registry:
        steps = Steps()
        root = steps.root()
        opened = [steps.open(root, "mine").step for _ in range(300)]
        results = steps.run(lambda values: registry.call("app:steps", values), 256 << 10)
        held = [results[step] for step in opened]
        assert held.count({"ok": None}) <= 128
        assert held[-1] == {"err": "quota"}
        assert run(registry, reading("mine"))[-1] == {"ok": (b"mine", False)}


@attacks(Attack("calls that open files and trap, 20 times", WHERE, "none stays open", "a call that ends"))
def test_a_call_that_traps_keeps_no_file(data: Path, registry: polycall.Registry) -> None:
    steps = Steps()
    root = steps.root()
    steps.do("read-directory", root)
    steps.do("read-via-stream", steps.open(root, "mine"), 0)
    run(registry, steps)
    before = descriptors()
    steps.do("sync", Place(0, 8))  # no handle
    for _ in range(20):
        with pytest.raises(TrapError, match="unknown handle"):
            run(registry, steps)
    assert descriptors() == before


@attacks(Attack("a listing of 20,000 long names", WHERE, "32 KiB of the host's memory", "each name comes"))
def test_a_listing_is_not_kept_in_memory(data: Path, registry: polycall.Registry) -> None:
    (data / "many").mkdir()
    for number in range(20_000):
        (data / "many" / f"{number:0200}").touch()
    steps = Steps()
    listing = steps.do("read-directory", steps.open(steps.root(), "many"))
    for _ in range(50):
        steps.do("read-directory-entry", listing)
    run(registry, steps)
    tracemalloc.start()
    try:
        results = steps.run(lambda values: registry.call("app:steps", values), 64 << 10)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len({each["ok"][1] for each in results[-50:]}) == 50
    assert most < 2 << 20
