"""Programs: verified, compiled once, kept on disk between runs."""

from __future__ import annotations

import errno
import gc
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

from polycall.interop import slow_work
from polycall.interop.errors import HashError, NotFoundError, PreparationError
from polycall.interop.program_files import MOST_BINARY_BYTES
from polycall.interop.source import SourceText
from polycall.wasm_runtime import BinaryFile, WasmProgram
from polycall.wasm_runtime.component import validation
from polycall.wasm_runtime.component.plans import Plans
from polycall.wasm_runtime.component.validation import validate
from polycall.wasm_runtime.engine import compile_cache
from polycall.wasm_runtime.engine.cache_folder import CacheFolder, default_cache_directory
from polycall.wasm_runtime.engine.compile_cache import CompileCache
from polycall.wasm_runtime.function import WasmFunction
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import call, open_runtime

TEXT = (
    '(component (core module $m (func (export "f") (result i32) (i32.const {}))) (core instance $i (instantiate $m)) \
(func (export "f") (result u32) (canon lift (core func $i "f"))))'
)

KEY = "0" * 64
ROOT = Path(__file__).parents[3]


class Compilations:
    """Counts what is read and compiled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.compiled = 0
        self.validated = 0
        self.read = 0
        counter = self

        class Counting(wasmtime.Module):
            def __init__(self, engine: wasmtime.Engine, wasm: str | bytes) -> None:
                counter.compiled += 1
                super().__init__(engine, wasm)

        def counting_validate(component: Any, binary: bytes) -> None:
            counter.validated += 1
            validate(component, binary)

        fdopen: Any = os.fdopen

        class CountingFile(io.BufferedReader):
            def read(self, size: int | None = -1) -> bytes:
                counter.read += 1
                return super().read(size)

        def counting_open(descriptor: int, mode: str) -> Any:
            return CountingFile(io.FileIO(descriptor)) if mode == "rb" else fdopen(descriptor, mode)

        monkeypatch.setattr(wasmtime, "Module", Counting)
        monkeypatch.setattr(validation, "validate", counting_validate)
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


def test_a_module_that_is_being_freed_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Freeing a module lets other threads run, and one of them may prepare the next entry that wants it."""
    program = WasmProgram("app:f", SourceText(SHARED.format(1), "m.wat"), "f")
    free = wasmtime.Module._delete
    again: list[WasmFunction] = []

    def free_late(module: wasmtime.Module, pointer: Any) -> None:
        if len(again) < 2:
            again.append(runtime.prepare(program))
        free(module, pointer)

    with open_runtime(tmp_path / "cache") as runtime:
        first = runtime.prepare(program)
        monkeypatch.setattr(wasmtime.Module, "_delete", free_late)
        del first
        gc.collect()
        assert [call(function.instantiate()) for function in again] == [21, 21]


def test_a_second_start_compiles_nothing(tmp_path: Path, compilations: Compilations) -> None:
    code = binary(tmp_path)
    for _ in range(2):
        with open_runtime(tmp_path / "cache") as runtime:
            assert run(runtime, code) == 1
            assert run(runtime, SourceText(TEXT.format(1), "guest.wat")) == 1
    assert (compilations.compiled, compilations.validated) == (1, 1)


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
        os.truncate(tmp_path / code.path.lstrip("/"), MOST_BINARY_BYTES + 1)
        with pytest.raises(PreparationError, match="cannot be read: it has more than 536,870,912 bytes"):
            run(runtime, code)


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


# --- what modules have in common, and who waits ---------------------------------------------------------------------

SHARED = (
    '(component (core module $shared (func (export "g") (result i32) (i32.const 20))) '
    '(core module $m (import "s" "g" (func $g (result i32))) '
    '(func (export "f") (result i32) (i32.add (call $g) (i32.const {})))) '
    '(core instance $s (instantiate $shared)) (core instance $i (instantiate $m (with "s" (instance $s)))) '
    '(func (export "f") (result u32) (canon lift (core func $i "f"))))'
)


@pytest.mark.parametrize("starts", [1, 2])
def test_a_core_module_in_two_components_is_compiled_once(
    tmp_path: Path, compilations: Compilations, starts: int
) -> None:
    texts = [SourceText(SHARED.format(number), f"m{number}.wat") for number in (1, 2)]
    if starts == 1:
        with open_runtime(tmp_path) as runtime:
            assert [run(runtime, text) for text in texts] == [21, 22]
    else:
        for number, text in enumerate(texts, 21):
            with open_runtime(tmp_path) as runtime:
                assert run(runtime, text) == number
    assert compilations.compiled == 3


