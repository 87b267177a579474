"""Programs: verified, compiled once, kept on disk between runs."""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from polycall.interop.errors import HashError, NotFoundError, PreparationError
from polycall.interop.source import SourceText
from polycall.wasm_runtime import BinaryFile, WasmProgram
from polycall.wasm_runtime.engine.compile_cache import CompileCache, default_cache_directory
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import call, open_runtime

TEXT = (
    '(component (core module $m (func (export "f") (result i32) (i32.const {}))) (core instance $i (instantiate $m)) \
(func (export "f") (result u32) (canon lift (core func $i "f"))))'
)


class Compilations:
    """Counts what is read and compiled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.compiled = 0
        self.read = 0
        counter = self

        class Counting(wasmtime.Module):
            def __init__(self, engine: wasmtime.Engine, wasm: bytes) -> None:
                counter.compiled += 1
                super().__init__(engine, wasm)

        fdopen: Any = os.fdopen

        class CountingFile(io.BufferedReader):
            def read(self, size: int | None = -1) -> bytes:
                counter.read += 1
                return super().read(size)

        def counting_open(descriptor: int, mode: str) -> Any:
            return CountingFile(io.FileIO(descriptor)) if mode == "rb" else fdopen(descriptor, mode)

        monkeypatch.setattr(wasmtime, "Module", Counting)
        monkeypatch.setattr(os, "fdopen", counting_open)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> Compilations:
    return Compilations(monkeypatch)


def binary(folder: Path, number: int = 1) -> BinaryFile:
    path = folder / f"guest{number}.wasm"
    path.write_bytes(wasmtime.wat2wasm(TEXT.format(number)))
    return BinaryFile(
        folder, path.name, f"assets:/guest{number}.wasm", "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    )


def run(runtime: WasmRuntime, code: BinaryFile | SourceText) -> object:
    return call(runtime.prepare(WasmProgram("app:f", code, "f")).instantiate())


def test_a_binary_is_read_and_compiled_once_however_many_entries_name_it(
    tmp_path: Path, compilations: Compilations
) -> None:
    code = binary(tmp_path)
    compilations.read = 0
    with open_runtime(tmp_path / "cache") as runtime:
        functions = [runtime.prepare(WasmProgram(f"app:f{index}", code, "f")) for index in range(10)]
        assert [call(function.instantiate()) for function in functions] == [1] * 10
    assert (compilations.read, compilations.compiled) == (1, 1)


def test_threads_that_prepare_the_same_binary_compile_it_once(tmp_path: Path, compilations: Compilations) -> None:
    code = binary(tmp_path)
    barrier = threading.Barrier(4)
    kept: list[object] = []
    with open_runtime(tmp_path / "cache") as runtime:

        def prepare() -> None:
            barrier.wait()
            kept.append(runtime.prepare(WasmProgram("app:f", code, "f")))

        threads = [threading.Thread(target=prepare) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(kept) == 4
    assert compilations.compiled == 1


def test_a_second_start_compiles_nothing(tmp_path: Path, compilations: Compilations) -> None:
    code = binary(tmp_path)
    for _ in range(2):
        with open_runtime(tmp_path / "cache") as runtime:
            assert run(runtime, code) == 1
            assert run(runtime, SourceText(TEXT.format(1), "guest.wat")) == 1
    assert compilations.compiled == 1


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    code = binary(tmp_path)
    with open_runtime(tmp_path / "cache") as runtime:
        assert run(runtime, code) == 1
        changed = binary(tmp_path, 22)
        shutil.copy(tmp_path / changed.path, tmp_path / code.path)
        assert run(runtime, BinaryFile(tmp_path, code.path, code.name, changed.hash)) == 22
        with pytest.raises(HashError):
            run(runtime, code)


def test_a_binary_with_another_hash_is_not_run(tmp_path: Path) -> None:
    code = binary(tmp_path)
    wrong = "sha256:" + "0" * 64
    with open_runtime(tmp_path / "cache") as runtime, pytest.raises(HashError) as caught:
        run(runtime, BinaryFile(tmp_path, code.path, code.name, wrong))
    assert str(caught.value) == (
        f"assets:/guest1.wasm: expected {wrong}, got {code.hash} "
        "(if the file was rebuilt on purpose, polycall hash --write puts the new hash into the entry)"
    )
    assert caught.value.entry_id == "app:f"


def test_the_hash_may_be_in_capital_letters(tmp_path: Path) -> None:
    code = binary(tmp_path)
    with open_runtime(tmp_path / "cache") as runtime:
        assert run(runtime, BinaryFile(tmp_path, code.path, code.name, "sha256:" + code.hash[7:].upper())) == 1


def test_a_missing_file_and_an_unreadable_one_are_told(tmp_path: Path) -> None:
    code = binary(tmp_path)
    with open_runtime(tmp_path / "cache") as runtime:
        with pytest.raises(NotFoundError, match=r"assets:/guest1\.wasm: no such file"):
            run(runtime, BinaryFile(tmp_path, "gone.wasm", code.name, code.hash))
        with pytest.raises(PreparationError, match="cannot be read: Is a directory"):
            run(runtime, BinaryFile(tmp_path, ".", code.name, code.hash))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"#!/bin/sh\n", "is not WebAssembly: it begins with b'#!/bin/s'"),
        (b"\0asm\x01\0\0\0\x01\xff", "does not compile: "),
        (b"\0asm\x0d\0\x01\0junk", "is not a component that polycall can run: there is no section 106, at offset 0x8"),
    ],
)
def test_a_file_that_is_no_good_webassembly_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.wasm"
    path.write_bytes(content)
    code = BinaryFile(tmp_path, path.name, "assets:/bad.wasm", "sha256:" + hashlib.sha256(content).hexdigest())
    with open_runtime(tmp_path / "cache") as runtime, pytest.raises(PreparationError) as caught:
        run(runtime, code)
    assert str(caught.value).startswith(f"assets:/bad.wasm {message}")
    assert "\n" not in str(caught.value)


def test_a_mistake_in_text_is_told_with_the_users_file_and_line(tmp_path: Path) -> None:
    source = SourceText("(module\n  (func (i32.ad)))", "app/_index.yaml", first_line=12)
    with open_runtime(tmp_path) as runtime, pytest.raises(PreparationError) as caught:
        run(runtime, source)
    assert re.fullmatch(r"app/_index\.yaml:13:10: .+", str(caught.value))


def test_text_that_assembles_and_does_not_validate_is_told(tmp_path: Path) -> None:
    with (
        open_runtime(tmp_path) as runtime,
        pytest.raises(PreparationError, match=r"^m\.wat does not compile: ."),
    ):
        run(runtime, SourceText("(module (func (result i32)))", "m.wat"))


# --- the files --------------------------------------------------------------------------------------------------------


def cached_file(folder: Path, but: Path | None = None) -> Path:
    """Returns the file of machine code: the other one of a component says that it is valid."""
    files = [file for file in folder.glob("*.compiled") if file != but]
    return max(files, key=lambda file: file.stat().st_size)


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "foreign"])
def test_a_damaged_file_is_never_given_to_the_engine(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture, compilations: Compilations
) -> None:
    cache = tmp_path / "cache"
    code = binary(tmp_path)
    with open_runtime(cache) as runtime:
        run(runtime, code)
    file = cached_file(cache)
    whole = file.read_bytes()
    half = len(whole) // 2
    file.write_bytes(
        {
            "truncate": whole[:half],
            "flip": whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :],
            "empty": b"",
            "foreign": b"not ours at all" * 10,
        }[damage]
    )
    with open_runtime(cache) as runtime:
        assert run(runtime, code) == 1
    assert compilations.compiled == 2
    assert "is damaged" in caplog.text
    with open_runtime(cache) as runtime:
        assert run(runtime, code) == 1
    assert compilations.compiled == 2


def test_the_file_of_another_program_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = tmp_path / "cache"
    with open_runtime(cache) as runtime:
        run(runtime, binary(tmp_path, 1))
        first = cached_file(cache)
        run(runtime, binary(tmp_path, 2))
    second = cached_file(cache, but=first)
    shutil.copy(first, second)
    with open_runtime(cache) as runtime:
        assert run(runtime, binary(tmp_path, 2)) == 2
    assert "is damaged" in caplog.text


def test_whole_files_that_the_engine_rejects_are_compiled_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    code = binary(tmp_path)
    with open_runtime(cache) as runtime:
        run(runtime, code)
    CompileCache(cache).store(cached_file(cache).stem, b"compiled by something else")
    with open_runtime(cache) as runtime:
        assert run(runtime, code) == 1
    assert caplog.text.count("compiled anew and replaced") == 1


def test_the_directory_is_private(tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "cache"
    with open_runtime(cache) as runtime:
        run(runtime, binary(tmp_path))
    assert cache.stat().st_mode & 0o777 == 0o700
    assert not list(cache.glob(".writing-*"))


@pytest.mark.skipif(sys.platform == "win32", reason="modes mean something else there")
def test_a_directory_that_others_may_write_to_is_not_trusted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, compilations: Compilations
) -> None:
    cache = tmp_path / "cache"
    code = binary(tmp_path)
    with open_runtime(cache) as runtime:
        run(runtime, code)
    cache.chmod(0o777)
    with open_runtime(cache) as runtime:
        assert run(runtime, code) == 1
        assert run(runtime, binary(tmp_path, 2)) == 2
    assert compilations.compiled == 3
    assert caplog.text.count("other users may write") == 1


def test_a_cache_that_cannot_be_written_is_told_once_and_then_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with caplog.at_level(logging.WARNING), open_runtime(blocked / "cache") as runtime:
        assert run(runtime, binary(tmp_path, 1)) == 1
        assert run(runtime, binary(tmp_path, 2)) == 2
    assert len(caplog.records) == 1
    assert "compiled without the cache" in caplog.text


def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_path: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with open_runtime(tmp_path / "cache") as runtime:
        assert run(runtime, binary(tmp_path)) == 1
    assert list((tmp_path / "cache").iterdir()) == []
    assert "No space left" in caplog.text


def test_the_directory_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POLYCALL_CACHE_DIR", str(tmp_path / "own"))
    assert default_cache_directory() == tmp_path / "own"
    monkeypatch.delenv("POLYCALL_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_directory() == tmp_path / "xdg" / "polycall"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_directory() == tmp_path / ".cache" / "polycall"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders there")
def test_a_pipe_in_the_place_of_compiled_code_is_replaced_and_nobody_waits_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = CompileCache(tmp_path)
    os.mkfifo(tmp_path / "key.compiled")
    assert cache.load("key") is None
    assert "key.compiled is no regular file; remove it, or set POLYCALL_CACHE_DIR" in caplog.text
    cache.store("key", b"code")
    assert cache.load("key") == b"code"


def a_file(path: Path) -> None:
    path.touch()


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


def open_to_others(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


ELSEWHERE = "set POLYCALL_CACHE_DIR to a folder of your own"
OBSTACLES: dict[Callable[[Path], None], str] = {
    a_file: f"it is no folder; remove it, or {ELSEWHERE}",
    a_link_to_nothing: f"it is no folder; remove it, or {ELSEWHERE}",
    open_to_others: f"other users may write to it; set its mode to 0700, or {ELSEWHERE}",
    below_a_file: f"Not a directory; {ELSEWHERE}",
}


@pytest.mark.parametrize("make", OBSTACLES, ids=lambda make: make.__name__)
def test_a_directory_that_cannot_be_used_is_told_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "parent" / "cache"
    folder.parent.mkdir()
    make(folder)
    monkeypatch.setenv("POLYCALL_CACHE_DIR", str(folder))
    _is_told(folder, OBSTACLES[make], caplog)


def _is_told(folder: Path, told: str, caplog: pytest.LogCaptureFixture) -> None:
    cache = CompileCache(folder)
    assert str(cache.obstacle()) == told
    assert cache.load("key") is None
    cache.store("key", b"code")
    assert [record.getMessage() for record in caplog.records] == [
        f"WebAssembly is compiled without the cache in {folder}: {told}"
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such owner there")
def test_a_directory_of_another_user_is_no_matter_of_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("POLYCALL_CACHE_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    assert CompileCache(tmp_path).obstacle() is None
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    _is_told(tmp_path, "it belongs to another user; set POLYCALL_CACHE_DIR to a folder of your own", caplog)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.ENOSPC, "No space left on device; make room there, or set POLYCALL_CACHE_DIR to a folder of your own"),
        (errno.EROFS, "Read-only file system; set POLYCALL_CACHE_DIR to a folder of your own"),
        (errno.EACCES, "Permission denied; set POLYCALL_CACHE_DIR to a folder of your own"),
    ],
)
def test_a_directory_that_cannot_be_written_is_told_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int, told: str
) -> None:
    def refuse(*_arguments: object, **_options: object) -> str:
        raise OSError(code, os.strerror(code))

    monkeypatch.setenv("POLYCALL_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    _is_told(tmp_path, told, caplog)


def test_who_has_no_home_is_told_and_nothing_else_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def homeless(_path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for variable in ("POLYCALL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "expanduser", homeless)
    told = "there is no home directory to keep it in; set POLYCALL_CACHE_DIR to a folder of your own"
    _is_told(default_cache_directory(), told, caplog)


def test_the_directory_of_a_program_is_not_mended_by_the_variable_alone(tmp_path: Path) -> None:
    a_file(tmp_path / "file")
    obstacle = CompileCache(tmp_path / "file").obstacle()
    assert obstacle is not None
    assert "cache_directory" in obstacle.remedy


def test_the_home_folder_can_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYCALL_CACHE_DIR", "~/compiled")
    assert default_cache_directory() == Path.home() / "compiled"
