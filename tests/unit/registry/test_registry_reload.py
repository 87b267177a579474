from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import polycall
from projects import GUESTS, hash_of, write_project

INDEX = """
namespace: app
entries:
  - name: count
    kind: function.lua
    source: file://count.lua
    method: count
    pool: {type: static, workers: 1}
  - name: words
    kind: function.lua
    imports: {lib: lib}
    source: file://words.lua
    method: words
  - name: lib
    kind: library.lua
    imports: {deep: deep}
    source: "return require('deep')"
  - name: deep
    kind: library.lua
    source: file://deep.lua
  - name: ask
    kind: function.lua
    modules: [funcs]
    source: "local funcs = require('funcs'); return { ask = function(...) return funcs.call(...) end }"
    method: ask
  - name: assets
    kind: fs.directory
    directory: assets
  - name: relay
    kind: function.wasm
    fs: assets
    path: caller.wasm
    hash: HASH
    method: relay-string
    imports: [funcs]
"""
COUNT = "local n = 0; return { count = function() n = n + 1; return n end }"
WORDS = "local lib = require('lib'); return { words = function(text) return lib .. text end }"
HASH = hash_of(GUESTS / "bin" / "caller.wasm")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    shutil.copy(GUESTS / "bin" / "caller.wasm", tmp_path / "assets")
    files = {"index": INDEX.replace("HASH", HASH), "count_lua": COUNT, "words_lua": WORDS, "deep_lua": "return 'old '"}
    return write_project(tmp_path, **files)


@pytest.fixture
def registry(project: Path) -> Iterator[polycall.Registry]:
    with polycall.load(project) as registry:
        yield registry


def rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_reload_without_changes_keeps_everything(registry: polycall.Registry) -> None:
    assert registry.call("app:count") == 1
    relay = registry.prepare("app:relay")
    ids = tuple(str(entry.id) for entry in registry)
    assert registry.reload() == polycall.Changes(added=(), removed=(), changed=(), kept=ids)
    assert registry.prepare("app:relay") is relay
    assert registry.call("app:count") == 2  # the same instance


def test_a_changed_text_changes_its_entry_and_all_that_import_it(project: Path, registry: polycall.Registry) -> None:
    assert (registry.call("app:words", "x"), registry.call("app:count")) == ("old x", 1)
    rewrite(project / "deep.lua", "old", "new")
    changes = registry.reload()
    assert changes.changed == ("app:deep", "app:lib", "app:words")
    assert "app:count" in changes.kept
    assert (registry.call("app:words", "x"), registry.call("app:count")) == ("new x", 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("workers: 1}", "workers: 2}"),
        ("method: count\n", "method: count\n    limits: {max_execution_ms: 900}\n"),
        ("method: count\n", "method: count\n    modules: [json]\n"),
    ],
)
def test_a_changed_key_makes_a_new_instance(project: Path, registry: polycall.Registry, old: str, new: str) -> None:
    assert registry.call("app:count") == 1
    rewrite(project / "_index.yaml", old, new)
    assert "app:count" in registry.reload().changed
    assert registry.call("app:count") == 1


def test_metadata_is_new_although_the_instance_is_the_old_one(project: Path, registry: polycall.Registry) -> None:
    registry.call("app:count")
    rewrite(project / "_index.yaml", "- name: count", "- name: count\n    meta: {comment: counts}")
    assert "app:count" in registry.reload().kept
    assert registry.get("app:count").meta == {"comment": "counts"}
    assert registry.call("app:count") == 2


def test_an_inline_text_that_moved_names_its_new_lines_in_errors(project: Path) -> None:
    boom = "{name: boom, kind: function.lua, method: boom, source: 'return { boom = function() error(\"x\") end }'}"
    (project / "boom.yaml").write_text(f"namespace: app\nentries:\n  - {boom}\n")
    with polycall.load(project) as registry:
        with pytest.raises(polycall.GuestError, match=r"boom.yaml:3: x"):
            registry.call("app:boom")
        rewrite(project / "boom.yaml", "entries", "\nentries")
        assert registry.reload().changed == ("app:boom",)
        with pytest.raises(polycall.GuestError, match=r"boom.yaml:4: x"):
            registry.call("app:boom")


def test_entries_come_and_go(project: Path, registry: polycall.Registry) -> None:
    assert registry.call("app:count") == 1
    rewrite(project / "_index.yaml", "- name: count", "- name: counter")
    changes = registry.reload()
    assert (changes.added, changes.removed) == (("app:counter",), ("app:count",))
    assert registry.call("app:counter") == 1
    with pytest.raises(polycall.NotFoundError, match=r'there is no entry app:count .*did you mean "app:counter"'):
        registry.call("app:count")
    assert "there is no entry app:count" in str(registry.call("app:ask", "app:relay", "app:count", "x"))


