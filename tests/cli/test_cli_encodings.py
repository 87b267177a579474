"""Whatever stdout and stderr are, every command can write to them: what an encoding lacks is shown escaped."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from commands import Done, each_in_pipes, on_a_terminal, run
from polycall.interop.errors import GuestError, PolycallError
from polycall.registry.cli.failures import show_failure
from polycall.registry.cli.printable import one_line, printable
from projects import write_project

ENCODINGS = ("latin1", "cp1252", "ascii", "utf-8", "utf-16")
TEXT = "gr\u00fc\u00dfe \u2192 \u65e5\u672c \U0001f600"
RESULT = {"text": TEXT, TEXT: [1]}
INDEX = f"""
namespace: app
entries:
  - {{name: "{TEXT.rsplit(maxsplit=1)[-1]}", kind: function.lua, meta: {{comment: "{TEXT}"}}, method: f, source: file://f.lua}}
  - {{name: text, kind: function.lua, method: text, source: file://f.lua}}
  - {{name: table, kind: function.lua, method: table, source: file://f.lua}}
  - {{name: says, kind: function.lua, method: says, source: file://f.lua}}
  - {{name: fails, kind: function.lua, method: fails, meta: {{type: test, suite: "{TEXT}"}}, source: file://f.lua}}
  - {{name: broken, kind: function.lua, method: "{TEXT}", source: file://f.lua}}
"""
SOURCE = f"""
local text = "{TEXT}"
return {{
    f = function() return 1 end,
    text = function() return text end,
    table = function() return {{ text = text, [text] = {{ 1 }} }} end,
    says = function() print(text) end,
    fails = function() error(text) end,
}}
"""
COMMANDS = {
    ("list",): 0,
    ("list", "--json"): 0,
    ("show", f"app:{TEXT.rsplit(maxsplit=1)[-1]}"): 0,
    ("show", "--json", f"app:{TEXT.rsplit(maxsplit=1)[-1]}"): 0,
    ("check",): 1,
    ("check", "--json"): 1,
    ("test",): 1,
    ("test", "--json"): 1,
    ("call", "app:text"): 0,
    ("call", "app:table"): 0,
    ("call", "--json", "app:text"): 0,
    ("call", "--trace", f"app:{TEXT.rsplit(maxsplit=1)[-1]}"): 0,
    ("call", "app:says"): 0,
    ("call", "app:fails"): 1,
    ("call", TEXT): 4,
    ("call", "app:text", TEXT): 2,
    (TEXT,): 2,
    ("hash",): 0,
    ("schema",): 0,
    ("--help",): 0,
    ("completion", "bash"): 0,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("pr\u00f6jekt \u65e5"), index=INDEX, f_lua=SOURCE)


def polycall(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "polycall", "-C", str(project), *arguments], env={**os.environ, **variables},
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def in_ascii(project: Path) -> dict[tuple[str, ...], Done]:
    """What each command writes; all in one process, which is told the encoding of its streams from outside."""
    run_there = [["-C", str(project), *command] for command in COMMANDS]
    return dict(zip(COMMANDS, each_in_pipes(run_there, {"PYTHONIOENCODING": "ascii"}), strict=True))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_works_where_stdout_cannot_hold_its_text(
    in_ascii: dict[tuple[str, ...], Done], command: tuple[str, ...]
) -> None:
    done = in_ascii[command]
    shown = done.out + done.err
    assert shown.isascii()
    assert done.code == COMMANDS[command], shown
    assert "internal error" not in shown
    assert "Traceback" not in shown
    if "--json" in command or command == ("call", "app:table"):
        json.loads(done.out)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_an_encoding_has_is_shown_and_what_it_lacks_is_an_escape_and_json_stays_the_same(
    project: Path, encoding: str
) -> None:
    commands = [["-C", str(project), "call", entry_id] for entry_id in ("app:text", "app:table")]
    text, table = each_in_pipes(commands, {"PYTHONIOENCODING": encoding}, encoding)
    assert text.out.rstrip("\r\n") == TEXT.encode(encoding, "backslashreplace").decode(encoding)
    assert json.loads(table.out) == RESULT


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}])
def test_the_c_locale_is_no_trouble(project: Path, locale: dict[str, str]) -> None:
    inherited = dict.fromkeys(("PYTHONIOENCODING", "LANG", "LC_CTYPE"), "")
    done = polycall(project, "list", **inherited, **locale)
    assert done.returncode == 0, done.stderr
    assert b"app:text" in done.stdout


@pytest.mark.parametrize("command", ["list", "check", "test"])
def test_tables_and_colours_work_in_every_encoding(project: Path, command: str) -> None:
    shown = on_a_terminal(project, command, environment={"PYTHONIOENCODING": "latin1"}, encoding="latin1")
    assert "\x1b[" in shown  # a terminal it was
    assert "gr\u00fc\u00dfe \\u2192" in shown
    assert "internal error" not in shown


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_no_fault(project: Path, closed: str) -> None:
    script = f'exec "$0" -m polycall -C "$1" call app:fails {closed}'
    done = subprocess.run(["sh", "-c", script, sys.executable, str(project)], capture_output=True, check=False)
    assert done.returncode == (2 if closed.startswith(">") else 1)
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr


STEERING = {
    "escape": "\x1b]0;title\x07",
    "return": "ok\rno",
    "backspace": "ab\b\b",
    "c1": "\x9b31m",
    "order": "a\u202eb",
    "isolate": "a\u2066b",
    "mark": "a\u200fb",
    "arabic mark": "a\u061cb",
    "surrogate": "\ud800",
}


@pytest.mark.parametrize("text", STEERING.values(), ids=STEERING)
def test_an_error_can_be_shown_whatever_is_in_it(capsys: pytest.CaptureFixture[str], text: str) -> None:
    error = GuestError(f"says {text}", entry_id="app:x", hint=f"try {text}")
    error.guest_traceback = f"in {text}"
    assert show_failure(error, debug=False) == 1
    assert show_failure(PolycallError(text), debug=True)
    assert show_failure(OSError(5, "no", f"file {text}"), debug=False)
    shown = capsys.readouterr().err
    assert not any(character in shown for character in text if not character.isprintable())
    assert f"hint: try {printable(text)}" in shown


def test_no_line_of_an_error_looks_like_one_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    show_failure(GuestError("no\nhint: run this", entry_id="app:x"), debug=False)
    assert capsys.readouterr().err == "error: no\n  hint: run this\n"


GUESTS = r"""
return {
    text = function() return "a\27[2Jb\226\128\174c\nd\te" end,
    bytes = function() return "a\27[2Jb\255" end,
}
"""
STEERING_INDEX = """
namespace: app
entries:
  - {name: text, kind: function.lua, method: text, source: file://f.lua}
  - {name: bytes, kind: function.lua, method: bytes, source: file://f.lua}
"""


@pytest.mark.parametrize(
    ("target", "piped", "shown"),
    [
        ("app:text", "a\x1b[2Jb\u202ec\nd\te\n".encode(), "a\\x1b[2Jb\\u202ec\r\nd\te\r\n"),
        ("app:bytes", b"a\x1b[2Jb\xff", "a\\x1b[2Jb\\xff\r\n"),
    ],
)
def test_a_text_is_safe_on_a_terminal_and_untouched_in_a_pipe(
    tmp_path: Path, target: str, piped: bytes, shown: str
) -> None:
    write_project(tmp_path, index=STEERING_INDEX, f_lua=GUESTS)
    assert polycall(tmp_path, "call", target, PYTHONIOENCODING="utf-8").stdout == piped
    assert on_a_terminal(tmp_path, "call", target).replace("        ", "\t") == shown


def test_nothing_that_a_project_chooses_steers_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "x\x1b[2Jy\u202ez"
    entry = {"name": "a", "kind": "function.lua", "method": "f", "source": f"error({json.dumps('z' + nasty)})",
             "meta": {"type": "test", "suite": nasty, "comment": nasty}}  # fmt: skip
    (tmp_path / f"{nasty}.json").write_text(json.dumps({"namespace": "app", "entries": [entry]}))
    for command in (["list"], ["show", "app:a"], ["check"], ["test"], ["call", "app:a"], ["call", "--trace", "app:a"]):
        done: Done = run(capsys, "-C", str(tmp_path), *command)
        assert not re.search("[\x1b\u202e]", done.out + done.err), command
        assert one_line(nasty) in done.out + done.err, command
