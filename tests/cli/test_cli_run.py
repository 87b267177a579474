from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import polycall
from commands import run, run_on_descriptors
from polycall.interop.program_files import MOST_BINARY_BYTES
from projects import GUESTS, hash_of, write_project

BIN = GUESTS / "bin"
GROUPS = '["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", wasi1]'
ECHO, FILTER = BIN / "c-echo.wasm", BIN / "c-filter.wasm"


def entry(name: str, path: str, method: str, more: str = "") -> str:
    head = f"{{name: {name}, kind: function.wasm, fs: bin, path: {path}, hash: '{hash_of(BIN / path)}'"
    return f"  - {head}, method: '{method}', imports: {GROUPS}{more}}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_bytes(b"in a folder\n")
    mounts = "mounts: [{fs: data, guest: /data}]"
    index = (
        f"namespace: app\nentries:\n  - {{name: bin, kind: fs.directory, directory: {BIN}}}\n"
        "  - {name: data, kind: fs.directory, directory: data}\n"
        "  - {name: store, kind: env.storage.static, values: {HOME_TOWN: Seoul}}\n"
        "  - {name: town, kind: env.variable, variable: HOME_TOWN, storage: store}\n"
        + entry("filter", "c-filter.wasm", "wasi:cli/run#run")
        + entry("filter_core", "c-filter-core.wasm", "_start")
        + entry("echo", "c-echo.wasm", "wasi:cli/run#run", f", wasi: {{env: [{{id: town, name: TOWN}}], {mounts}}}")
        + entry("isolated", "c-filter.wasm", "wasi:cli/run#run", ", isolation: process")
        + entry("alone", "c-echo.wasm", "wasi:cli/run#run", f", isolation: process, wasi: {{{mounts}}}")
        + entry("slow", "c-echo.wasm", "wasi:cli/run#run", ", limits: {max_execution_ms: 300}")
        + "  - {name: lua, kind: function.lua, method: f, source: 'return { f = function() end }'}\n"
    )
    return write_project(tmp_path, index=index)


