"""``polycall call --each``: lines in, lines out."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commands import Done, run
from projects import write_project

INDEX = """
namespace: app
entries:
  - {name: echo, kind: function.lua, method: f, source: "return { f = function(...) return ... end }"}
  - {name: count, kind: function.lua, method: f, source: "return { f = function(...) return select('#', ...) end }"}
  - {name: add, kind: function.lua, method: f, source: "return { f = function(a, b) return a + b end }"}
  - name: forever
    kind: function.lua
    method: f
    source: "return { f = function() print('spinning') while true do end end }"
  - {name: broken, kind: function.lua, method: g, source: "return { f = 1 }"}
  - name: check
    kind: function.wat
    method: check
    wit: "check: func(n: u32) -> result<u32, u32>"
    source: |
      (module
        (memory (export "memory") 1)
        (func (export "check") (param i32) (result i32)
          (i32.store (i32.const 0) (i32.gt_u (local.get 0) (i32.const 9)))
          (i32.store (i32.const 4) (local.get 0))
          (i32.const 0)))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, index=INDEX)


class Each:
    """Runs the command in this process, with something on standard input."""

    def __init__(self, project: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._project, self._capsys, self._patch = project, capsys, patch

    def __call__(self, target: str, *arguments: str, given: str | bytes = "") -> Done:
        data = given.encode() if isinstance(given, str) else given
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return run(self._capsys, "call", target, "--each", *arguments, "-C", str(self._project))


@pytest.fixture
def each(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Each:
    return Each(project, capsys, monkeypatch)


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_line_is_one_argument_and_gives_one_line_in_its_order(each: Each, jobs: str) -> None:
    lines = ["[1,2]", '{"a":{"b":"\u00e9"}}', "3", '"text"', "2.5", "null", "true"]
    done = each("app:echo", "--jobs", jobs, given="\n".join(lines))
    assert (done.out.splitlines(), done.err, done.code) == (lines, "", 0)
    assert each("app:count", "--jobs", jobs, given="[1,2]\n" * 100).out == "1\n" * 100


def test_lines_come_from_files_and_from_where_the_dash_is(each: Each, tmp_path: Path) -> None:
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    first.write_bytes(b"\xef\xbb\xbf1\n\n2\n")
    second.write_bytes(b"4")
    assert each("app:echo", str(first), "-", str(second), given="3\n").out == "1\n2\n3\n4\n"
    missing = each("app:echo", str(first), "nowhere.jsonl")
    assert (missing.code, missing.out) == (2, "")
    assert "nowhere.jsonl cannot be read" in missing.err


def test_a_list_may_be_spread_into_arguments(each: Each) -> None:
    assert each("app:add", "--spread", given="[1,2]\n[3,4]\n").out == "3\n7\n"
    assert "expected a list of arguments" in each("app:add", "--spread", given="1").err
    assert each("app:add", "--spread", "--lines", given="1").code == 2


def test_lines_are_text_and_raw_results_are_as_they_are(each: Each) -> None:
    given = b'a "b"\r\n\n\xff\n'
    assert each("app:echo", "--lines", given=given).out == '"a \\"b\\""\n""\n{"base64":"/w=="}\n'
    assert each("app:echo", "--lines", "--raw", given='a "b"\n').out == 'a "b"\n'


def test_rows_of_csv_are_records_of_text(each: Each) -> None:
    given = '\ufeffid,name\n1,"Ana, and\nBea"\n\n2,Carl\n'
    done = each("app:echo", "--csv", given=given)
    assert list(map(json.loads, done.out.splitlines())) == [
        {"id": "1", "name": "Ana, and\nBea"},
        {"id": "2", "name": "Carl"},
    ]
    assert each("app:count", "--csv", "--spread", given=given).out == "2\n2\n"
    long = "x" * 200_000
    assert json.loads(each("app:echo", "--csv", given=f"id\n{long}\n").out) == {"id": long}


def test_a_line_that_is_not_json_is_said_to_be_none(each: Each) -> None:
    done = each("app:echo", given="{a\n")
    assert done.err.startswith("error: $: expected JSON, got a mistake: Expecting property name")


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ("id,name\n1\n", 6, "expected 2 cells, as the first line has names, got 1"),
        ("id,id\n1,2\n", 2, "the name 'id' twice"),
        (b"id\n\xff\n", 2, "line 2 is not CSV"),
    ],
)
def test_what_is_wrong_with_csv_is_said(each: Each, given: str | bytes, code: int, message: str) -> None:
    done = each("app:echo", "--csv", given=given)
    assert (done.code, done.out) == (code, "")
    assert message in done.err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_first_failure_ends_it_after_the_results_before_it(each: Each, jobs: str) -> None:
    done = each("app:add", "--spread", "--jobs", jobs, given="[1,2]\n[1,{}]\n[3,4]\n")
    assert (done.code, done.out) == (1, "3\n")
    assert "line 2 of standard input" in done.err
    assert "--keep-going" in done.err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_line_that_failed_may_be_an_error_object(each: Each, jobs: str, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("[1,2]\n[1,{}]\nno\n[3,4]\n", "utf-8")
    done = each("app:add", "--spread", "--keep-going", "--jobs", jobs, str(tmp_path / "in.jsonl"))
    first, second, third, fourth = map(json.loads, done.out.splitlines())
    assert (first, fourth, done.code) == (3, 7, 1)
    assert (second["error"]["line"], second["error"]["code"]) == (2, "guest_error")
    assert second["error"]["file"] == str(tmp_path / "in.jsonl")
    assert "arithmetic" in second["error"]["message"]
    assert third["error"]["code"] == "conversion"
    assert done.err == "2 of 4 lines failed\n"


def test_a_function_that_cannot_be_called_fails_once(each: Each) -> None:
    done = each("app:broken", "--keep-going", given="1\n2\n")
    assert (done.code, done.out) == (5, "")
    assert each("app:eco", "--keep-going", given="1\n2\n").code == 4


def test_an_err_of_a_wit_result_is_a_line_that_failed(each: Each) -> None:
    assert each("app:check", given="7\n8\n").out == '{"ok":7}\n{"ok":8}\n'
    done = each("app:check", "--keep-going", given="10\n8\n")
    error, ok = map(json.loads, done.out.splitlines())
    assert (error["error"]["details"], ok, done.code) == (10, {"ok": 8}, 1)
    assert each("app:check", given="10\n8\n").code == 1
    kept = each("app:check", "--no-fail-on-err", given="10\n8\n")
    assert (kept.out, kept.code) == ('{"err":10}\n{"ok":8}\n', 0)


def test_unordered_results_are_all_there(each: Each) -> None:
    done = each("app:echo", "--jobs", "2", "--unordered", given="".join(f"{number}\n" for number in range(500)))
    assert sorted(map(int, done.out.splitlines())) == list(range(500))


def test_each_call_has_its_timeout(each: Each) -> None:
    assert each("app:forever", "--timeout", "0.05", given="1\n").code == 8


@pytest.mark.parametrize("option", ["--watch", "--trace", "--string"])
def test_options_that_mean_nothing_beside_it_are_refused(each: Each, option: str) -> None:
    done = each("app:echo", option, given="1\n")
    assert (done.code, done.out) == (2, "")
    assert "cannot be with --each" in done.err


def test_its_options_need_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "-C", str(project), "call", "app:echo", "1", "--keep-going")
    assert (done.code, done.out) == (2, "")
    assert "--keep-going needs --each" in done.err


