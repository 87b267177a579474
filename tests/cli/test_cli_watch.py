"""`--watch` in a process of its own, told apart by what it prints: every wait here is for a line of its output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polycall.registry.cli.main import main
from projects import write_project
from watched import Watch

INDEX = """
namespace: app
entries:
  - {name: greet, kind: function.lua, source: file://greet.lua, method: greet}
  - {name: count, kind: function.lua, source: file://count.lua, method: count}
  - {name: spin, kind: function.lua, source: file://spin.lua, method: spin}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(
        tmp_path,
        index=INDEX,
        greet_lua="return { greet = function(name) return 'hello ' .. name end }",
        count_lua="local n = 0; return { count = function() n = n + 1; return n end }",
        spin_lua="return { spin = function() print('on') while true do end end }",
    )


@pytest.fixture
def watches() -> Iterator[list[Watch]]:
    started: list[Watch] = []
    yield started
    for watch in started:
        watch.kill()


def test_a_call_runs_again_with_the_new_code_and_waits_on_while_the_project_is_broken(
    project: Path, watches: list[Watch]
) -> None:
    watch = Watch(project, "call", "app:greet", "--string", "you", "--watch")
    watches.append(watch)
    assert watch.run() == ["hello you"]
    watch.rewrite("greet.lua", "hello", "good day")
    assert watch.run() == ["changed: greet.lua", "good day you"]
    watch.rewrite("_index.yaml", "method: greet", "metod: greet")
    broken = watch.run()
    assert broken[0] == "changed: _index.yaml"
    assert 'entries[0].metod: unknown key (did you mean "method"?)' in "\n".join(broken)
    watch.rewrite("_index.yaml", "metod: greet", "method: greet")
    assert watch.run() == ["changed: _index.yaml", "good day you"]
    watch.rewrite("greet.lua", "return 'good day ' .. name", "error('no')")
    assert watch.run()[1] == "error: app:greet (lua): greet.lua:1: no"
    assert watch.interrupt() == 0


def test_what_did_not_change_stays_as_it_is(project: Path, watches: list[Watch]) -> None:
    watch = Watch(project, "call", "app:count", "--watch")
    watches.append(watch)
    assert watch.run() == ["1"]
    watch.rewrite("greet.lua", "hello", "good day")
    assert watch.run() == ["changed: greet.lua", "2"]


def test_what_holds_no_entries_and_what_lies_outside_is_not_watched(project: Path, watches: list[Watch]) -> None:
    outside = project / ".." / f"{project.name}-beside"
    places = [project / "node_modules" / "deep", project / ".hidden", outside]
    for place in places:
        place.mkdir(parents=True)
    watch = Watch(project, "call", "app:count", "--watch")
    watches.append(watch)
    assert watch.run() == ["1"]
    for place in places:
        (place / "a.lua").write_text("return 1")
    watch.rewrite("greet.lua", "hello", "good day")  # a change of the others would have been told before
    assert watch.run() == ["changed: greet.lua", "2"]


def test_a_function_that_writes_into_the_project_runs_again(project: Path, watches: list[Watch]) -> None:
    text = """
    namespace: app.note
    entries:
      - {name: files, kind: fs.directory, directory: data, auto_init: true}
      - name: note
        kind: function.lua
        modules: [fs]
        method: note
        source: |
          local n = 0
          return { note = function()
              n = n + 1
              if n < 3 then require("fs").get("files"):writefile("note.txt", tostring(n)) end
              return n
          end }
    """
    (project / "note.yaml").write_text(text)
    watch = Watch(project, "call", "app.note:note", "--watch")
    watches.append(watch)
    while (seen := watch.run()[-1]) != "3":
        assert seen in "12"


def test_its_own_output_is_no_change(project: Path, watches: list[Watch]) -> None:
    with (project / "out.txt").open("w") as output:
        watches.append(Watch(project, "call", "app:greet", "--string", "you", "--watch", output=output))
    watches[0].run()
    watches[0].rewrite("greet.lua", "hello", "good day")
    assert watches[0].run() == ["changed: greet.lua"]
    assert (project / "out.txt").read_text() == "hello you\ngood day you\n"


def test_check_and_list_watch_as_well(project: Path, watches: list[Watch]) -> None:
    check, listing = Watch(project, "check", "--watch"), Watch(project, "list", "--watch", "-k", "library.*")
    watches += [check, listing]
    assert check.run() == ["no problems in 3 entries"]
    assert listing.run() == ["no entries of kind library.*"]
    check.rewrite("greet.lua", "greet =", "great =")
    assert check.run()[-1] == "1 error, 0 warnings"
    assert listing.run() == ["changed: greet.lua", "no entries of kind library.*"]
    (project / "lib.yaml").write_text("namespace: app.more\nname: lib\nkind: library.lua\nsource: return 1\n")
    assert check.run()[-1] == "1 error, 0 warnings"
    assert listing.run()[-1] == "app.more:lib  library.lua"
    check.rewrite("_index.yaml", "method: greet", "metod: greet")
    assert check.run()[-1] == "1 error, 0 warnings"


def test_an_argument_from_standard_input_is_read_once(project: Path, watches: list[Watch]) -> None:
    watch = Watch(project, "call", "app:greet", "--string", "-", "--watch")
    watches.append(watch)
    assert watch.process.stdin is not None
    watch.process.stdin.write("them")
    watch.process.stdin.close()
    watch.process.stdin = None
    assert watch.run() == ["hello them"]
    watch.rewrite("greet.lua", "hello", "good day")
    assert watch.run() == ["changed: greet.lua", "good day them"]


def test_ctrl_c_in_a_call_stops_the_guest_and_the_watch(project: Path, watches: list[Watch]) -> None:
    watch = Watch(project, "-v", "call", "app:spin", "--watch")
    watches.append(watch)
    assert watch.until("INFO polycall.entry.app:spin: on") == []
    assert watch.interrupt() == 130


def test_a_folder_that_is_not_there_is_an_error_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", str(tmp_path / "nowhere"), "check", "--watch"]) == 4
    assert "there is no project folder" in capsys.readouterr().err


def test_without_the_package_the_error_says_what_to_install(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    assert main(["-C", str(project), "check", "--watch"]) == 2
    assert "--watch needs the package watchfiles: pip install 'polycall[watch]'" in capsys.readouterr().err