def test_the_engine_of_a_language_is_the_same_module_in_all_its_guests(tmp_path: Path) -> None:
    sizes: list[dict[str, int]] = []
    for path in (ROOT / "tests/guests/bin/js-caller.wasm", ROOT / "examples/04-orchestration/assets/receipt.wasm"):
        content = path.read_bytes()
        plan, digests = Plans(CompileCache(tmp_path)).of(hashlib.sha256(content).hexdigest(), content)
        sizes.append({digest: end - start for digest, (start, end) in zip(digests, plan.modules, strict=True)})
    first, second = sizes
    left_to_compile = sum(size for digest, size in second.items() if digest not in first)
    assert left_to_compile < sum(second.values()) / 5


def test_nobody_waits_for_what_another_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Event(), threading.Event()

    class Slow(wasmtime.Module):
        def __init__(self, engine: wasmtime.Engine, wasm: str | bytes) -> None:
            if b"slow" in wasm:
                begun.set()
                assert may_end.wait(60)
            super().__init__(engine, wasm)

    monkeypatch.setattr(wasmtime, "Module", Slow)
    slow = SourceText('(module (memory (export "slow") 1) (func (export "f")))', "slow.wat")
    quick = SourceText('(module (func (export "f")))', "quick.wat")
    with open_runtime(tmp_path) as runtime:

        def prepare() -> None:
            runtime.prepare(WasmProgram("app:slow", slow, "f", wit="f: func()"))

        waiting = threading.Thread(target=prepare)
        waiting.start()
        assert begun.wait(60)
        runtime.prepare(WasmProgram("app:quick", quick, "f", wit="f: func()"))
        assert waiting.is_alive()
        may_end.set()
        waiting.join()


def test_who_waits_for_a_compilation_is_told_of_it_once_it_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told = threading.Event()
    messages: list[str] = []

    class Slow(wasmtime.Module):
        def __init__(self, engine: wasmtime.Engine, wasm: str | bytes) -> None:
            assert told.wait(60)
            super().__init__(engine, wasm)

    class Telling(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())
            told.set()

    monkeypatch.setattr(wasmtime, "Module", Slow)
    monkeypatch.setattr(slow_work, "SLOW_SECONDS", 0.01)
    log, handler = logging.getLogger(slow_work.SLOW_LOG), Telling()
    log.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, slow_work.SLOW_LOG), open_runtime(tmp_path / "cache") as runtime:
            assert run(runtime, binary(tmp_path)) == 1
    finally:
        log.removeHandler(handler)
    assert messages == ["assets:/guest1.wasm is being compiled: this takes a while, once"]


# --- the files --------------------------------------------------------------------------------------------------------


def cached_file(folder: Path, kind: str = "module") -> Path:
    (file,) = [
        file for file in folder.glob("*.compiled") if file.read_bytes().startswith(b"\x7fELF") == (kind == "module")
    ]
    return file


