"""`wasi:filesystem` does to a folder what wasmtime's own does, whatever paths and flags a guest comes up with.

Where both refuse, they may name different faults of a path that has two of them; what is known to differ besides stands
in `docs/wasi/filesystem.md`.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polycall
from effort import times
from file_steps import Mount, Place, Steps, WasmtimeFiles, load_steps

_LINKS = {
    "lf": "file", "ld": "sub", "dangling": "new", "dslash": "new/", "out": "../secret", "outdir": "..", "abs": "/etc",
    "loop": "loop", "lfs": "file/", "lds": "sub/", "sub/up": "../file", "chain": "lf", "sub/upup": "../../secret",
    "dang2": "sub/new", "dangout": "../made",
}  # fmt: skip
_NAMES = [
    "file", "sub", "empty", "missing", ".", "..", "sub/in", "ld/in", "outdir/secret", "abs/passwd", "sub/..",
    "sub/../file", "sub/.", "sub/../..", "missing/..", "file/..", "file/x", "missing/x", "ld/..", "ld/../file",
    "sub//in", "./file", "file/.", *_LINKS,
]  # fmt: skip
PATHS = [*_NAMES, *(f"{name}/" for name in _NAMES), "", "/", "/file", "sub///", "x" * 255, "x" * 256]
_OPEN = ("create", "exclusive", "truncate")


class Action(NamedTuple):
    """One thing that a guest does.

    Attributes:
        name: The function.
        act: Adds it to steps, at a folder.
        exact: Whether the code of an error is compared as well.
    """

    name: str
    act: Callable[[Steps, Place], Place]
    exact: bool

    def __repr__(self) -> str:
        return self.name


def _plain(*paths: str) -> bool:
    """Says whether there is at most one fault: a slash at the end may be one more."""
    return not any(path.endswith("/") or path.rpartition("/")[2] in {"dslash", "lfs", "lds"} for path in paths)


def _opening(path: str, how: tuple[str, ...], flags: str, follow: bool) -> Action:
    def act(steps: Steps, root: Place) -> Place:
        return steps.open(root, path, *how, flags=flags, follow=follow)

    return Action(f"open-at {path!r} {how} {flags!r} follow={follow}", act, _plain(path))


def _at_path(name: str, path: str) -> Action:
    return Action(f"{name} {path!r}", lambda steps, root: steps.do(name, root, path), _plain(path))


def _flagged(name: str, follow: bool, path: str) -> Action:
    times = (2, 10**9, 7, 2, 10**9 + 1, 8) if name == "set-times-at" else ()
    return Action(
        f"{name} {path!r} follow={follow}", lambda s, root: s.do(name, root, int(follow), path, *times), _plain(path)
    )


def _on_two(name: str, old: str, new: str) -> Action:
    flags = (0,) if name == "link-at" else ()
    return Action(f"{name} {old!r} {new!r}", lambda s, root: s.do(name, root, *flags, old, root, new), False)


def _linking(target: str, path: str) -> Action:
    return Action(f"symlink-at {target!r} {path!r}", lambda s, root: s.do("symlink-at", root, target, path), False)


paths = st.sampled_from(PATHS)
# A folder whose path ends in a slash is removed here, as by the system, and not by wasmtime.
removable = paths.filter(lambda path: not path.endswith("/"))
openings = st.one_of(
    st.builds(
        _opening, paths, st.sets(st.sampled_from(_OPEN)).map(lambda chosen: tuple(sorted(chosen))),
        st.sampled_from(["read", "write", "read write"]), st.booleans(),
    ),
    st.builds(_opening, paths, st.just(("directory",)), st.just("read"), st.booleans()),
)  # fmt: skip
actions = st.one_of(
    openings,
    st.builds(_at_path, st.sampled_from(["create-directory-at", "unlink-file-at", "readlink-at"]), paths),
    st.builds(_at_path, st.just("remove-directory-at"), removable),
    st.builds(_flagged, st.just("set-times-at"), st.booleans(), paths),
    st.builds(_on_two, st.sampled_from(["rename-at", "link-at"]), paths, paths),
    st.builds(_linking, paths, paths),
)


class Twins(NamedTuple):
    """Two folders that are alike: one that is reached through us, one through wasmtime."""

    registry: polycall.Registry
    ours: Path
    theirs: Path

    def do(self, done: list[Action]) -> None:
        """Makes both anew, does the same in both, and compares what came of it."""
        for folder in (self.ours, self.theirs):
            _fill(folder)
        steps = Steps()
        root = steps.root()
        places = [action.act(steps, root).step for action in done]
        here = steps.run(lambda values: self.registry.call("app:steps", values), 8 << 10)
        there = steps.run(WasmtimeFiles(Mount(self.theirs)), 8 << 10)
        for action, place in zip(done, places, strict=True):
            assert _verdict(here[place], action.exact) == _verdict(there[place], action.exact), action
        assert _state(self.ours) == _state(self.theirs)


def _verdict(result: dict[str, Any], exact: bool) -> Any:
    return result if exact or "ok" in result else "refused"


def _fill(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in ("sub", "empty"):
        (folder / name).mkdir()
    (folder / "file").write_text("file")
    (folder / "sub/in").write_text("in")
    for name, target in _LINKS.items():
        (folder / name).symlink_to(target)


def _state(folder: Path) -> list[Any]:
    return sorted(_known_of(path, str(path.relative_to(folder))) for path in folder.rglob("*"))


def _known_of(path: Path, name: str) -> tuple[Any, ...]:
    status = path.lstat()
    kind = stat.S_IFMT(status.st_mode)
    if stat.S_ISDIR(kind):
        return name, kind, 0, 0, b""
    content = os.fsencode(path.readlink()) if stat.S_ISLNK(kind) else path.read_bytes()
    set_by_guest = status.st_mtime_ns if status.st_mtime_ns < 2 * 10**9 else 0
    return name, kind, status.st_nlink, set_by_guest, content


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("project", "ours", "theirs"):
            (folder / each).mkdir()
        (folder / "secret").write_text("secret")
        with load_steps(folder / "project", Mount(folder / "ours")) as registry:
            yield Twins(registry, folder / "ours", folder / "theirs")
        assert (folder / "secret").read_text() == "secret"
        assert sorted(path.name for path in folder.iterdir()) == ["ours", "project", "secret", "theirs"]


@settings(max_examples=times(100, 30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(done=st.lists(actions, min_size=1, max_size=4))
def test_a_guest_finds_the_same_and_leaves_the_same(twins: Twins, done: list[Action]) -> None:
    twins.do(done)


@settings(max_examples=times(150, 30), deadline=None)
@given(opening=openings)
def test_opening_gives_the_same_and_leaves_the_same(twins: Twins, opening: Action) -> None:
    twins.do([opening])


def test_what_is_read_and_known_of_files_is_the_same(twins: Twins) -> None:
    for folder in (twins.ours, twins.theirs):
        _fill(folder)
        for path in (folder / "file", folder / "sub"):
            os.utime(path, ns=(10**9 + 1, 10**9 + 2))
    steps = Steps()
    root = steps.root()
    file = steps.open(root, "file", flags="read write")
    for name, *arguments in (
        ("write", b"XY", 9), ("read", 4, 2), ("read", 100, 11), ("read", 0, 0), ("get-flags",), ("get-type",),
        ("set-size", 6), ("read", 100, 0), ("advise", 0, 2, 4), ("sync",), ("sync-data",), ("set-size", 2**64 - 1),
        ("write", b"x", 2**63), ("read", 1, 2**63), ("read-directory",), ("create-directory-at", "x"),
    ):  # fmt: skip
        steps.do(name, file, *arguments)
    stream = steps.do("read-via-stream", file, 4)
    steps.do("blocking-read", stream, 100)
    steps.do("blocking-read", stream, 100)
    appending = steps.do("append-via-stream", file)
    steps.do("blocking-write-and-flush", appending, b"end")
    steps.do("read", file, 100, 0)
    read_only = steps.open(root, "file")
    steps.do("write", read_only, b"x", 0)
    steps.do("set-size", read_only, 0)
    failed = steps.do("blocking-write-and-flush", steps.do("write-via-stream", read_only, 0), b"x")
    steps.do("filesystem-error-code", failed._replace(shift=8))
    for name, *arguments in (
        ("read", 1, 0),
        ("write", b"x", 0),
        ("set-size", 0),
        ("read-via-stream", 0),
        ("get-flags",),
    ):
        steps.do(name, root, *arguments)
    inner = steps.open(root, "sub", "directory")
    steps.do("get-flags", inner)
    steps.do("is-same-object", inner, root)
    listing = steps.do("read-directory", inner)
    for _ in range(5):
        steps.do("read-directory-entry", listing)
    here = steps.run(lambda values: twins.registry.call("app:steps", values))
    there = steps.run(WasmtimeFiles(Mount(twins.theirs)))
    last = slice(-5, None)
    assert sorted(map(str, here[last])) == sorted(map(str, there[last]))
    assert here[:-5] == there[:-5]