def command(
    *arguments: str | Path, given: bytes = b"", environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs the command in a process of its own, with pipes."""
    return subprocess.run(
        [sys.executable, "-m", "polycall", *map(str, arguments)],
        input=given,
        capture_output=True,
        env={**os.environ, **(environment or {})},
        cwd=folder,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["app:filter", "app:filter_core", "app:isolated", FILTER, BIN / "c-filter-core.wasm"])
def test_stdin_goes_through_a_program_byte_for_byte(project: Path, name: str | Path) -> None:
    given = b"abc\xff\x1b[31m\xc3\xa9\n" * 20_000
    done = command("-C", project, "run", name, given=given)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == bytes(byte - 32 if 97 <= byte <= 122 else byte for byte in given)


def test_arguments_variables_and_folder_reach_a_program(project: Path) -> None:
    done = command("-C", project, "run", "--env", "A=b=c", "--env", "B", "app:echo", "x", "--y", environment={"B": "2"})
    lines = done.stdout.decode().splitlines()
    assert [line for line in lines if line.startswith("arg")] == ["arg 0: echo", "arg 1: x", "arg 2: --y"]
    assert {line for line in lines if line.startswith("env")} == {"env A=b=c", "env B=2", "env TOWN=Seoul"}
    assert done.stderr == b"3 arguments\n"
    assert done.returncode == 0


def test_a_program_in_a_worker_is_a_program(project: Path) -> None:
    done = run_on_descriptors("-C", project, "run", "--env", "A=b", "app:alone", "x")
    assert done.stdout.decode().splitlines() == ["arg 0: alone", "arg 1: x", "env A=b", "cwd /"]
    assert (done.returncode, done.stderr) == (0, b"2 arguments\n")
    mounted = run_on_descriptors("-C", project, "run", "app:alone", "--cat", "/data/file")
    assert (mounted.returncode, mounted.stdout) == (0, b"in a folder\n")
    assert run_on_descriptors("-C", project, "run", "app:alone", "--exit", "1").returncode == 1
    trapped = run_on_descriptors("-C", project, "run", "app:alone", "--abort")
    assert (trapped.returncode, b"error: app:alone (wasm): wasm trap" in trapped.stderr) == (7, True)


def test_the_exit_status_is_the_programs(project: Path) -> None:
    assert command("-C", project, "run", "app:echo", "--return", "0").returncode == 0
    assert command("-C", project, "run", "app:echo", "--exit", "1").returncode == 1
    assert command("run", BIN / "c-echo-core.wasm", "--", "--exit", "42").returncode == 42
    assert run_on_descriptors("run", BIN / "c-echo-core.wasm", "--", "--return", "7").returncode == 7
    (project / "core.wat").write_text(LEAVES_WITH_7)
    assert run_on_descriptors("run", project / "core.wat").returncode == 7


def test_a_program_may_be_a_link_to_one_of_another_name_and_folder(tmp_path: Path) -> None:
    (tmp_path / "tool.wasm").symlink_to(ECHO)
    done = command("run", tmp_path / "tool.wasm", "x")
    assert (done.returncode, done.stderr) == (0, b"2 arguments\n")
    assert done.stdout.startswith(b"arg 0: tool.wasm\narg 1: x\n")


@pytest.mark.parametrize(
    ("status", "seen"), [(-1, 255), (300, 44), (256, 1), (0x80000000, 1), (0, 0)], ids=["-1", "300", "256", "2^31", "0"]
)
def test_a_status_that_no_process_can_have_is_a_failure_all_the_same(tmp_path: Path, status: int, seen: int) -> None:
    (tmp_path / "core.wat").write_text(LEAVES_WITH_7.replace("i32.const 7", f"i32.const {status}"))
    done = command("run", tmp_path / "core.wat")
    assert (done.returncode, done.stderr) == (seen, b"")


def test_a_program_that_traps_says_so(project: Path) -> None:
    done = run_on_descriptors("-C", project, "run", "app:echo", "--abort")
    assert done.returncode == 7
    assert b"error: app:echo (wasm): wasm trap" in done.stderr
    done = run_on_descriptors("run", ECHO, "--abort")
    assert done.returncode == 7
    assert b"error: " in done.stderr


def test_a_program_sees_the_folders_that_are_named_and_no_other(project: Path) -> None:
    named = run_on_descriptors("run", "--dir", f"{project / 'data'}::/d", ECHO, "--cat", "/d/file")
    assert (named.returncode, named.stdout) == (0, b"in a folder\n")
    as_it_is = run_on_descriptors("run", "--dir", "data", ECHO, "--cat", "data/file", folder=project)
    assert (as_it_is.returncode, as_it_is.stdout) == (0, b"in a folder\n")
    unnamed = run_on_descriptors("run", ECHO, "--cat", str(project / "data" / "file"))
    assert (unnamed.returncode, unnamed.stdout) == (1, b"")
    outside = run_on_descriptors("run", "--dir", f"{project / 'data'}::/d", ECHO, "--cat", "/d/../_index.yaml")
    assert (outside.returncode, outside.stdout) == (1, b"")
    mounted = run_on_descriptors("-C", project, "run", "app:echo", "--cat", "/data/file")
    assert (mounted.returncode, mounted.stdout) == (0, b"in a folder\n")


@pytest.mark.parametrize("path", [".", "/"])
@pytest.mark.parametrize("guest", ["go-tour", "rust-tour"])
def test_the_folder_that_we_stand_in_is_the_root_of_a_program(tmp_path: Path, guest: str, path: str) -> None:
    done = command("run", "--dir", ".", BIN / f"{guest}.wasm", path, folder=tmp_path)
    assert (done.returncode, b"write: ok\n" in done.stdout) == (0, True), done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_what_is_no_utf8_is_given_to_a_core_module_and_else_told(project: Path) -> None:
    odd = os.fsdecode(b"a\xff")
    (project / odd).mkdir()
    core = command("run", BIN / "c-echo-core.wasm", "--", odd)
    assert (core.returncode, b"arg 1: a\xff\n" in core.stdout) == (0, True)
    component = command("run", ECHO, "--", odd)
    assert component.returncode == 6
    assert b"argument 1: expected text in UTF-8, got other bytes" in component.stderr
    for program in (ECHO, BIN / "c-echo-core.wasm"):
        unnamed = command("run", "--dir", odd, program, folder=project)
        assert unnamed.returncode == 2
        assert b"is no UTF-8: name it for the guest, HOST::GUEST" in unnamed.stderr
        assert command("run", "--dir", f"{odd}::/d", program, folder=project).returncode == 0


LEAVES_WITH_7 = """;; a core module as text
(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const 7))))
"""
LIBC_WRITER = """(component
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (type $flags (flags "symlink-follow")) (export "path-flags" (type $path-flags (eq $flags)))
    (type $codes (enum @CODES)) (export "error-code" (type $error-code (eq $codes)))
    (export "[method]descriptor.create-directory-at" (func (param "self" (borrow $descriptor)) (param "path" string)
      (result (result (error $error-code)))))))
  (alias export $types "descriptor" (type $d))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $d (type $outer)) (export "descriptor" (type $own (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $own) string)))))))
  (core module $memory (memory (export "memory") 1) (data (i32.const 16) "made")
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local i32)
      (local.set 4 (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get 4) (local.get 3))) (local.get 4)))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $mem))
  (alias core export $m "realloc" (core func $realloc))
  (core func $list (canon lower (func $preopens "get-directories") (memory $mem) (realloc $realloc)))
  (core func $make (canon lower (func $types "[method]descriptor.create-directory-at") (memory $mem)))
  (core module $code
    (import "h" "list" (func $list (param i32))) (import "h" "make" (func $make (param i32 i32 i32 i32)))
    (import "h" "memory" (memory 1))
    (func (export "run") (result i32)
      (call $list (i32.const 64))
      (call $make (i32.load (i32.load (i32.const 64))) (i32.const 16) (i32.const 4) (i32.const 80))
      (i32.load8_u (i32.const 80))))
  (core instance $i (instantiate $code (with "h" (instance
    (export "list" (func $list)) (export "make" (func $make)) (export "memory" (memory $mem))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.3" (instance $command)))
"""


def test_a_folder_that_is_read_only_stays_as_it_is(tmp_path: Path) -> None:
    from polycall.wasm_runtime.wasi.filesystem.types import Types

    found = next(line for line in Types.wit.splitlines() if "enum error-code" in line)
    start = Types.wit.index("enum error-code")
    names = Types.wit[start:].partition("{")[2].partition("}")[0].replace(",", " ").split()
    assert found
    (tmp_path / "make.wat").write_text(LIBC_WRITER.replace("@CODES", " ".join(f'"{name}"' for name in names)))
    (tmp_path / "d").mkdir()
    mount = f"{tmp_path / 'd'}::/d"
    assert run_on_descriptors("run", "--dir", f"{mount}:ro", tmp_path / "make.wat").returncode == 1
    assert list((tmp_path / "d").iterdir()) == []
    assert run_on_descriptors("run", "--dir", mount, tmp_path / "make.wat").returncode == 0
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["made"]


def test_a_program_ends_with_the_pipe_that_it_writes_to() -> None:
    shell = f"yes abc | {sys.executable} -m polycall run {FILTER} | head -n 1"  # yes ends only when it is not read
    done = subprocess.run(["sh", "-c", shell], capture_output=True, timeout=60, check=False)
    assert done.stdout == b"ABC\n"


def test_a_lone_slow_reader_loses_nothing(project: Path) -> None:
    given = b"x" * 1_000_000
    with subprocess.Popen(
        [sys.executable, "-m", "polycall", "run", str(FILTER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        pid = os.fork()
        if not pid:
            process.stdout.close()
            process.stdin.write(given)
            process.stdin.close()
            os._exit(0)
        process.stdin.close()
        got = b""
        while piece := process.stdout.read(100_000):
            got += piece
        os.waitpid(pid, 0)
        assert process.wait(30) == 0
    assert got == given.upper()


@pytest.mark.parametrize("name", [str(ECHO), "app:alone"])
def test_ctrl_c_ends_a_program_that_waits(project: Path, name: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "polycall", "-C", str(project), "run", name, "--", "--sleep", "60000"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"arg 0: ")
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert time.monotonic() - started < 5
        assert err.splitlines()[-1] == b"interrupted"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="what a process has open is seen in /proc")
def test_no_file_of_a_program_gets_the_number_of_a_stream_that_is_closed(project: Path) -> None:
    script = f'exec "$0" -m polycall run --dir "$1" {ECHO} -- --sleep 60000 0<&- 2>&-'
    with subprocess.Popen(["sh", "-c", script, sys.executable, str(project)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"arg 0: ")
        opened = [str(Path(f"/proc/{process.pid}/fd/{stream}").readlink()) for stream in (0, 2)]
        process.kill()
    assert opened == [os.devnull, os.devnull]


def test_ctrl_c_ends_a_program_that_waits_for_input() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "polycall", "run", str(FILTER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"a line\n" * 10_000)
        process.stdin.flush()
        assert os.read(process.stdout.fileno(), 1)  # of its first piece; it waits for the next one
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert process.stderr.read().splitlines()[-1:] == [b"interrupted"]


@pytest.mark.parametrize("mode", ["--spin", "--sleep"])
def test_a_deadline_ends_a_program(project: Path, mode: str) -> None:
    given: Sequence[str] = [mode] if mode == "--spin" else [mode, "60000"]
    isolated = ("-C", str(project), "run", "--timeout", "1", "app:alone")
    for head in (("run", "--timeout", "0.3", str(ECHO)), ("-C", str(project), "run", "app:slow"), isolated):
        done = run_on_descriptors(*head, *given)
        assert done.returncode == 8, done.stderr
        assert b"deadline" in done.stderr


def test_what_is_no_command_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "-C", str(project), "run", "app:lua")
    assert (code, "only WebAssembly can be one, and this is lua" in err) == (5, True)
    code, _, err = run(capsys, "run", str(BIN / "caller.wasm"))
    assert (code, "file:caller.wasm (wasm): it is no command" in err, "wasi:cli/run" in err) == (5, True, True)
    code, _, err = run(capsys, "run", "./nothing.wasm")
    assert (code, err.startswith("error: nothing.wasm cannot be read: ")) == (4, True)
    code, _, err = run(capsys, "-C", str(project), "run", "app:filtre")
    assert (code, 'did you mean "app:filter"' in err) == (4, True)


def test_what_is_no_file_or_too_large_for_a_program_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large, text, pipe = (tmp_path / f"{name}.wasm" for name in ("large", "text", "pipe"))
    large.write_bytes(b"\0asm\1\0\0\0")
    text.write_bytes(b"(module)")
    os.mkfifo(pipe)
    assert run(capsys, "run", str(text)).code == 5  # it is read, and is no command
    for sparse, size in ((large, MOST_BINARY_BYTES + 1), (text, 8 * 1024 * 1024 + 1)):
        os.truncate(sparse, size)
    for path, why in ((large, "may have 536,870,912 bytes"), (text, "as text it may have"), (pipe, "no regular file")):
        for arguments in (["run", str(path)], ["call", str(path), "f"], ["wit", str(path)]):
            code, _, err = run(capsys, *arguments)
            assert (code in {4, 5}, why in err) == (True, True), err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dir", "nowhere::/d", str(ECHO)), "there is no folder 'nowhere'"),
        (("--dir", ".::d", str(ECHO)), "no absolute path of the guest"),
        (("--dir", "", str(ECHO)), "there is no folder ''"),
        (("--dir", ":ro", str(ECHO)), "there is no folder ''"),
        (("--dir", "::/d", str(ECHO)), "there is no folder ''"),
        (("--dir", ".::/d:rw", str(ECHO)), "only :ro may follow the guest's path"),
        (("--dir", ".::/d", "--dir", "..::/d:ro", str(ECHO)), "'/d' stands twice"),
        (("--dir", ".::/d", "--dir", "..::/d/:ro", str(ECHO)), "'/d' stands twice"),
        (("--dir", ".", "--dir", "..::///", str(ECHO)), "'/' stands twice"),
        (("--env", "=x", str(ECHO)), "write NAME=VALUE"),
        (("--env", "NOT_SET_ANYWHERE", str(ECHO)), "there is no environment variable NOT_SET_ANYWHERE"),
        (("--allow-net", "http://x y", str(ECHO)), "a rule, such as"),
        (("--dir", ".", "app:echo"), "an entry has what it declares"),
    ],
)
def test_a_wrong_option_says_what_was_meant(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    code, _, err = run(capsys, "-C", str(project), "run", *arguments)
    assert (code, said in err) == (2, True), err


def test_from_python_streams_are_descriptors(project: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"from python\n")
    os.close(writer)
    result, target = os.pipe()
    with polycall.load(project) as registry:
        assert registry.run("app:filter", stdin=reader, stdout=target) == 0
        assert os.read(result, 100) == b"FROM PYTHON\n"
        assert registry.run("app:echo", "--return", "1", stdout=None, stderr=None) == 1
        with pytest.raises(polycall.DeadlineError):
            registry.run("app:echo", "--sleep", "60000", stdout=None, stderr=None, timeout=0.1)
        cancellation = polycall.Cancellation()
        cancellation.cancel()
        with pytest.raises(polycall.CancelledError):
            registry.run("app:filter", stdin=None, cancellation=cancellation)
    for descriptor in (reader, result, target):
        os.close(descriptor)  # they were not closed by the run


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        ((), {"stdin": 999}, "stdin is 999, and no such descriptor is open"),
        ((), {"stdout": -1}, "stdout is -1, and no such descriptor is open"),
        ((), {"stderr": sys.stderr}, "stderr is .*; it must be the number of a descriptor"),
        (("a", 1), {}, "takes strings, not 1"),
        ((), {"env": {"A": 1}}, "takes strings, not 1"),
    ],
)
def test_from_python_what_a_command_cannot_have_is_refused_at_once(
    project: Path, arguments: tuple[Any, ...], given: dict[str, Any], said: str
) -> None:
    with polycall.load(project) as registry, pytest.raises((TypeError, ValueError), match=said):
        registry.run("app:echo", *arguments, **given)


@pytest.mark.parametrize("target", ["app:filter", str(FILTER)])
def test_the_memory_of_a_run_can_be_limited(project: Path, capsys: pytest.CaptureFixture[str], target: str) -> None:
    done = run(capsys, "-C", str(project), "run", "--max-memory", "1K", target)
    assert (done.code, "memory" in done.err) == (8, True)
