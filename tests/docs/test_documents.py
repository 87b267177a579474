"""Runs every fenced block of the README and of docs/.

Each document gets an empty folder of its own, in which its blocks run in order:

- ``file=NAME`` behind the language: the block is written to that file.
- ``console``: lines that begin with ``$ `` are run by sh; what follows must be their output (stdout and stderr; ``...``
  stands for anything). ``in=repository`` runs them in the project's own folder.
- ``python``: runs; all such blocks of a document share their names. ``pycon`` is checked as a doctest.
- ``text`` is for the eye: diagrams and forms, nothing that could be run.

A ``console`` block with ``needs=toolchain`` (or ``rust``) runs compilers: only with the option ``--toolchains``.
Without it the page ends there, for what follows uses what was built; what the block says is the record of the last run.

Documents about Lua run a second time with its guests in the sandbox; with ``--lua all``, all that have such guests, but
those that are about what the second run changes.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from commands import run_in_pipes
from effort import WHOLE

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / ".guests-tools"
RUST = Path("/usr/lib/rustlib/wasm32-unknown-unknown")  # Debian's: no registry that tests may use has it otherwise
TOOLCHAINS = ("toolchain", "rust") if RUST.exists() else ("toolchain",)
DOCUMENTS = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted((REPOSITORY / "examples").glob("*/README.md")),
]
_ABOUT_LUA = ("docs/lua-modules.md", "docs/lua-modules-host.md", "docs/errors.md", "docs/resources.md")
_ABOUT_FILES = ("docs/reload.md", "docs/settings.md")
_SANDBOXED = "isolation: sandbox\n"
_FENCE = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY_FENCE = re.compile(r"^\s*```", re.MULTILINE)


class Block(NamedTuple):
    language: str
    options: dict[str, str]
    body: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    for match in _FENCE.finditer(text):
        language, *options = match["info"].split()
        pairs = dict(option.split("=", 1) for option in options)
        yield Block(language, pairs, match["body"], text.count("\n", 0, match.start()) + 1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    documents = {str(path.relative_to(REPOSITORY)): path for path in DOCUMENTS}
    if "sandboxed" in metafunc.fixturenames and metafunc.config.getoption("--lua") == "all":
        with_lua = (name for name, path in documents.items() if "kind: function.lua" in path.read_text("utf-8"))
        documents = {name: documents[name] for name in with_lua if name not in _ABOUT_FILES}
    elif "sandboxed" in metafunc.fixturenames:
        documents = {name: documents[name] for name in _ABOUT_LUA}
    metafunc.parametrize("document", documents.values(), ids=documents)


def test_every_block_of_the_document_does_what_it_says(
    document: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    _run_all(document, tmp_path, request)


@pytest.fixture
def sandboxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the guests that documents declare run in the sandbox, if they say nothing else: the files' last line does."""
    write = Path.write_text

    def written(path: Path, text: str, encoding: str) -> int:
        declares = path.suffix == ".yaml" and re.search("^namespace:", text, re.MULTILINE)
        return write(path, text + _SANDBOXED * bool(declares and "\nisolation:" not in text), encoding)

    monkeypatch.setattr(Path, "write_text", written)


def test_every_block_does_what_it_says_in_the_sandbox(
    document: Path, tmp_path: Path, sandboxed: None, request: pytest.FixtureRequest
) -> None:
    _run_all(document, tmp_path, request)