def start(project: Path, *arguments: str, **streams: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "polycall", "-C", str(project), "call", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **streams)  # type: ignore[call-overload,no-any-return]  # of streams


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_result_is_there_before_the_next_line_and_a_broken_pipe_ends_quietly(project: Path, jobs: str) -> None:
    process = start(project, "app:echo", "--each", "--jobs", jobs, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    for number in range(3):
        process.stdin.write(b"%d\n" % number)
        process.stdin.flush()
        assert process.stdout.readline() == b"%d\n" % number
    process.stdout.close()
    process.stdin.write(b"1\n" * 10)
    process.stdin.flush()
    assert process.wait(timeout=30) == 141  # although more lines may come
    assert process.stderr.read() == b""
    process.stdin.close()
    process.stderr.close()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_it_at_once(project: Path, jobs: str) -> None:
    process = start(project, "app:forever", "--each", "--jobs", jobs, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(b"1\n" * 1_000)
    process.stdin.flush()
    assert b"spinning" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    assert (process.returncode, out) == (130, b"")
    assert b"interrupted\n" in err  # another guest may say something after that
    assert b"Traceback" not in err


def test_memory_does_not_grow_with_the_number_of_lines(project: Path) -> None:
    script = (
        "import resource, sys; from polycall.registry.cli.main import main; "
        f"code = main(['-C', {str(project)!r}, 'call', 'app:echo', '--each', '--jobs', '2']); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )

    def peak(lines: int) -> int:
        given = b'{"id":1,"name":"0123456789012345678901234567890123456789"}\n' * lines
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, input=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
        return int(done.stderr) * (1 if sys.platform == "darwin" else 1024)

    assert peak(15_000) - peak(400) < 1_000_000  # as objects of Python, the lines alone would have more


@pytest.mark.parametrize("no_color", [False, True])
def test_a_terminal_sees_lines_and_rate_and_nothing_is_left_of_them(project: Path, no_color: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"COLUMNS": "40", **({"NO_COLOR": "1"} if no_color else {})}
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "polycall", "call", "app:echo", "--each"],
        cwd=project, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=end, env=environment,
    )  # fmt: skip
    os.close(end)
    assert process.stdin is not None
    process.stdin.write(b"1\n" * 1_234)
    process.stdin.flush()
    shown = b""
    while not no_color and b"1,234 lines  " not in shown:
        assert select.select([terminal], [], [], 30)[0]
        shown += os.read(terminal, 65536)
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    shown += rest_of(terminal)
    if no_color:
        assert shown == b""
        return
    *parts, last = shown.decode().split("\r")
    assert max(len(part.removesuffix("\x1b[K")) for part in parts) < 40
    assert (parts[-1], last) == ("\x1b[K", "")


def rest_of(terminal: int) -> bytes:
    rest = b""
    try:
        while chunk := os.read(terminal, 65536):
            rest += chunk
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(terminal)
    return rest
