"""Entries that Python adds, replaces and removes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import polycall
from projects import write_project

PROJECT = """
namespace: app
entries:
  - {name: rate, kind: function.lua, method: f, source: "return { f = function() return 1 end }"}
  - name: ask
    kind: function.lua
    method: f
    modules: [funcs]
    imports: {lib: lib}
    source: "return { f = function() return require('funcs').call('app:rate') + require('lib').offset end }"
  - {name: lib, kind: library.lua, source: "return { offset = 0 }"}
"""


def lua(entry_id: str, result: str, **keys: Any) -> dict[str, Any]:
    source = f"return {{ f = function(...) return {result} end }}"
    return {"id": entry_id, "kind": "function.lua", "method": "f", "source": source, **keys}


def library(entry_id: str, offset: int) -> dict[str, Any]:
    return {"id": entry_id, "kind": "library.lua", "source": f"return {{ offset = {offset} }}"}


def told(action: Any, kind: type[Exception] = polycall.DeclarationError) -> list[str]:
    with pytest.raises(kind) as caught:
        action()
    error = caught.value
    return [str(problem) for problem in getattr(error, "problems", [error])]


@pytest.fixture
def bare() -> Iterator[polycall.Registry]:
    with polycall.Registry() as registry:
        yield registry


@pytest.fixture
def project(tmp_path: Path) -> Iterator[polycall.Registry]:
    with polycall.load(write_project(tmp_path, index=PROJECT)) as registry:
        yield registry


def test_a_registry_without_files_has_what_python_adds(bare: polycall.Registry) -> None:
    assert (len(bare), repr(bare)) == (0, "<Registry: 0 entries>")
    entry = bare.add(lua("app:one", "1", meta={"owner": "ana"}))
    assert bare.call("app:one") == 1
    assert bare.get("app:one") is entry
    assert (str(entry.location), entry.meta, entry.kind) == ("add()", {"owner": "ana"}, "function.lua")
    assert [str(each.id) for each in bare.find(meta={"owner": "ana"})] == ["app:one"]
    assert bare.reload() == polycall.Changes((), (), (), ("app:one",))
    assert bare.call("app:one") == 1


def test_all_kinds_can_be_added_and_refer_to_each_other(bare: polycall.Registry, tmp_path: Path) -> None:
    bare.add({"id": "app:data", "kind": "fs.directory", "directory": tmp_path})
    bare.add({"id": "app:store", "kind": "env.storage.static", "values": {"RATE": "7"}})
    bare.add({"id": "app:rate", "kind": "env.variable", "variable": "RATE", "storage": "store"})
    bare.add(library("app:lib", 40))
    bare.add({
        "id": "app:all", "kind": "function.lua", "method": "f", "modules": ["env", "fs"], "imports": {"lib": "lib"},
        "source": """
            local env, fs, lib = require("env"), require("fs"), require("lib")
            return { f = function()
                fs.get("app:data"):writefile("x.txt", "written")
                return lib.offset + tonumber(env.get("RATE"))
            end }
        """,
    })  # fmt: skip
    wat = '(module (func (export "two") (result i32) (i32.const 2)))'
    bare.add({"id": "app:two", "kind": "function.wat", "method": "two", "source": wat, "wit": "two: func() -> s32"})
    assert (bare.call("app:all"), bare.call("app:two")) == (47, 2)
    assert (tmp_path / "x.txt").read_text() == "written"


def test_everything_wrong_is_told_at_once_and_names_the_place(bare: polycall.Registry) -> None:
    bare.add(lua("app:taken", "1"))
    wrong = {"id": "app:taken", "kind": "function.lua", "metod": "f", "pool": {"size": -1}, "imports": {"lib": "none"}}
    assert told(lambda: bare.add(wrong)) == [
        'add(): metod: unknown key (did you mean "method"?)',
        "add(): source: required, but missing (Lua 5.4 text, or file:// and its path; it returns a table of functions, "
        "or one.)",
        "add(): pool.size: expected 0 to 10000, got -1",
        "add(): id: the id app:taken is taken: declared in add() (replace() puts it in the place of that one)",
        "add(): imports.lib: there is no entry app:none",
    ]
    assert bare.call("app:taken") == 1


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ({"kind": "function.lua", "source": "x", "method": "f"}, 'add(): id: required, but missing (such as "app.'),
        ({"id": "one", "kind": "registry.entry"}, 'add(): id: "one" has no namespace: write "namespace:name"'),
        ({"id": 5, "kind": "registry.entry"}, "add(): id: expected a string, got 5"),
        ({"id": "a b:one", "kind": "registry.entry"}, "add(): id: expected names joined by dots before the colon"),
        ({"id": "a:x", "name": "x", "kind": "registry.entry"}, "add(): name: unknown key (in Python an entry is named"),
        ({"id": "a:x"}, "add(): kind: required, but missing"),
        (
            {"id": "a:x", "kind": "function.lau"},
            'add(): kind: unknown kind "function.lau" (did you mean "function.lua"',
        ),
        ({"id": "a:x", "kind": "function.python"}, 'add(): kind: unknown kind "function.python" (registry.function(.'),
        ({"id": "a:x", "kind": "registry.entry", 5: 1}, "add(): a key must be text, got 5"),
        ({"id": "a:x", "kind": "registry.entry", "y": {"z": [b"b"]}}, "add(): y.z[0]: expected None, bool, int, float"),
        ({"id": "a:x", "kind": "registry.entry", "y": "\ud83d"}, "add(): y: expected None, bool, int"),
    ],
)
def test_what_is_no_declaration_is_refused(bare: polycall.Registry, declaration: Any, expected: str) -> None:
    assert any(each.startswith(expected) for each in told(lambda: bare.add(declaration)))
    assert len(bare) == 0


def test_a_declaration_that_contains_itself_is_refused(bare: polycall.Registry) -> None:
    endless: dict[str, Any] = {"id": "a:x", "kind": "registry.entry"}
    endless["y"] = endless
    assert "nested deeper than 128 levels" in told(lambda: bare.add(endless))[0]
    with pytest.raises(TypeError, match=r"add\(\): a declaration is a mapping, not a list of 0"):
        bare.add([])  # type: ignore[arg-type]  # the mistake under test


def test_what_its_program_raises_names_the_entry_and_the_line(bare: polycall.Registry) -> None:
    bare.add({"id": "app:bad", "kind": "function.lua", "method": "f", "source": "return {\n  f(\n}"})
    with pytest.raises(polycall.PreparationError, match=r"app:bad \(lua\): app:bad:3: unexpected symbol"):
        bare.call("app:bad")
    bare.replace(
        {
            "id": "app:bad",
            "kind": "function.lua",
            "method": "f",
            "source": "return { f = function()\n error('no') end }",
        }
    )
    with pytest.raises(polycall.GuestError) as caught:
        bare.call("app:bad")
    assert "app:bad:2" in str(caught.value.guest_traceback)


def test_a_source_from_python_is_never_the_name_of_a_file(project: polycall.Registry) -> None:
    (project.root / "secret.lua").write_text("return { f = function() return 'read' end }")
    project.add({"id": "app:x", "kind": "function.lua", "method": "f", "source": "file://secret.lua"})
    with pytest.raises(polycall.PreparationError, match="app:x:1: "):
        project.call("app:x")
    project.add({**lua("app:y", "5"), "source": {"text": "return { f = function() return 5 end }"}})
    assert project.call("app:y") == 5


def test_replacing_changes_what_later_calls_get_and_what_refers_to_it(project: polycall.Registry) -> None:
    assert project.call("app:ask") == 1
    project.replace(lua("app:rate", "20"))
    project.replace(library("app:lib", 300))
    assert project.call("app:ask") == 320
    project.replace(lua("app:new", "4"))  # there need not be one
    assert project.call("app:new") == 4


def test_a_call_that_runs_ends_on_the_code_that_it_began_with(bare: polycall.Registry) -> None:
    here, go = threading.Event(), threading.Event()

    @bare.function("py:wait")
    def wait() -> None:
        here.set()
        go.wait(30)

    bare.add(lua("app:slow", "require('funcs').call('py:wait') or 'old'", modules=["funcs"]))
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(bare.call("app:slow")))
    thread.start()
    assert here.wait(30)
    bare.replace(lua("app:slow", "'new'"))
    assert bare.call("app:slow") == "new"
    go.set()
    thread.join()
    assert results == ["old"]


def test_what_must_be_ready_first_is_not_there_if_it_cannot_be(bare: polycall.Registry) -> None:
    bare.add(lua("app:x", "1"), prepare=True)
    assert bare.stats().entries["app:x"].calls == 0
    assert bare.call("app:x") == 1
    broken = {**lua("app:x", "1"), "source": "return {"}
    with pytest.raises(polycall.PreparationError, match="app:x:1: "):
        bare.replace(broken, prepare=True)
    assert bare.call("app:x") == 1
    with pytest.raises(polycall.MissingExportError):
        bare.add({**lua("app:y", "1"), "method": "g"}, prepare=True)
    assert "app:y" not in bare
    with pytest.raises(polycall.PreparationError):
        bare.add({"id": "app:lib", "kind": "library.lua", "source": "return {"}, prepare=True)
    bare.replace(lua("app:x", "2"), prepare=True)
    assert bare.call("app:x") == 2


def test_what_is_prepared_is_of_the_entries_that_are_there_by_then(
    bare: polycall.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.add(library("app:lib", 1))
    table = bare._dispatcher.table
    prepared = table._prepared
    turns: list[int] = []

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        route = prepared(*arguments, **options)
        turns.append(1)
        if len(turns) == 1:
            bare.replace(library("app:lib", 2))
        return route

    def nothing_to_do_with_it(*arguments: Any, **options: Any) -> Any:
        turns.append(1)
        bare.replace(library("app:other", 1))
        return prepared(*arguments, **options)

    monkeypatch.setattr(table, "_prepared", nothing_to_do_with_it)
    bare.add(lua("app:alone", "1"), prepare=True)
    assert len(turns) == 1
    turns.clear()
    monkeypatch.setattr(table, "_prepared", meanwhile)
    bare.add(lua("app:user", "require('lib').offset", imports={"lib": "lib"}), prepare=True)
    assert (bare.call("app:user"), len(turns)) == (2, 2)


def test_what_is_removed_is_gone_and_its_id_free(bare: polycall.Registry) -> None:
    bare.add(lua("app:x", "1"))
    assert bare.call("app:x") == 1
    bare.remove("app:x")
    with pytest.raises(polycall.NotFoundError, match="there is no entry app:x"):
        bare.call("app:x")
    with pytest.raises(polycall.NotFoundError):
        bare.remove("app:x")
    bare.add(lua("app:x", "2"))
    assert bare.call(polycall.EntryId("app", "x")) == 2


def test_what_others_refer_to_is_neither_removed_nor_made_something_else(bare: polycall.Registry) -> None:
    bare.add(library("app:lib", 1))
    bare.add(lua("app:user", "require('lib').offset", imports={"lib": "lib"}))
    assert told(lambda: bare.remove("app:lib")) == ["app:user: imports.lib: there is no entry app:lib"]
    other = {"id": "app:lib", "kind": "registry.entry"}
    assert told(lambda: bare.replace(other)) == [
        "app:user: imports.lib: expected library.lua or function.lua, got app:lib, which is registry.entry"
    ]
    assert bare.call("app:user") == 1
    bare.remove("app:user")
    bare.remove("app:lib")
    assert len(bare) == 0


def test_a_circle_of_imports_is_refused(bare: polycall.Registry) -> None:
    bare.add(library("app:a", 1))
    bare.add({**library("app:b", 1), "imports": {"a": "a"}})
    wrong = told(lambda: bare.replace({**library("app:a", 1), "imports": {"b": "b"}}))
    assert len(wrong) == 1
    assert wrong[0].startswith("add(): imports.a: these imports form a circle") or "form a circle" in wrong[0]


def test_public_names_of_variables_stay_unique(bare: polycall.Registry) -> None:
    bare.add({"id": "app:store", "kind": "env.storage.memory"})
    variable = {"kind": "env.variable", "variable": "X", "storage": "app:store"}
    bare.add({"id": "app:x", **variable})
    assert told(lambda: bare.add({"id": "app:y", **variable})) == [
        "add(): variable: the variable X is taken: it is that of app:x (public names are unique: choose another one)"
    ]
    bare.replace({"id": "app:x", **variable, "variable": "Y"})
    bare.add({"id": "app:y", **variable})


def test_a_file_s_entry_is_not_removed_but_can_be_covered(project: polycall.Registry) -> None:
    assert told(lambda: project.remove("app:rate"), ValueError) == [
        "app:rate is declared in _index.yaml:4:5: take it out there, and reload"
    ]
    assert told(lambda: project.add(lua("app:rate", "2"))) == [
        "add(): id: the id app:rate is taken: declared in _index.yaml:4:5 (replace() puts it in the place of that one)"
    ]
    project.replace(lua("app:rate", "2"))
    assert project.call("app:ask") == 2
    project.remove("app:rate")  # that of the file is back
    assert project.call("app:ask") == 1


def test_what_python_has_put_there_survives_a_reload(project: polycall.Registry) -> None:
    project.add(lua("app:mine", "'mine'"))
    project.replace(lua("app:rate", "10"))
    assert project.call("app:mine") == "mine"
    changes = project.reload()
    assert (changes.changed, changes.added, changes.removed) == ((), (), ())
    assert (project.call("app:mine"), project.call("app:ask")) == ("mine", 10)
    project.remove("app:rate")
    assert project.call("app:ask") == 1


def test_a_reload_that_does_not_go_with_what_python_has_added_changes_nothing(project: polycall.Registry) -> None:
    project.add(lua("app:mine", "require('lib').offset", imports={"lib": "lib"}))
    file = project.root / "_index.yaml"
    text = file.read_text()
    file.write_text(text + "  - {name: mine, kind: registry.entry}\n")
    assert told(project.reload) == [
        "_index.yaml:12:5: entries[3]: the id app:mine is taken: an entry was added from Python under it"
    ]
    without = text.replace("    imports: {lib: lib}\n", "").replace("  - {name: lib", "  - {name: other")
    file.write_text(without)
    assert told(project.reload) == ["app:mine: imports.lib: there is no entry app:lib"]
    assert project.call("app:mine") == 0
    project.remove("app:mine")
    assert project.reload().removed == ("app:lib",)


def test_the_settings_of_a_reload_hold_for_what_python_has_added(project: polycall.Registry) -> None:
    project.add(lua("app:mine", "1"))
    (project.root / "polycall.yaml").write_text("limits: {max_memory_bytes: 5000000}\n")
    assert "app:mine" in project.reload().changed
    assert project.get("app:mine").spec.limits.max_memory_bytes == 5_000_000


def test_settings_of_a_registry_without_files_hold_for_its_entries() -> None:
    with polycall.Registry(settings={"limits": {"max_execution_ms": 20}, "max_depth": 2}) as registry:
        registry.add({**lua("app:spin", "1"), "source": "return { f = function() while true do end end }"})
        with pytest.raises(polycall.DeadlineError):
            registry.call("app:spin")
    assert told(lambda: polycall.Registry(settings={"limit": {}, "max_depth": 99})) == [
        'Registry(): limit: unknown key (did you mean "limits"?)',
        "Registry(): max_depth: expected 1 to 32, got 99",
    ]


def test_python_makes_no_data_of_a_project(project: polycall.Registry, tmp_path: Path) -> None:
    inside = project.root / "inside"
    inside.mkdir()
    for directory in (str(inside), "inside", inside / "deeper"):
        wrong = told(
            lambda directory=directory: project.add({"id": "a:d", "kind": "fs.directory", "directory": directory})
        )
        assert "lies in a folder of sources" in wrong[0]
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    project.add({"id": "a:d", "kind": "fs.directory", "directory": outside, "auto_init": True})
    variables = {"id": "a:env", "kind": "env.storage.file", "file_path": f"../{outside.name}/x.env"}
    assert any("file_path" in each for each in told(lambda: project.add(variables)))


def test_variables_and_data_are_kept_apart_whichever_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = {"id": "a:data", "kind": "fs.directory", "directory": "data", "auto_init": True}
    variables = {"id": "a:env", "kind": "env.storage.file", "file_path": "data/x.env"}
    for first, second, key in ((data, variables, "file_path"), (variables, data, "directory")):
        with polycall.Registry() as registry:
            registry.add(first)
            (wrong,) = told(partial(registry.add, second))
            assert wrong.startswith(
                f"add(): {key}: data/x.env, the variables of a:env, lies in data, which a:data hands"
            )
            registry.add({**data, "id": "a:other", "directory": "other"})


def test_python_makes_no_data_of_the_sources_of_a_module_elsewhere(tmp_path: Path) -> None:
    project, module = tmp_path / "project", tmp_path / "modules" / "acme"
    for folder in (project / "src", module):
        folder.mkdir(parents=True)
    (module / "_index.yaml").write_text(PROJECT)
    (project / "wippy.lock").write_text("replacements: [{from: acme/tools, to: ../modules/acme}]\n")
    with polycall.load(project) as registry:
        assert registry.call("app:ask") == 1
        for folder in (module, module / "data", module.parent):
            declaration = {"id": "a:d", "kind": "fs.directory", "directory": folder}
            assert "lies in a folder of sources" in told(partial(registry.add, declaration))[0]
        registry.add({"id": "a:d", "kind": "fs.directory", "directory": tmp_path / "elsewhere", "auto_init": True})
        registry.add({"id": "a:all", "kind": "fs.directory", "directory": tmp_path})


def test_a_closed_registry_takes_nothing_in() -> None:
    registry = polycall.Registry()
    registry.close()
    with pytest.raises(polycall.PoolClosedError):
        registry.add(lua("app:x", "1"))
    with pytest.raises(polycall.PoolClosedError):
        registry.remove("app:x")


def test_threads_add_call_and_remove_at_the_same_time(bare: polycall.Registry) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                bare.replace(lua(f"t{number}:x", f"{turn}"))
                assert bare.call(f"t{number}:x") == turn
                assert f"t{number}:x" in {str(entry.id) for entry in bare}
            bare.remove(f"t{number}:x")
        except BaseException as failure:  # noqa: BLE001  # shown below
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failures, len(bare)) == ([], 0)


def test_figures_of_an_entry_begin_anew_with_another_one(bare: polycall.Registry) -> None:
    bare.add(lua("app:x", "1"))
    bare.call("app:x")
    assert bare.stats().entries["app:x"].calls == 1
    bare.replace(lua("app:x", "2"))
    assert "app:x" not in bare.stats().entries


@pytest.mark.parametrize("text", ["source: {text: 'file://x'}", "data: {method: f, source: {text: 'file://x'}}"])
def test_a_file_may_say_that_a_source_is_a_text_in_any_case(tmp_path: Path, text: str) -> None:
    method = "" if text.startswith("data") else ", method: f"
    write_project(tmp_path, index=f"namespace: app\nentries:\n  - {{name: x, kind: function.lua{method}, {text}}}\n")
    with polycall.load(tmp_path) as registry:
        assert registry.get("app:x").spec.source.text == "file://x"


def test_a_source_that_is_another_mapping_is_refused(tmp_path: Path) -> None:
    write_project(tmp_path, index="namespace: a\nname: x\nkind: function.lua\nmethod: f\nsource: {txt: 'x'}\n")
    assert told(lambda: polycall.load(tmp_path)) == [
        "_index.yaml:5:9: source: expected a text, or {text: ...}, got a mapping"
    ]