def _run_all(document: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text = document.read_text(encoding="utf-8")
    found = list(blocks(text))
    assert 2 * len(found) == len(_ANY_FENCE.findall(text)), "a fence has no language, or is not closed"
    names: dict[str, Any] = {}
    home = document.parent if document.parent.parent.name == "examples" else tmp_path
    there = {None, *(TOOLCHAINS if request.config.getoption("toolchains") else ())}
    for block in found:
        if block.options.get("needs") not in there:
            break
        place = REPOSITORY if block.options.get("in") == "repository" else home
        _run(block, place, names, f"{document.name}:{block.line}")


def _run(block: Block, place: Path, names: dict[str, Any], where: str) -> None:
    if "file" in block.options:
        path = place / block.options["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.body, encoding="utf-8")
    elif block.language == "console":
        _run_console(block, place, where)
    elif block.language == "pycon":
        _run_doctest(block, place, names, where)
    elif block.language == "python":
        with contextlib.chdir(place):
            exec(compile(block.body, where, "exec"), names)
    else:
        assert block.language == "text", f"{where}: nobody runs a block of {block.language}"


def _run_console(block: Block, place: Path, where: str) -> None:
    commands = re.split(r"^\$ ", block.body, flags=re.MULTILINE)
    assert not commands[0].strip(), f"{where}: a console block begins with $"
    for command in commands[1:]:
        lines = command.split("\n")
        length = next(index for index, line in enumerate(lines, 1) if not line.endswith("\\"))
        script, expected = "\n".join(lines[:length]), "\n".join(lines[length:])
        if script == "sh run.sh":  # of an example: test_examples.py runs it, and compares what it prints with this
            _compare(expected, (place / "expected.txt").read_text(encoding="utf-8"), f"{where}: $ {script}")
            continue
        if script.startswith("make ") and script != "make demo":
            assert script in (REPOSITORY / ".ci" / "run").read_text(), f"{where}: CI runs {script}, not this test"
            continue
        printed = _run_script(script, place, toolchains="needs" in block.options)
        if "output" not in block.options:
            _compare(expected, printed, f"{where}: $ {script}")


def _run_script(script: str, place: Path, *, toolchains: bool) -> str:
    """Returns what a command line of the shell writes to stdout and stderr."""
    alone = None if WHOLE else _ALONE.fullmatch(script)
    if alone and not toolchains:
        return _run_here(shlex.split(alone["arguments"]), place / (alone["folder"] or "."))
    return subprocess.run(
        ["sh", "-c", script], cwd=place, env=_environment(toolchains=toolchains), text=True,
        check=False, timeout=600 if toolchains else 120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    ).stdout  # fmt: skip


_ALONE = re.compile(
    r"(?:cd (?P<folder>\w+) && )?polycall (?P<arguments>(?:add|call|check|hash|init|list|show|stubs|test|wit)"
    r"""(?: (?:[\w./:=,+-]+|'[^']*'|"[^"$`\\]*"| )*)?)"""
)
"""A command of ours and nothing for the shell to do: it needs no process of its own."""


def _run_here(arguments: list[str], place: Path) -> str:
    with mock.patch.dict(os.environ, _environment(), clear=True), contextlib.chdir(place):
        return run_in_pipes(*arguments, stderr=subprocess.STDOUT).stdout.decode()


def _compare(expected: str, got: str, command: str) -> None:
    same = doctest.OutputChecker().check_output(expected.rstrip() + "\n", got.rstrip() + "\n", doctest.ELLIPSIS)
    assert same, f"{command}\nexpected:\n{expected}\ngot:\n{got}"


def _environment(*, toolchains: bool = False) -> dict[str, str]:
    ours = [Path(sys.executable).parent]
    if toolchains:  # their Python has zig; of Rust, Debian's has what compiles to WebAssembly
        ours = [TOOLS / "venv" / "bin", TOOLS / "node_modules" / ".bin", Path("/usr/bin"), *ours]
    path = os.pathsep.join([*map(str, ours), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "NO_COLOR": "1", "ZIG_GLOBAL_CACHE_DIR": str(TOOLS / "zig-cache")}


def _run_doctest(block: Block, place: Path, names: dict[str, Any], where: str) -> None:
    test = doctest.DocTestParser().get_doctest(block.body, names, where, where, block.line)
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    with contextlib.chdir(place):
        runner.run(test, out=report.append, clear_globs=False)
    names.update(test.globs)
    assert not runner.failures, "".join(report)
