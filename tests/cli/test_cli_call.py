from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import run, run_in_pipes
from projects import write_project

INDEX = """
namespace: app
entries:
  - name: echo
    kind: function.lua
    source: "return { echo = function(...) return ... end }"
    method: echo
  - name: length
    kind: function.lua
    source: "return { length = function(text) return #text end }"
    method: length
  - name: spin-lua
    kind: function.lua
    source: |
      return { spin = function() print("spinning") while true do end end }
    method: spin
  - name: spin-wasm
    kind: function.wat
    source: '(module (func (export "spin") (loop br 0)))'
    method: spin
    wit: "spin: func()"
  - name: fail
    kind: function.lua
    source: |
      local function inner() error("no rate") end
      return { fail = function() inner() end }
    method: fail
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, index=INDEX)


def polycall(project: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return run_in_pipes("-C", str(project), *arguments, given=given)


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["app:echo", '"text"'], b"text\n"),
        (["app:echo", "--string", "text"], b"text\n"),
        (["app:echo", "--string", "5"], b"5\n"),
        (["app:echo", "5"], b"5\n"),
        (["app:echo", "2.0"], b"2.0\n"),
        (["app:echo", "true"], b"true\n"),
        (["app:echo", "null"], b""),
        (["app:echo", "--json", "null"], b"null\n"),
        (["app:echo", "--json", '"text"'], b'"text"\n'),
        (["app:echo", '{"a": [1, "\u00e9"]}'], '{\n  "a": [\n    1,\n    "é"\n  ]\n}\n'.encode()),
        (["app:length", "--string", "--", "-x"], b"2\n"),
        (["app:echo", "-5"], b"-5\n"),
        (["app:echo", "-2.5e3", "--json"], b"-2500.0\n"),
    ],
)
def test_arguments_are_json_or_text_and_results_are_printed(project: Path, arguments: list[str], output: bytes) -> None:
    result = polycall(project, "call", *arguments)
    assert (result.stdout, result.stderr, result.returncode) == (output, b"", 0)


def test_an_argument_may_come_from_standard_input(project: Path) -> None:
    assert polycall(project, "call", "app:echo", "-", given=b'{"a": 1}').stdout == b'{\n  "a": 1\n}\n'
    assert polycall(project, "call", "app:echo", "--string", "-", given=b"a\nb").stdout == b"a\nb\n"


def test_bytes_go_in_from_a_file_and_come_out_unchanged(project: Path) -> None:
    data = bytes(range(256))
    (project / "data.bin").write_bytes(data)
    assert polycall(project, "call", "app:echo", "--bytes-file", str(project / "data.bin")).stdout == data


def test_an_argument_that_is_not_json_says_so_and_what_to_do(project: Path) -> None:
    result = polycall(project, "call", "app:echo", "hello")
    assert result.returncode == 2
    assert b"argument 1 is not JSON: 'hello'" in result.stderr
    assert b"use --string" in result.stderr


def test_an_option_that_does_not_exist_is_no_argument(project: Path) -> None:
    result = polycall(project, "call", "app:echo", "--sting", "hello")
    assert result.returncode == 2
    assert b"--sting" in result.stderr
    assert b"not JSON" not in result.stderr
    assert polycall(project, "call", "app:echo", "-x").returncode == 2


def test_an_error_shows_message_hint_and_guest_traceback_but_no_python(project: Path) -> None:
    result = polycall(project, "call", "app:fail")
    assert result.returncode == 1
    assert result.stderr.decode().splitlines()[0] == "error: app:fail (lua): _index.yaml:25: no rate"
    assert b"_index.yaml:25: in" in result.stderr
    assert b"Traceback (most recent call last)" not in result.stderr
    missing = polycall(project, "call", "app:fial")
    assert missing.returncode == 4
    assert missing.stderr.decode() == 'error: there is no entry app:fial\nhint: did you mean "app:fail"?\n'


def test_debug_shows_the_python_traceback(project: Path) -> None:
    result = polycall(project, "--debug", "call", "app:fail")
    assert result.returncode == 1
    assert b"Traceback (most recent call last)" in result.stderr
    assert b"GuestError" in result.stderr


@pytest.mark.parametrize("target", ["app:spin-lua", "app:spin-wasm"])
def test_a_timeout_stops_the_call(project: Path, target: str) -> None:
    result = polycall(project, "call", target, "--timeout", "0.05")
    assert result.returncode == 8
    assert b"deadline" in result.stderr


def test_ctrl_c_ends_a_call_cleanly(project: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "polycall", "-C", str(project), "-v", "call", "app:spin-lua"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    assert b"spinning" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (130, b"", b"interrupted\n")


@pytest.fixture(params=["no reader", "full disk"])
def unwritable(request: pytest.FixtureRequest) -> Iterator[int]:
    """A descriptor for stderr to which nothing can be written."""
    if request.param == "no reader":
        reader, writer = os.pipe()
        os.close(reader)
    elif Path("/dev/full").exists():
        writer = os.open("/dev/full", os.O_WRONLY)
    else:
        pytest.skip("needs /dev/full")
    yield writer
    os.close(writer)


@pytest.mark.parametrize(
    ("arguments", "code", "output"),
    [
        (["call", "app:chatty"], 0, b"3\n"),
        (["call", "--trace", "app:chatty"], 0, b"3\n"),
        (["call", "app:nope"], 4, b""),
        (["cal"], 2, b""),
    ],
)
def test_a_stderr_that_cannot_be_written_changes_nothing_else(
    tmp_path: Path, unwritable: int, arguments: list[str], code: int, output: bytes
) -> None:
    entry = "{name: chatty, kind: function.lua, method: f, source: 'return {f = function() print(1) return 3 end}'}"
    write_project(tmp_path, index=f"namespace: app\nentries:\n  - {entry}\n")
    command = [sys.executable, "-m", "polycall", "-C", str(tmp_path), *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=unwritable, check=False)
    assert (result.returncode, result.stdout) == (code, output)


def test_what_a_guest_prints_and_logs_is_shown_beside_the_result(project: Path) -> None:
    body = "logger:debug('found') print(1, 2) return 3"
    say = f"""
  - name: say
    kind: function.lua
    method: say
    modules: [logger]
    source: "local logger = require('logger'); return {{say=function() {body} end}}"