def test_a_broken_project_changes_nothing(project: Path, registry: polycall.Registry) -> None:
    assert registry.call("app:count") == 1
    before = list(registry)
    rewrite(project / "count.lua", "n + 1", "n + 100")
    rewrite(project / "_index.yaml", "method: words", "metod: words")
    with pytest.raises(polycall.DeclarationError) as caught:
        registry.reload()
    assert {problem.file for problem in caught.value.problems} == {"_index.yaml"}
    assert list(registry) == before
    assert registry.call("app:count") == 2
    shutil.rmtree(project)
    with pytest.raises(polycall.NotFoundError, match="there is no project folder"):
        registry.reload()
    assert registry.call("app:count") == 3


def test_a_binary_is_the_old_one_until_its_declared_hash_changes(project: Path, registry: polycall.Registry) -> None:
    registry.function("py:echo")(lambda text: text)
    relay = registry.prepare("app:relay")
    (project / "assets" / "caller.wasm").write_bytes(b"rebuilt")
    assert "app:relay" in registry.reload().kept
    assert registry.prepare("app:relay") is relay
    assert registry.call("app:relay", "py:echo", "x") == {"ok": "x"}
    rewrite(project / "_index.yaml", HASH, "sha256:" + "0" * 64)
    assert registry.reload().changed == ("app:relay",)
    with pytest.raises(polycall.HashError):
        registry.call("app:relay", "py:echo", "x")


def test_a_file_system_that_moved_changes_what_lies_in_it(project: Path, registry: polycall.Registry) -> None:
    relay = registry.prepare("app:relay")
    (project / "assets").rename(project / "binaries")
    rewrite(project / "_index.yaml", "directory: assets", "directory: binaries")
    assert registry.reload().changed == ("app:assets", "app:relay")
    assert registry.prepare("app:relay") is not relay


def test_python_functions_stay(project: Path, registry: polycall.Registry) -> None:
    registry.function("py:echo", meta={"a": 1})(lambda text: text)
    assert registry.call("app:relay", "py:echo", "x") == {"ok": "x"}
    assert "py:echo" in registry.reload().kept
    assert registry.call("app:relay", "py:echo", "x") == {"ok": "x"}
    assert registry.get("py:echo").meta == {"a": 1}
    taken = "namespace: py\nentries:\n  - {name: echo, kind: registry.entry}\n"
    (project / "py.yaml").write_text(taken)
    with pytest.raises(
        polycall.DeclarationError, match=r"py.yaml:3:5: entries.0.: the id py:echo is taken: a Python f"
    ):
        registry.reload()
    assert registry.call("py:echo", "y") == "y"


def test_a_call_in_flight_ends_on_the_old_code_while_later_calls_run_the_new(
    project: Path, registry: polycall.Registry
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    @registry.function("py:pause")
    def pause() -> None:
        inside.set()
        assert go_on.wait(30)

    slow = """
local funcs = require("funcs")
return { slow = function() funcs.call("py:pause"); return "old " .. funcs.call("app:words", "") end }
"""
    (project / "slow.lua").write_text(slow)
    (project / "slow.yaml").write_text(
        "namespace: app\nname: slow\nkind: function.lua\nmodules: [funcs]\nsource: file://slow.lua\nmethod: slow\n"
        "pool: {type: static, workers: 1}\n"
    )
    registry.reload()
    with ThreadPoolExecutor() as threads:
        running = threads.submit(registry.call, "app:slow")
        assert inside.wait(30)
        rewrite(project / "slow.lua", 'funcs.call("py:pause"); return "old "', 'return "new "')
        rewrite(project / "deep.lua", "old", "new")
        assert registry.reload().changed == ("app:deep", "app:lib", "app:slow", "app:words")
        assert registry.call("app:slow") == "new new "  # its pool is not the one that is full
        go_on.set()
        assert running.result(30) == "old new "  # each nested call finds the code of its moment


def test_a_closed_registry_does_not_reload(registry: polycall.Registry) -> None:
    registry.close()
    with pytest.raises(polycall.PoolClosedError, match="the registry is closed"):
        registry.reload()


def test_settings_are_read_again(project: Path, registry: polycall.Registry) -> None:
    assert registry.call("app:count") == 1
    (project / "polycall.yaml").write_text("limits: {max_execution_ms: 5000}\nmax_depth: 2\n")
    assert set(registry.reload().changed) == {"app:ask", "app:count", "app:relay", "app:words"}
    assert registry.get("app:count").spec.limits.max_execution_ms == 5000
    assert registry.call("app:ask", "app:count") == 1
    with pytest.raises(polycall.DepthError, match="deeper than 2"):
        registry.call("app:ask", "app:ask", "app:count")
    (project / "polycall.yaml").write_text("max_depht: 2\n")
    with pytest.raises(polycall.DeclarationError, match=r"polycall.yaml:1:1: max_depht: unknown key"):
        registry.reload()
