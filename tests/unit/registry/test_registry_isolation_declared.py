"""What isolation an entry has: its own word, that of its file, of the command line, of the settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import polycall
from polycall.interop.errors import DeclarationError
from polycall.interop.isolation import ISOLATIONS, combined, in_process, in_sandbox
from polycall.registry.cli.main import main
from polycall.registry.dispatch.programs import lua_program
from polycall.registry.reading.load import load_index
from projects import write_project

INDEX = """
namespace: app
HEAD
entries:
  - {name: f, kind: function.lua, method: f, OWN source: "return {f = function() end}", imports: {lib: lib}}
  - {name: w, kind: function.wat, method: w, OWN wit: "w: func()", source: '(module (func (export "w")))'}
  - {name: lib, kind: library.lua, source: "return {}"}
"""


def project(folder: Path, *, own: str = "", head: str = "", settings: str = "") -> Path:
    own, head, settings = (f"isolation: {each}" if each else "" for each in (own, head, settings))
    index = INDEX.replace("OWN", own and f"{own},").replace("HEAD", head)
    return write_project(folder, index=index, polycall_yaml=settings or "max_depth: 32")


@pytest.mark.parametrize(
    ("own", "head", "settings", "given", "expected"),
    [
        ("", "", "", None, "none"),
        ("", "", "sandbox", None, "sandbox"),
        ("", "process", "sandbox", None, "process"),
        ("none", "process", "sandbox", None, "none"),
        ("process+sandbox", "", "", None, "process+sandbox"),
        # who loads it says it in the place of the settings, and of the others at least
        ("", "", "process", "sandbox", "sandbox"),
        ("", "", "process", "none", "none"),
        ("", "none", "", "sandbox", "sandbox"),
        ("none", "", "", "sandbox", "sandbox"),
        ("process", "", "", "sandbox", "process+sandbox"),
        ("sandbox", "", "", "process", "process+sandbox"),
        ("process", "sandbox", "sandbox", "none", "process"),
    ],
)
def test_who_says_what_wins(  # noqa: PLR0917  # a table
    tmp_path: Path, own: str, head: str, settings: str, given: str | None, expected: str
) -> None:
    index = load_index(project(tmp_path, own=own, head=head, settings=settings), isolation=given)
    assert [index.get(f"app:{name}").spec.isolation for name in "fw"] == [expected, expected]


@pytest.mark.parametrize("own", [*ISOLATIONS, ""])
def test_libraries_are_where_their_importer_is(tmp_path: Path, own: str) -> None:
    index = load_index(project(tmp_path, own=own, settings="sandbox"))
    program = lua_program(index.get("app:f"), index)
    assert program.sandbox is program.imports["lib"].sandbox is in_sandbox(own or "sandbox")
    alone = lua_program(index.get("app:lib"), index)  # it is compiled where somebody imports it who is not isolated
    assert alone.sandbox is (own != "none")


def test_a_reload_keeps_what_was_given(tmp_path: Path) -> None:
    with polycall.load(project(tmp_path), isolation="sandbox") as registry:
        project(tmp_path, own="none", settings="process")
        registry.reload()
        assert registry.get("app:f").spec.isolation == "sandbox"


def test_a_change_of_the_head_changes_the_entries(tmp_path: Path) -> None:
    with polycall.load(project(tmp_path)) as registry:
        project(tmp_path, head="process")
        assert set(registry.reload().changed) == {"app:f", "app:w"}


def test_the_command_line_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(project(tmp_path, own="none"))
    assert main(["-C", folder, "--isolation", "process", "show", "--json", "app:w"]) == 0
    assert json.loads(capsys.readouterr().out)["isolation"] == "process"
    assert main(["-C", folder, "--isolation", "jail", "list"]) == 2
    assert "'process+sandbox'" in capsys.readouterr().err


@pytest.mark.parametrize(("key", "at"), [("own", "entries[0].isolation"), ("head", "isolation")])
def test_any_other_word_is_a_problem_where_it_stands(tmp_path: Path, key: str, at: str) -> None:
    with pytest.raises(DeclarationError) as wrong:
        load_index(project(tmp_path, **{key: "jail"}))
    problem = wrong.value.problems[0]
    assert (problem.path, problem.message) == (
        at,
        'expected one of "none", "sandbox", "process", "process+sandbox", got "jail"',
    )


def test_a_program_may_give_no_other_word(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="isolation is 'jail'"):
        polycall.load(project(tmp_path), isolation="jail")


@pytest.mark.parametrize("isolation", ["sandbox", "none"])
def test_webassembly_is_a_sandbox_anyway(tmp_path: Path, isolation: str) -> None:
    with polycall.load(project(tmp_path, own=isolation)) as registry:
        assert registry.call("app:w") is None


def test_combining_takes_nothing_away() -> None:
    for one in ISOLATIONS:
        for other in ISOLATIONS:
            both = combined(one, other)
            assert both in ISOLATIONS
            assert in_process(both) is (in_process(one) or in_process(other))
            assert in_sandbox(both) is (in_sandbox(one) or in_sandbox(other))


@pytest.mark.parametrize("isolation", ["none", "sandbox"])
def test_the_command_line_says_it_of_a_file_as_well(
    tmp_path: Path, isolation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Weak keys tell the two engines apart: the host's holds them."""
    text = """return { kept = function()
      local keys = setmetatable({ [{}] = 1 }, { __mode = "k" })
      for _ = 1, 1000000 do local _ = {} end
      return next(keys) ~= nil
    end }"""
    (tmp_path / "f.lua").write_text(text, encoding="utf-8")
    assert main(["--isolation", isolation, "call", str(tmp_path / "f.lua"), "kept"]) == 0
    assert capsys.readouterr().out.strip() == ("true" if isolation == "none" else "false")