"""
    write_project(project, index=f"{INDEX}{say}")
    printed, found = b"INFO polycall.entry.app:say: 1\t2\n", b"DEBUG polycall.entry.app:say: found\n"
    plain, loud = polycall(project, "call", "app:say"), polycall(project, "-v", "call", "app:say")
    assert (plain.stdout, plain.stderr) == (b"3\n", printed)
    assert (loud.stdout, loud.stderr) == (b"3\n", found + printed)


def test_json_output_is_json(project: Path) -> None:
    assert json.loads(polycall(project, "call", "--json", "app:echo", "[1, 2.5, null]").stdout) == [1, 2.5, None]


def test_memory_and_output_of_one_call_can_be_limited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "return { f = function(n) print('said'); return #string.rep('x', n) end }"
    write_project(tmp_path, index=f'namespace: app\nname: x\nkind: function.lua\nmethod: f\nsource: "{source}"\n')
    call = ("-C", str(tmp_path), "call", "app:x", "8000000")
    assert run(capsys, *call, "--max-memory", "64M")[:2] == (0, "8000000\n")
    failed = run(capsys, *call, "--max-memory", "4MiB")
    assert (failed.code, "4194304 bytes of memory" in failed.err) == (8, True)
    assert "the rest is dropped" in run(capsys, *call, "--max-output", "1").err
    assert run(capsys, *call, "--max-memory", "0").code == run(capsys, *call, "--max-memory", "4 apples").code == 2
