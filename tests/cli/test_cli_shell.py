from __future__ import annotations

import io
import re
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands import Done, Talk, run
from polycall.registry.cli.shell_line import split
from projects import write_project
from text_guest import TEXT_GUEST

INDEX = """
namespace: app
entries:
  - {name: echo, kind: function.lua, meta: {comment: "Gives back\\e[31m"}, method: f,
     source: "return { f = function(...) return ... end }"}
  - {name: check, kind: function.wat, source: file://echo.wat, method: check}
  - name: forever
    kind: function.lua
    method: f
    source: "return { f = function() print('spinning') while true do end end }"
"""
Script = Callable[[str], Done]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "echo.wat").write_text(TEXT_GUEST, "utf-8")
    return write_project(tmp_path, index=INDEX)


@pytest.fixture
def script(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Script:
    def do(lines: str) -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
        return run(capsys, "-C", str(project), "shell")

    return do


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  # a comment", []),
        ("app:f 1 -2.5 null", ["app:f", "1", "-2.5", "null"]),
        ('app:f {"a": [1, "}"]} [ 1 ] # more', ["app:f", '{"a": [1, "}"]}', "[ 1 ]"]),
        ('app:f "two words" \'it is "text"\' plain', ["app:f", '"two words"', 'it is "text"', "plain"]),
        ("app:f @a.json", ["app:f", "@a.json"]),
    ],
)
def test_a_value_of_json_is_one_word(line: str, words: list[str]) -> None:
    assert split(line) == words


def test_a_script_does_what_its_lines_say(script: Script, project: Path) -> None:
    (project / "a.json").write_text("[1, 2]", "utf-8")
    done = script('# a script\n\napp:echo "a b"\napp:echo {"a": 1}\napp:check \'\'\nlist\nexit\napp:nope\n')
    assert done.err == ""
    assert done.code == 0
    assert done.out.startswith('a b\n{\n  "a": 1\n}\n{\n  "ok": true\n}\napp:check ')
    shown = script("show app:check\nreload\nhelp\n").out
    assert "func(text: string) -> result<_, string>" in shown
    assert "0 added, 0 changed, 0 removed\n" in shown
    assert "list [NAMESPACE]" in shown


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("app:check no", 1, "error: app:check: no\n"),
        ("app:ecko", 4, 'did you mean "app:echo"'),
        ("app:echo {", 2, "line 2: this is not JSON: {"),
        ("app:echo 'a", 2, "line 2: there is no second '"),
        ("app:echo text", 2, "line 2: argument 1 is not JSON"),
        ("echo", 2, "line 2: echo is no command"),
        ("show", 2, "line 2: show takes one argument"),
        ("reload now", 2, "line 2: reload takes no argument"),
    ],
)
def test_a_script_ends_at_the_first_line_that_fails(script: Script, line: str, code: int, message: str) -> None:
    done = script(f"app:echo 1\n{line}\napp:echo 3\n")
    assert (done.code, done.out) == (code, "1\n")
    assert message in done.err
    assert "line 2" in done.err


@pytest.fixture
def talk(project: Path, tmp_path: Path) -> Iterator[Talk]:
    talking = Talk(project, "shell", environment={"XDG_STATE_HOME": str(tmp_path / "state")})
    try:
        talking.until("polycall>")
        yield talking
    finally:
        if talking.process.poll() is None:
            talking.process.kill()
            talking.ended()


def test_a_prompt_calls_completes_and_leaves_at_ctrl_d(talk: Talk) -> None:
    talk.type("app:ec")
    talk.until("Gives back\\x1b[31m")  # the menu, and nothing of it steers the terminal
    talk.type("\t [41]\r")
    talk.until("  41\r\n]")
    assert re.search(r"\d\.\d$", talk.until(" ms"))
    talk.until("polycall>")
    talk.type("app:check ")
    talk.until("result<_, string>")
    talk.type("no\r")
    talk.until("error:")
    talk.until("polycall>")
    talk.type("\x1b[A\x1b[A\r")  # up, up: the first line again
    talk.until("  41\r\n]")
    talk.until("polycall>")
    talk.type("\x04")
    assert talk.ended() == 0


def test_ctrl_c_drops_the_line_and_stops_a_call(talk: Talk) -> None:
    talk.type("app:echo 1\x03")
    talk.until("polycall>")
    talk.type("app:forever\r")
    talk.until("spinning")
    talk.type("\x03")
    talk.until("interrupted")
    talk.until("polycall>")
    talk.type("app:echo [42]\r")
    talk.until("  42\r\n]")
    talk.type("exit\r")
    assert talk.ended() == 0


def test_the_history_is_the_users_alone(talk: Talk, tmp_path: Path) -> None:
    talk.type("app:echo [42]\r")
    talk.until("  42\r\n]")
    talk.until("polycall>")
    talk.type("\x04")
    talk.ended()
    file = tmp_path / "state" / "polycall" / "shell-history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "+app:echo [42]" in file.read_text("utf-8")


def test_without_its_package_the_prompt_says_what_to_install(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "prompt_toolkit", None)
    monkeypatch.delitem(sys.modules, "polycall.registry.cli.shell_prompt", raising=False)
    done = run(capsys, "-C", str(project), "shell")
    assert done.code == 2
    assert "pip install 'polycall[shell]'" in done.err
