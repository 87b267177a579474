from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import Talk, each_on_a_terminal, on_a_terminal
from polycall.registry.cli.progress import progress
from projects import GUESTS, write_project

INDEX = """
namespace: app
entries:
  - {name: "[red]x[/red]", kind: function.lua, meta: {comment: says hello, type: test}, method: f,
     source: "return { f = function() return true end }"}
  - {name: broken, kind: function.lua, method: g, source: "return { f = 1 }"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, index=INDEX)


def test_a_terminal_gets_colours(project: Path) -> None:
    commands = ["list", "check", "test", "doctor"]
    each = each_on_a_terminal([["-C", str(project), command] for command in commands], {})
    for command, (_, shown) in zip(commands, each, strict=True):
        assert "\x1b[" in shown, command
        if command in ("list", "test"):
            assert "app:[red]x[/red]" in shown  # an id is never taken for markup


def test_nothing_is_cut_off_where_the_terminal_is_narrow(project: Path) -> None:
    shown = on_a_terminal(project, "list", environment={"COLUMNS": "20"})
    assert "…" not in shown


def test_an_id_is_never_broken_however_narrow_the_terminal_is(tmp_path: Path) -> None:
    entry_id = "app.of.some.depth:a-function-with-a-long-name"
    source = "return { f = function() return true end }"
    entry = {"name": entry_id.partition(":")[2], "kind": "function.lua", "method": "f", "source": source}
    index = {"namespace": "app.of.some.depth", "entries": [entry | {"meta": {"type": "test", "comment": "a " * 50}}]}
    write_project(tmp_path, index=json.dumps(index))
    commands = [["-C", str(tmp_path), *arguments] for arguments in (["list"], ["test"], ["show", entry_id])]
    for command, (_, shown) in zip(commands, each_on_a_terminal(commands, {"COLUMNS": "40"}), strict=True):
        assert entry_id in shown, command


BUILT = """
namespace: app
entries:
  - {name: out, kind: fs.directory, directory: out}
  - name: one-that-is-built-with-a-long-name
    kind: function.wasm
    fs: out
    path: one.wasm
    method: run
    build: {command: cp ../caller.wasm ../out/one.wasm, workdir: src}
  - name: one-that-is-not-built-for-some-reason
    kind: function.wasm
    fs: out
    path: other.wasm
    method: run
    build: {command: "false", workdir: src}
"""


def test_what_makes_and_writes_is_fit_for_a_narrow_terminal(tmp_path: Path) -> None:
    made, built = tmp_path / "made", tmp_path / "built"
    for folder in ("out", "src"):
        (built / folder).mkdir(parents=True)
    write_project(built, index=BUILT)
    shutil.copy(GUESTS / "bin" / "caller.wasm", built / "caller.wasm")
    here, there = ["-C", str(made)], ["-C", str(built)]
    name, one = "a-function-that-has-a-long-name", "app:one-that-is-built-with-a-long-name"
    steps: list[tuple[list[str], int, bool, str]] = [  # its exit code, whether it has colours, what is not broken
        (["init", str(made), "--template", "wat"], 0, False, f"cd {made}\r\n"),
        ([*here, "add", name, "--template", "lua"], 0, True, f"app:{name}"),
        ([*there, "build"], 1, True, one),
        ([*there, "hash"], 4, True, "app:out: the file other.wasm"),
        ([*here, "wit", "app:slug"], 0, False, "world "),
        ([*here, "stubs", "--python", str(made / "typed")], 0, True, str(made / "typed")),
        ([*here, "schema"], 0, False, '"$id": "urn:polycall:schema:entries"'),
        ([*here, "completion", "bash"], 0, False, "complete -o nosort -F _polycall_completion polycall"),
        ([*here, "cache"], 0, True, "folder  "),
    ]
    environment = {"COLUMNS": "40", "POLYCALL_CACHE_DIR": str(tmp_path / "cache")}
    shown = each_on_a_terminal([arguments for arguments, *_ in steps], environment)
    for (arguments, code, has_colours, whole), (ended, text) in zip(steps, shown, strict=True):
        assert (ended, "\x1b[" in text, whole in text) == (code, has_colours, True), (arguments, text)


@pytest.mark.parametrize(
    ("arguments", "typed", "begun"),
    [
        (["call", "app:forever"], "", "spinning"),
        (["call", "app:forever", "--each", "--jobs", "2"], "1\r", "spinning"),
        (["-v", "test"], "", "spinning"),
        (["-v", "check"], "", "starting"),
        (["-v", "show", "app:slow-to-start"], "", "starting"),
        (["call", "./forever.lua", "f"], "", "spinning"),
        (["build"], "", "app:built"),
    ],
)
def test_ctrl_c_at_a_terminal_ends_a_command_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], typed: str, begun: str
) -> None:
    forever = "return { f = function() print('spinning') while true do end end }"
    start = "print('starting') while true do end return {}"
    of_lua = {"kind": "function.lua", "method": "f"}
    entries = [
        {"name": "forever", "meta": {"type": "test"}, "source": forever, **of_lua},
        {"name": "slow-to-start", "source": start, **of_lua},
        {"name": "out", "kind": "fs.directory", "directory": "out", "auto_init": True},
        {
            "name": "built", "kind": "function.wasm", "fs": "out", "path": "b.wasm", "method": "f",
            "build": {"command": "sleep 600", "workdir": "src"},
        },
    ]  # fmt: skip
    (tmp_path / "src").mkdir()
    write_project(tmp_path, index=json.dumps({"namespace": "app", "entries": entries}))
    (tmp_path / "forever.lua").write_text(forever, "utf-8")
    monkeypatch.chdir(tmp_path)
    talk = Talk(tmp_path, *arguments, environment={})
    talk.type(typed)
    talk.until(begun)
    talk.type("\x03")
    started = time.monotonic()
    assert talk.ended() == 130
    assert time.monotonic() - started < 5
    assert "interrupted" in talk.shown
    assert "Traceback" not in talk.shown


def test_no_color_is_respected(project: Path) -> None:
    commands = [["-C", str(project), command] for command in ("list", "doctor")]
    for _, shown in each_on_a_terminal(commands, {"NO_COLOR": "1"}):
        assert shown
        assert "\x1b" not in shown


def test_a_long_check_shows_its_progress_and_leaves_nothing_of_it(project: Path) -> None:
    shown = on_a_terminal(project, "check")
    assert "0/2" in shown or "1/2" in shown or "2/2" in shown
    assert "1 error, 0 warnings" in shown.splitlines()[-1]


def test_no_color_leaves_the_progress_out_as_well(project: Path) -> None:
    shown = on_a_terminal(project, "check", environment={"NO_COLOR": "1"})
    assert "\x1b" not in shown
    assert "1 error, 0 warnings" in shown


def test_nothing_to_do_shows_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    with progress(0):
        pass
    assert isinstance(sys.stderr, Terminal)
    assert not sys.stderr.getvalue()
    with progress(1):
        pass
    assert sys.stderr.getvalue()


def test_a_pipe_gets_plain_text_and_no_rich(project: Path) -> None:
    script = (
        "import sys; from polycall.registry.cli.main import main; "
        f"[main(['-C', {str(project)!r}, command]) for command in ('list', 'check', 'test')]; "
        "sys.exit('rich' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert "\x1b" not in result.stdout + result.stderr
    assert result.stdout.startswith("app:[red]x[/red]  function.lua  says hello\napp:broken        function.lua\n")