def overwrite(file: Path, content: bytes) -> None:
    """Writes into the file itself, and has it look as before but for what nobody can set: the time of its change."""
    before = file.stat()
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # file systems count coarsely
        file.write_bytes(content)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has all files be mapped, and be old at once: what was found of them is noted at the next use."""
    monkeypatch.setattr(compile_cache, "_LARGE_BYTES", 0)
    monkeypatch.setattr(compile_cache, "_YOUNG_NS", -1)


def flip(whole: bytes) -> bytes:
    half = len(whole) // 2
    return whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda whole: whole[: len(whole) // 2],
    "one byte less": lambda whole: whole[:-1],
    "one byte more": lambda whole: whole + b"\0",
    "flipped": flip,
    "empty": lambda _: b"",
    "foreign": lambda _: b"not ours at all" * 10,
}


@pytest.mark.parametrize("kind", ["module", "plan"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_never_given_to_the_engine(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, compilations: Compilations, damage: str, kind: str
) -> None:
    cache = tmp_path / "cache"
    code = binary(tmp_path)
    with open_runtime(cache) as runtime:
        run(runtime, code)
    file = cached_file(cache, kind)
    overwrite(file, DAMAGES[damage](file.read_bytes()))
    for _ in range(2):
        with open_runtime(cache) as runtime:
            assert run(runtime, code) == 1
        made = compilations.compiled if kind == "module" else compilations.validated
        assert made == 2
    assert caplog.text.count("is damaged") == 1


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_damaged_after_it_was_seen_is_not_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    cache, path = CompileCache(tmp_path), tmp_path / f"{KEY}.compiled"
    cache.store(KEY, b"code" * 1000)
    assert cache.find(KEY) == path
    assert (tmp_path / f"{KEY}.seen").exists()
    overwrite(path, DAMAGES[damage](path.read_bytes()))
    assert cache.find(KEY) is None
    assert cache.load(KEY) is None
    assert "is damaged" in caplog.text
    cache.store(KEY, b"code")
    assert cache.find(KEY) == path


def test_what_was_found_of_a_file_is_noted_when_it_is_old_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compile_cache, "_LARGE_BYTES", 0)
    cache = CompileCache(tmp_path)
    cache.store(KEY, b"code")
    assert cache.find(KEY) is not None
    assert not list(tmp_path.glob("*.seen"))  # the next write may come so soon that the times do not tell of it
    monkeypatch.setattr(compile_cache, "_YOUNG_NS", -1)
    assert cache.find(KEY) is not None
    assert list(tmp_path.glob("*.seen"))


@pytest.mark.usefixtures("large")
def test_a_file_that_was_seen_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = CompileCache(tmp_path)
    cache.store(KEY, b"code")
    assert cache.find(KEY) == tmp_path / f"{KEY}.compiled"
    looked = looks(monkeypatch)
    assert cache.find(KEY) == tmp_path / f"{KEY}.compiled"
    assert not looked
    (tmp_path / f"{KEY}.seen").unlink()
    assert cache.find(KEY) == tmp_path / f"{KEY}.compiled"
    assert looked == [KEY]


def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list of the keys of those files whose digests are looked at from now on."""
    looked: list[str] = []
    is_whole = CompileCache._is_whole

    def look(cache: CompileCache, key: str, content: bytes) -> bool:
        looked.append(key)
        return is_whole(cache, key, content)

    monkeypatch.setattr(CompileCache, "_is_whole", look)
    return looked


def test_what_is_small_is_looked_at_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_cache, "_YOUNG_NS", -1)
    cache = CompileCache(tmp_path)
    cache.store(KEY, b"code")
    looked = looks(monkeypatch)
    assert [cache.find(KEY), cache.find(KEY)] == [b"code", b"code"]
    assert looked == [KEY, KEY]


@pytest.mark.skipif(sys.platform != "linux", reason="it says there what is mapped")
@pytest.mark.usefixtures("large")
def test_machine_code_runs_where_it_is_mapped(tmp_path: Path) -> None:
    with open_runtime(tmp_path / "cache") as runtime:
        assert run(runtime, binary(tmp_path)) == 1
    with open_runtime(tmp_path / "cache") as runtime:
        function = runtime.prepare(WasmProgram("app:f", binary(tmp_path), "f"))
        maps = Path("/proc/self/maps").read_text(encoding="utf-8")
        assert call(function.instantiate()) == 1
    assert str(cached_file(tmp_path / "cache")) in maps


def a_note_of_nonsense(note: Path) -> None:
    note.write_bytes(b"nonsense")


def an_endless_note(note: Path) -> None:
    note.unlink()
    note.symlink_to("/dev/zero")


def a_pipe_as_note(note: Path) -> None:
    note.unlink()
    os.mkfifo(note)


def a_note_of_others(note: Path) -> None:
    note.chmod(0o666)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes, modes and /dev are not there")
@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("spoil", [a_note_of_nonsense, an_endless_note, a_pipe_as_note, a_note_of_others])
def test_a_note_that_is_no_good_costs_a_look_at_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    cache = CompileCache(tmp_path)
    cache.store(KEY, b"code")
    cache.find(KEY)
    spoil(tmp_path / f"{KEY}.seen")
    looked = looks(monkeypatch)
    assert cache.find(KEY) is not None
    assert looked == [KEY]


@pytest.mark.skipif(sys.platform == "win32", reason="modes mean something else there")
@pytest.mark.parametrize("kind", ["module", "plan"])
def test_a_file_that_others_may_write_to_is_not_trusted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, compilations: Compilations, kind: str
) -> None:
    cache = tmp_path / "cache"
    with open_runtime(cache) as runtime:
        run(runtime, binary(tmp_path))
    cached_file(cache, kind).chmod(0o602)
    with open_runtime(cache) as runtime:
        assert run(runtime, binary(tmp_path)) == 1
    assert (compilations.compiled, compilations.validated) == ((2, 1) if kind == "module" else (1, 2))
    assert "may be written by other users; remove it" in caplog.text


