from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import wasmtime

from commands import run
from polycall import load
from polycall.registry.templates import LANGUAGES, function_template
from projects import GUESTS, hash_of, write_project

CALLER = GUESTS / "bin" / "caller.wasm"
INDEX = """\
# The entries: é, 漢
namespace: app   # one namespace
entries:

  # the first
  - name: hello
    kind: function.lua   # Lua
    source: |
      return { hello = function() return "hello" end }
    method: hello
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "build").mkdir()
    shutil.copy(CALLER, tmp_path / "build" / "caller.wasm")
    return write_project(tmp_path, index=INDEX)


def add(project: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    done = run(capsys, "-C", str(project), "add", *arguments)
    assert done.code == 0, done.err
    return done.out + done.err


def test_every_export_of_a_component_gets_an_entry(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = add(project, capsys, str(project / "build" / "caller.wasm"))
    assert "added      app:relay-string  to _index.yaml\n" in told
    assert "it imports funcs: nothing is granted; add imports: [funcs] where it is needed" in told
    text = (project / "_index.yaml").read_text(encoding="utf-8")
    assert text.startswith(INDEX)
    assert "\n  - name: build\n    kind: fs.directory\n    directory: build\n" in text
    with load(project) as registry:
        assert registry.get("app:relay-string").data["hash"] == hash_of(CALLER)
        assert registry.get("app:relay-string").data.get("imports") is None
        assert str(registry.prepare("app:relay-string").signature).startswith("func(")
    again = add(project, capsys, str(project / "build" / "caller.wasm"))
    assert "unchanged  app:relay-string\n" in again
    assert (project / "_index.yaml").read_text(encoding="utf-8") == text
    again = add(project, capsys, str(project / "build" / "caller.wasm"), "--grant")
    assert "app:relay-string stays as it is: add imports: [funcs] to it" in again
    assert "another hash" not in again
    assert (project / "_index.yaml").read_text(encoding="utf-8") == text
    (project / "_index.yaml").write_text(text.replace(hash_of(CALLER), "sha256:" + "0" * 64), encoding="utf-8")
    again = add(project, capsys, str(project / "build" / "caller.wasm"))
    assert "polycall hash --write app:relay-string takes the one of now" in again


def test_one_export_may_have_a_name_and_what_it_imports(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(project / "build" / "caller.wasm")
    add(project, capsys, path, "--export", "relay-string", "--name", "relay", "--grant")
    with load(project) as registry:
        entry = registry.get("app:relay")
        assert entry.data["imports"] == ("funcs",)
        assert registry.call("app:relay", "app:hello", "") == {"ok": "hello"}
    done = run(capsys, "-C", str(project), "add", path, "--export", "relay-strin")
    assert 'has no export "relay-strin"' in done.err
    assert 'did you mean "relay-string"?' in done.err
    assert "--name needs one" in run(capsys, "-C", str(project), "add", path, "--name", "x").err


def test_a_core_module_gets_the_signature_that_its_numbers_have(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binary = wasmtime.wat2wasm(
        '(module (memory (export "memory") 1) (func (export "rate") (param i32 f64) (result i64) (i64.const 7))'
        '(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)'
        '(func (export "many") (result i32 i32) unreachable) (func (export "_start")))'
    )
    (project / "build" / "tax.wasm").write_bytes(binary)
    add(project, capsys, str(project / "build" / "tax.wasm"))
    with load(project) as registry:
        assert {str(entry.id) for entry in registry} == {"app:build", "app:hello", "app:rate", "app:tax"}
        assert registry.call("app:rate", 1, 2.5) == 7
        assert registry.get("app:tax").data["method"] == "_start"


def test_a_folder_that_an_entry_has_is_used(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = "namespace: app.files\nname: all\nkind: fs.directory\ndirectory: build\n"
    (project / "files.yaml").write_text(files)
    (project / "build" / "deep").mkdir()
    (project / "build" / "caller.wasm").rename(project / "build" / "deep" / "c.wasm")
    add(project, capsys, str(project / "build" / "deep" / "c.wasm"), "--export", "three")
    with load(project) as registry:
        assert registry.get("app:three").data["path"] == "deep/c.wasm"
        assert registry.get("app:three").data["fs"] == "app.files:all"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("namespace: app\nentries:\n", "namespace: app\nentries:\n  - name"),
        ("namespace: app\nentries:   # all\n", "namespace: app\nentries:   # all\n  - name"),
        ("namespace: app\nentries: []\n", "namespace: app\nentries:\n  - name"),
        ("namespace: app\nentries: [ ]  # none", "namespace: app\nentries:  # none\n  - name"),
        ("namespace: app\nentries: ~\nversion: '1'\n", "namespace: app\nentries:\n  - name"),
        ("entries:\n- name: a\n  kind: my.kind\nnamespace: app\n", "entries:\n- name: a\n  kind: my.kind\n\n- name"),
        (
            "entries:\n  - name: a\n    kind: my.kind\n    text: |\n      b\n      # c\n\n# ours\nnamespace: app\n",
            "entries:\n  - name: a\n    kind: my.kind\n    text: |\n      b\n      # c\n\n  - name",
        ),
        (
            "namespace: app\r\nentries:\r\n    - name: a\r\n      kind: my.kind",
            "namespace: app\r\nentries:\r\n    - name: a\r\n      kind: my.kind\r\n\r\n    - name",
        ),
    ],
)
def test_entries_go_to_the_end_of_the_list_and_nothing_else_changes(
    project: Path, capsys: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    (project / "_index.yaml").write_bytes(before.encode())
    add(project, capsys, str(project / "build" / "caller.wasm"), "--export", "three")
    text = (project / "_index.yaml").read_bytes().decode()
    assert text.startswith(after)
    assert ("# ours\nnamespace: app\n" in text) is ("# ours" in before)
    with load(project) as registry:
        assert "app:three" in registry


@pytest.mark.parametrize(
    "index",
    [
        "namespace: app\nentries: [{name: a, kind: my.kind}]\n",
        "namespace: app\nname: a\nkind: my.kind\n",
        "namespace: app\nentries:\n  -\n    name: a\n    kind: my.kind\n",
        "namespace: app\nentries:\n  - {name: a, kind: my.kind}\n...\n",
    ],
)
def test_a_file_that_cannot_be_changed_in_place_is_left_alone(
    project: Path, capsys: pytest.CaptureFixture[str], index: str
) -> None:
    write_project(project, index=index)
    done = run(capsys, "-C", str(project), "add", str(project / "build" / "caller.wasm"))
    assert (done.code, done.out) == (5, "")
    assert "_index.yaml: entries cannot be added without changing anything else" in done.err
    assert (project / "_index.yaml").read_text() == index


def test_a_json_file_is_refused_and_another_may_be_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "more.json").write_text(json.dumps({"namespace": "app.more", "entries": []}))
    (project / "other.yaml").write_text("namespace: app.other\nentries:\n")
    path = str(project / "build" / "caller.wasm")
    assert run(capsys, "-C", str(project), "add", path, "--to", "more.json").code == 5
    assert 'did you mean "other.yaml"?' in run(capsys, "-C", str(project), "add", path, "--to", "othr.yaml").err
    assert "added      app.other:three  to other.yaml" in add(
        project, capsys, path, "--to", "other.yaml", "--export", "three"
    )


def test_a_project_without_an_entry_file_gets_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "_index.yaml").unlink()
    (project / "polycall.yaml").write_text("")
    add(project, capsys, str(project / "build" / "caller.wasm"), "--export", "three")
    with load(project) as registry:
        assert "app:three" in registry
    assert "$schema" not in (project / "_index.yaml").read_text()  # there is none
    (project / "_index.yaml").unlink()
    (project / ".polycall").mkdir(exist_ok=True)
    (project / ".polycall" / "entries.schema.json").write_text("{}")
    add(project, capsys, str(project / "build" / "caller.wasm"), "--export", "three")
    assert "$schema=.polycall/entries.schema.json\n" in (project / "_index.yaml").read_text()


def test_what_is_no_binary_of_the_project_is_refused(
    project: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = Path(shutil.copy(CALLER, tmp_path_factory.mktemp("outside")))
    (project / "build" / "text.wasm").write_text("no")
    (project / "build" / "link.wasm").symlink_to(outside)
    for path, words in (
        (outside, "lies outside of the project"),
        (project / "build" / "link.wasm", "lies outside of the project"),
        (project / "build" / "text.wasm", "is not WebAssembly"),
        (project / "build" / "none.wasm", "there is no file"),
    ):
        assert words in run(capsys, "-C", str(project), "add", str(path)).err
    assert (project / "_index.yaml").read_text(encoding="utf-8") == INDEX


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_init_makes_a_project_in_each_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    folder = tmp_path / "x"
    done = run(capsys, "init", "--template", language, str(folder))
    assert done.code == 0
    builds = "polycall build" in done.out
    assert builds is (LANGUAGES[language] is not None)
    assert (folder / "polycall.yaml").exists()
    if not builds:
        assert run(capsys, "-C", str(folder), "check").out == "no problems in 3 entries\n"
        assert "1 passed" in run(capsys, "-C", str(folder), "test").out
        done = run(capsys, "-C", str(folder), "call", "app:page", "--string", "  Größe & 2nd? ")
        assert done.out == ("/pages/gr-e-2nd\n")
    else:
        assert "hash" in run(capsys, "-C", str(folder), "check").out
        assert {"world.wit", "deps"} == {path.name for path in (folder / "guests" / "slug" / "wit").iterdir()}


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_a_function_from_a_template_has_its_name_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    entries, files = function_template(language, "unit-price")
    assert not [name for name in files if "slug" in name]
    assert "slug" not in entries
    assert not [name for name, text in files.items() if b"slug" in text]
    write_project(tmp_path, index=INDEX)
    told = add(tmp_path, capsys, "--template", language, "unit-price")
    assert "added      app:unit-price  to _index.yaml" in told
    assert (tmp_path / "_index.yaml").read_text(encoding="utf-8").startswith(INDEX)
    if LANGUAGES[language] is None:
        assert run(capsys, "-C", str(tmp_path), "call", "app:unit-price", "--string", "A b").out == "a-b\n"
    for name, words in (("unit-price", "is taken"), ("Price", "is no name for a function")):
        assert words in run(capsys, "-C", str(tmp_path), "add", "--template", language, name).err


def test_what_does_not_go_together_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "text.wat").write_text("(module)")
    (project / "build" / "none.wasm").write_bytes(wasmtime.wat2wasm("(module)"))
    (project / "foreign.yaml").write_text("a: 1\n")
    (project / "deep").mkdir()
    (project / "deep" / "_index.yaml").write_text("namespace: app.deep\nentries:\n")
    path = str(project / "build" / "caller.wasm")
    for arguments, words in (
        ((str(project / "text.wat"),), "is text"),
        ((str(project / "build" / "none.wasm"),), "exports no functions"),
        ((path, "--to", "../x.yaml"), "lies outside of the project"),
        ((path, "--to", "foreign.yaml"), "is no entry file"),
        (("price", "-t", "lua", "--grant"), "are for a FILE of WebAssembly"),
        (("price", "-t", "c", "--to", "deep/_index.yaml"), "is no file of the project folder itself"),
    ):
        done = run(capsys, "-C", str(project), "add", *arguments)
        assert done.code, arguments
        assert words in done.err
    assert (project / "_index.yaml").read_text(encoding="utf-8") == INDEX
    for arguments in (("wit", path, "-o", str(project / "x")), ("wit", "-o", str(project / "x"))):
        assert run(capsys, "-C", str(project), *arguments).code == 2


def test_no_file_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(tmp_path, index=INDEX, price_lua="mine")
    done = run(capsys, "-C", str(tmp_path), "add", "-t", "lua", "price")
    assert (done.code, done.err.splitlines()[0]) == (5, "error: price.lua would be overwritten")
    assert (tmp_path / "price.lua").read_text() == "mine"
    assert (tmp_path / "_index.yaml").read_text(encoding="utf-8") == INDEX
