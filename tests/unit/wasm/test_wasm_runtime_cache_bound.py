"""How much compiled code is kept, what goes first, and that nothing else is ever removed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import polycall
from polycall.wasm_runtime.engine import cache_bound, compile_cache
from polycall.wasm_runtime.engine.cache_bound import CacheUsage, cache_usage, clear_cache, prune
from polycall.wasm_runtime.engine.compile_cache import CompileCache
from projects import write_project

CONTENT = b"c" * 1_000
FRAME_BYTES = 48
HOUR_NS = 3600 * 10**9


def key(number: int) -> str:
    return f"{number:064x}"


def used(folder: Path, number: int, hours_ago: int) -> None:
    """Has the files of a key look as if they were last used so many hours ago."""
    for file in folder.glob(f"{key(number)}.*"):
        at = file.stat().st_mtime_ns - hours_ago * HOUR_NS
        os.utime(file, ns=(at, at))


def kept(folder: Path) -> set[int]:
    return {int(file.stem, 16) for file in folder.glob("*.compiled")}


def filled(folder: Path, count: int) -> CompileCache:
    """Makes a cache of so many programs: the first was not used for the longest time."""
    cache = CompileCache(folder, 5 * (len(CONTENT) + FRAME_BYTES))
    for number in range(count):
        cache.store(key(number), CONTENT)
        used(folder, number, 100 - number)
    return cache


def test_what_was_not_used_for_the_longest_time_goes_first(tmp_path: Path) -> None:
    cache = filled(tmp_path, 5)
    assert kept(tmp_path) == {0, 1, 2, 3, 4}
    cache.store(key(5), CONTENT)
    assert kept(tmp_path) == {1, 2, 3, 4, 5}


def test_use_keeps_it(tmp_path: Path) -> None:
    cache = filled(tmp_path, 5)
    assert cache.load(key(0)) == CONTENT
    cache.store(key(5), CONTENT)
    assert kept(tmp_path) == {0, 2, 3, 4, 5}


def test_use_of_what_is_mapped_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_cache, "_LARGE_BYTES", 0)
    monkeypatch.setattr(compile_cache, "_YOUNG_NS", -1)
    cache = filled(tmp_path, 4)
    for _ in range(2):
        assert isinstance(cache.find(key(0)), Path)
        used(tmp_path, 0, 50)
    before = (tmp_path / f"{key(0)}.compiled").stat()
    assert isinstance(cache.find(key(0)), Path)
    assert (tmp_path / f"{key(0)}.compiled").stat().st_ctime_ns == before.st_ctime_ns  # else it would be read again
    for number in (4, 5):
        cache.store(key(number), CONTENT)
    assert 0 in kept(tmp_path)
    assert 1 not in kept(tmp_path)


def test_what_is_larger_than_all_may_be_is_not_kept_and_removes_nothing(tmp_path: Path) -> None:
    filled(tmp_path, 5).store(key(5), CONTENT * 6)
    assert kept(tmp_path) == {0, 1, 2, 3, 4}


def test_a_note_goes_with_what_it_is_about(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    (tmp_path / f"{key(0)}.seen").write_bytes(b"note")
    used(tmp_path, 0, 200)
    prune(tmp_path, len(CONTENT) + FRAME_BYTES)
    assert [file.name for file in tmp_path.iterdir()] == [f"{key(1)}.compiled"]


OTHERS = ("notes.txt", "my.compiled", f"{'0' * 64}.txt", f"{'0' * 63}g.compiled", f"{'0' * 64}.compiled.bak", ".hidden")


@pytest.mark.parametrize("how", ["prune", "clear"])
def test_nothing_is_removed_but_what_the_cache_has_made(tmp_path: Path, how: str) -> None:
    folder, outside = tmp_path / "cache", tmp_path / "outside"
    filled(folder, 3)
    outside.write_bytes(b"precious")
    for name in OTHERS:
        (folder / name).write_bytes(b"precious")
    (folder / f"{key(9)}.compiled").symlink_to(outside)
    (folder / f"{key(8)}.compiled").mkdir()
    if how == "prune":
        prune(folder, 0)
    else:
        clear_cache(folder)
    assert {file.name for file in folder.iterdir()} == {*OTHERS, f"{key(8)}.compiled"}
    assert outside.read_bytes() == b"precious"


def test_what_a_process_left_half_written_goes_when_nobody_can_be_writing_it(tmp_path: Path) -> None:
    left, writing = tmp_path / ".writing-left", tmp_path / ".writing-now"
    for file in (left, writing):
        file.write_bytes(CONTENT)
    at = left.stat().st_mtime_ns - 2 * HOUR_NS
    os.utime(left, ns=(at, at))
    assert cache_usage(tmp_path) == CacheUsage(1, len(CONTENT))
    assert clear_cache(tmp_path) == CacheUsage(1, len(CONTENT))
    assert [file.name for file in tmp_path.iterdir()] == [writing.name]


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert cache_usage(tmp_path / "none") == clear_cache(tmp_path / "none") == CacheUsage(0, 0)
    assert not (tmp_path / "none").exists()


def test_what_is_removed_by_another_at_the_same_time_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = filled(tmp_path, 5)
    found = list(cache_bound._kept(tmp_path))
    found[0].path.unlink()
    monkeypatch.setattr(cache_bound, "_kept", lambda _directory: iter(found))
    cache.store(key(5), CONTENT)
    assert clear_cache(tmp_path).files == 5


PROCESS = """
import sys
from pathlib import Path
from polycall.wasm_runtime.engine import compile_cache
compile_cache._LARGE_BYTES = 1_500
compile_cache._YOUNG_NS = -1
cache = compile_cache.CompileCache(Path(sys.argv[1]), 10_000)
for number in range(400):
    key, content = f"{number % 13:064x}", bytes([number % 13]) * (1_000 + number % 13 * 100)
    found = cache.find(key)
    if isinstance(found, Path):
        try:
            found = found.read_bytes()[:len(content)]
        except FileNotFoundError:
            found = None
    assert found in (None, content), number
    cache.store(key, content)
assert not cache._warned
"""


def test_many_processes_share_a_folder_that_is_too_small_for_them(tmp_path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert 0 < cache_usage(tmp_path).size_bytes <= 10_000
    assert not list(tmp_path.glob(".writing-*"))


INDEX = """
namespace: app
entries:
  - {name: f, kind: function.wat, method: f, wit: "f: func() -> s32", isolation: %s,
     source: '(module (func (export "f") (result i32) (i32.const 7)))'}
"""


@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize(("settings", "files"), [("", 1), ("max_cache_bytes: 0", 0)])
def test_the_settings_say_how_much_is_kept(tmp_path: Path, isolation: str, settings: str, files: int) -> None:
    (tmp_path / "project").mkdir()
    project = write_project(tmp_path / "project", index=INDEX % isolation, polycall_yaml=settings)
    with polycall.load(project, cache_directory=tmp_path / "cache") as registry:
        assert registry.call("app:f") == 7
    assert cache_usage(tmp_path / "cache").files == files