@pytest.mark.usefixtures("large")
def test_a_folder_that_can_only_be_read_serves_what_is_in_it(
    tmp_path: Path, compilations: Compilations, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with open_runtime(tmp_path / "cache") as runtime:
        run(runtime, binary(tmp_path))
    for function in ("tempfile.mkstemp", "os.utime", "os.fsync"):
        monkeypatch.setattr(function, read_only)
    monkeypatch.setattr(compile_cache, "_TOUCH_SECONDS", -1)
    with open_runtime(tmp_path / "cache") as runtime:
        assert run(runtime, BinaryFile(tmp_path, "guest1.wasm", "g", binary_hash(tmp_path))) == 1
    assert compilations.compiled == 1
    assert not caplog.records


def binary_hash(folder: Path) -> str:
    return "sha256:" + hashlib.sha256((folder / "guest1.wasm").read_bytes()).hexdigest()


@pytest.mark.usefixtures("large")
def test_where_nothing_may_run_that_is_mapped_it_is_read(
    tmp_path: Path, compilations: Compilations, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_exec(_engine: wasmtime.Engine, _path: str) -> wasmtime.Module:
        raise wasmtime.WasmtimeError("unable to make memory executable: Permission denied (os error 13)")

    monkeypatch.setattr(wasmtime.Module, "deserialize_file", no_exec)
    for _ in range(2):
        with open_runtime(tmp_path / "cache") as runtime:
            assert run(runtime, binary(tmp_path)) == 1
    assert compilations.compiled == 1
    assert not caplog.records


@pytest.mark.usefixtures("large")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere paths are Unicode")
def test_the_folder_may_have_any_name(tmp_path: Path, compilations: Compilations) -> None:
    cache = Path(os.fsdecode(os.fsencode(tmp_path) + b"/c\xff\xfe"))
    for _ in range(2):
        with open_runtime(cache) as runtime:
            assert run(runtime, binary(tmp_path)) == 1
    assert compilations.compiled == 1


@pytest.mark.usefixtures("large")
def test_code_that_is_removed_while_it_is_looked_at_is_compiled_anew(
    tmp_path: Path, compilations: Compilations, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_runtime(tmp_path / "cache") as runtime:
        run(runtime, binary(tmp_path))
    find = CompileCache.find

    def found_and_removed(cache: CompileCache, key: str) -> bytes | Path | None:
        path = find(cache, key)
        if isinstance(path, Path):
            path.unlink()
        return path

    monkeypatch.setattr(CompileCache, "find", found_and_removed)
    with open_runtime(tmp_path / "cache") as runtime:
        assert run(runtime, binary(tmp_path)) == 1
    assert compilations.compiled == 2
    assert not caplog.records


@pytest.mark.parametrize("kind", ["module", "plan"])
def test_the_file_of_another_program_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, number in ((first, 1), (second, 2)):
        with open_runtime(folder) as runtime:
            run(runtime, binary(tmp_path, number))
    shutil.copy(cached_file(first, kind), cached_file(second, kind))
    with open_runtime(second) as runtime:
        assert run(runtime, binary(tmp_path, 2)) == 2
    assert "is damaged" in caplog.text


@pytest.mark.parametrize("kind", ["module", "plan"])
def test_whole_files_that_the_engine_rejects_are_compiled_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    cache = tmp_path / "cache"
    code = binary(tmp_path)
    with open_runtime(cache) as runtime:
        run(runtime, code)
    CompileCache(cache).store(cached_file(cache, kind).stem, b"compiled by something else")
    for _ in range(2):
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
    assert (compilations.compiled, compilations.validated) == (3, 3)
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
    assert cache.find("key") is None
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
    assert str(CacheFolder(folder).obstacle()) == told
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
    assert CacheFolder(tmp_path).obstacle() is None
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
    obstacle = CacheFolder(tmp_path / "file").obstacle()
    assert obstacle is not None
    assert "cache_directory" in obstacle.remedy


def test_the_home_folder_can_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYCALL_CACHE_DIR", "~/compiled")
    assert default_cache_directory() == Path.home() / "compiled"
