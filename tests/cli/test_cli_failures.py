"""Whatever the surroundings do to the command: one sentence, an exit code, and no Python."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import polycall.registry.cli.list as list_command
from commands import run
from polycall.interop.errors import PreparationError
from projects import write_project

INDEX = """
namespace: app
entries:
  - {name: bytes, kind: function.lua, method: f, source: 'return { f = function() return "\\xff\\xfe" end }'}
  - {name: in-table, kind: function.lua, method: f, source: 'return {f = function() return {a="\\xff", b="x"} end}'}
  - {name: steer, kind: function.lua, method: f, source: 'return { f = function() error("\\27[2Jgone\\r") end }'}
"""
STUCK = """
namespace: app
entries:
  - {name: stuck, kind: function.lua, method: f, source: 'print("started"); while true do end'}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, index=INDEX)


def shell(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in which ``polycall`` stands for the command; its stdin is the null device."""
    command = f'polycall() {{ {shlex.quote(sys.executable)} -m polycall "$@"; }}; {script}'
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env={**os.environ, "PYTHONPATH": path}, text=True, errors="replace",
        capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("polycall call app:bytes - <&-", 2, "standard input is closed"),
        ("polycall list >/dev/full", 74, "standard input or output: No space left on device"),
        ("polycall call app:bytes >/dev/full", 74, "standard input or output: No space left on device"),
        ("polycall --help >/dev/full", 74, "standard input or output: No space"),
        ("polycall list >&-", 2, "standard output is closed"),
        ("polycall call app:bytes >&-", 2, "standard output is closed"),
        ("echo app:byte | polycall shell", 4, '"app:steer"? it was line 1\n'),
        ("mkdir gone; cd gone; rmdir ../gone; polycall list", 4, "the working directory may have been removed"),
        ("mkdir gone; cd gone; rmdir ../gone; polycall init x", 74, "x: No such file or directory"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(project: Path, script: str, code: int, said: str) -> None:
    result = shell(project, script)
    assert result.returncode == code
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("call app:bytes --timeout nan", 2, "'nan' is no number of seconds"),
        ("call app:bytes --timeout 2s", 2, "'2s' is no number of seconds: write 2, or 0.5"),
        ("call app:bytes --timeout inf", 2, "--timeout"),
        ("test --timeout -1", 2, "--timeout"),
        ("init /proc/x", 74, "/proc/x: "),
        ("init /dev/null", 74, "/dev/null: "),
    ],
)
def test_what_cannot_be_is_one_sentence(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: str, code: int, said: str
) -> None:
    done = run(capsys, "-C", str(project), *arguments.split())
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_reader_that_has_had_enough_ends_the_command_quietly(project: Path) -> None:
    entries = "".join(f"  - {{name: e{number}, kind: registry.entry}}\n" for number in range(9000))
    (project / "more.yaml").write_text(f"namespace: more\nentries:\n{entries}")
    result = shell(project, "polycall list | head -1; exit ${PIPESTATUS[0]}")
    assert (result.returncode, result.stderr) == (141, "")


def test_a_fault_asks_to_be_reported(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise LookupError("oh")

    monkeypatch.setattr(list_command, "print_entries", fail)
    code, _, err = run(capsys, "-C", str(project), "list")
    assert code == 70
    assert err == "error: internal error: LookupError: oh\nhint: this is a fault of polycall; please report it\n"


def test_ctrl_c_while_a_module_makes_a_class_is_no_fault(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def __set_name__(self, _owner: type, _name: str) -> None:
            raise KeyboardInterrupt

    def load(*_: object, **__: object) -> None:
        type("Late", (), {"member": Interrupted()})

    monkeypatch.setattr(list_command, "print_entries", load)
    code, _, err = run(capsys, "-C", str(project), "list")
    assert (code, err) == (130, "interrupted\n")


def test_what_fails_while_ctrl_c_cleans_up_is_no_fault(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def clean_up() -> None:
        raise OSError(28, "No space left on device")

    def load(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            try:
                clean_up()
            except OSError as error:
                raise PreparationError("it cannot be written") from error

    monkeypatch.setattr(list_command, "print_entries", load)
    code, _, err = run(capsys, "-C", str(project), "list")
    assert (code, err) == (130, "interrupted\n")


def test_bytes_that_are_not_utf_8_have_one_form_in_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(run(capsys, "-C", str(project), "call", "app:in-table").out) == {
        "a": {"base64": "/w=="},
        "b": "x",
    }
    assert json.loads(run(capsys, "-C", str(project), "call", "app:bytes", "--json").out) == {"base64": "//4="}


def test_a_guest_cannot_steer_the_terminal(project: Path) -> None:
    result = shell(project, "polycall call app:steer")
    assert result.stderr.splitlines()[0].endswith(r"\x1b[2Jgone\r")
    assert "\x1b" not in result.stderr


def test_a_file_name_cannot_split_a_line_of_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a\nb\x1b.yaml").write_text("namespace: 5\nentries: []\n")
    assert run(capsys, "-C", str(tmp_path), "check").out.startswith("a\\nb\\x1b.yaml:1:12: error: ")


@pytest.mark.parametrize("command", ["check", "show app:stuck"])
def test_ctrl_c_ends_start_up_code_that_never_ends(tmp_path: Path, command: str) -> None:
    write_project(tmp_path, index=STUCK)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "polycall", "-C", str(tmp_path), "-v", *command.split()],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    assert b"started" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (130, b"interrupted\n")


def test_examples_in_the_help_stand_on_their_own_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for command, line in (("call", "    polycall call app:add 2 3\n"), ("completion", "  fish: polycall completion")):
        out = run(capsys, command, "--help").out
        assert line in out
        assert "\\b" not in out


def test_an_argument_that_is_not_json_is_cut_and_not_called_text_where_it_is_none(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "-C", str(project), "call", "app:bytes", "[" * 1000)
    assert code == 2
    assert "[" * 60 + "..." in err
    assert "[" * 61 not in err
    assert "--string" not in err
    assert "--string" not in run(capsys, "-C", str(project), "call", "app:bytes", "NaN").err


def test_an_empty_project_says_how_to_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "polycall.yaml").touch()
    hint = "polycall add --template lua NAME makes one"
    assert run(capsys, "-C", str(tmp_path), "list") == (0, "", f"no entries here: {hint}\n")
    assert hint in run(capsys, "-C", str(tmp_path), "call", "a:x").err
    (tmp_path / "a.yaml").write_text("namspace: a\nentries: [{name: x, kind: registry.entry}]\n")
    assert '"namspace" may be meant' in run(capsys, "-C", str(tmp_path), "list").err


def test_an_id_that_is_none_is_told_what_one_looks_like(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 'such as "app:greet"' in run(capsys, "-C", str(project), "show", "").err


def test_init_quotes_names_and_leaves_nothing_behind_when_it_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cd 'a b'" in shell(tmp_path, "polycall init 'a b'").stdout
    assert "cd " not in shell(tmp_path, "mkdir here; cd here; polycall init .").stdout

    def full(target: Path, content: bytes) -> None:
        target.write_bytes(content[:1])
        if target.name == "welcome.lua":
            raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("polycall.registry.new_files._write", full)
    code, _, err = run(capsys, "init", str(tmp_path / "deep" / "er"))
    assert (code, err) == (74, f"error: {tmp_path / 'deep' / 'er'}: No space left on device\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a b", "here"]


def test_who_finds_nothing_is_told_how_to_go_on(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "hint: polycall list has all of them" in run(capsys, "-C", str(project), "call", "far:away").err
    assert '"type: test" in its meta' in run(capsys, "-C", str(project), "test").err
    assert "no test has such an id or suite" in run(capsys, "-C", str(project), "test", "nothing").err
    assert "only function.wasm entries have one" in run(capsys, "-C", str(project), "hash").err


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("function", ["text", "bytes"])
def test_output_that_is_not_taken_whole_is_a_failure(tmp_path: Path, function: str, unbuffered: str) -> None:
    tail = "" if function == "text" else " .. string.char(255)"
    body = f"return {{ f = function() return ('x'):rep(500000){tail} end }}"
    index = f'namespace: app\nentries:\n  - {{name: f, kind: function.lua, method: f, source: "{body}"}}\n'
    project = write_project(tmp_path, index=index)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with subprocess.Popen(
        [sys.executable, "-m", "polycall", "-C", str(project), "call", "app:f"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    ) as process:
        os.close(writer)
        _, err = process.communicate(timeout=60)  # nobody reads meanwhile
    os.close(reader)
    assert (process.returncode, b"error: standard input or output: " in err) == (74, True), err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("call", "--string", "app:size", "-"), b"8\n"),
        (("call", "app:size", "--each", "--lines"), b"3\n3\n"),
        (("shell",), b"3\n3\n"),
    ],
)
def test_input_that_does_not_block_is_waited_for(tmp_path: Path, arguments: tuple[str, ...], said: bytes) -> None:
    body = "return { f = function(text) return #text end }"
    index = f"namespace: app\nentries:\n  - {{name: size, kind: function.lua, method: f, source: '{body}'}}\n"
    project = write_project(tmp_path, index=index)
    lines = (b"app:size '\"abc\"'\n", b"app:size '\"def\"'\n") if arguments == ("shell",) else (b"abc\n", b"def\n")
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with subprocess.Popen(
        [sys.executable, "-m", "polycall", "-C", str(project), *arguments],
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        for line in lines:
            os.write(writer, line)
            until = time.monotonic() + 30
            while process.poll() is None and select.select([reader], [], [], 0)[0] and time.monotonic() < until:
                time.sleep(0.01)  # until it has read it, and finds nothing more for now
        os.close(reader)
        os.close(writer)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err, out) == (0, b"", said)
