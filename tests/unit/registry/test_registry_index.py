from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from polycall.interop.errors import DeclarationError, NotFoundError
from polycall.interop.ids import EntryId
from polycall.lua_runtime.spec import LuaFunctionSpec
from polycall.registry.entries.entry import Entry
from polycall.registry.entries.index import Index
from polycall.registry.reading.load import load_index

PROJECT = """
version: 1.0
namespace: app
meta: {team: shop, tier: 1}
entries:
  - name: checkout
    kind: function.lua
    meta: {tier: 2, options: {retry: {max_attempts: 3}}, tags: [a, b]}
    source: return function() end
    method: call
    pool:
      size: 2
    imports:
      tax: lib
  - name: lib
    kind: library.lua
    source: return {}
  - name: rates
    kind: registry.entry
    table: {full: [19, {x: y}]}
  - name: wrapped
    kind: registry.entry
    data: {a: 1}
    lifecycle: {auto_start: true}
  - name: listed
    kind: registry.entry
    data: [1, 2]
"""


@pytest.fixture
def index(tmp_path: Path) -> Index:
    (tmp_path / "_index.yaml").write_text(PROJECT)
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders/one.json").write_text(
        '{"namespace": "app.orders", "name": "total", "kind": "function.lua", "method": "m", "source": "return 1"}'
    )
    (tmp_path / "other.yaml").write_text("namespace: apple\nname: lib\nkind: queue.queue\ndriver: x\n")
    return load_index(tmp_path)


def ids(entries: list[Entry]) -> list[str]:
    return [str(entry.id) for entry in entries]


def test_entries_come_in_the_order_of_their_ids(index: Index) -> None:
    everything = ["app:checkout", "app:lib", "app:listed", "app:rates", "app:wrapped", "app.orders:total", "apple:lib"]
    assert ids(list(index)) == everything
    assert len(index) == len(everything)


def test_an_entry_is_found_by_text_and_by_id(index: Index) -> None:
    entry = index.get("app:checkout")
    assert entry is index.get(EntryId("app", "checkout"))
    assert "app:checkout" in index
    assert EntryId("app", "checkout") in index
    assert "app:other" not in index
    assert "checkout" not in index
    assert 5 not in index


@pytest.mark.parametrize(
    ("entry_id", "message"),
    [
        ("app:chekout", 'there is no entry app:chekout (did you mean "app:checkout"?)'),
        ("lib", "there is no entry lib (write the namespace as well: app:lib or apple:lib)"),
        ("zzz:zzz", "there is no entry zzz:zzz"),
        ("app:", "there is no entry app:"),
    ],
)
def test_a_missing_entry_is_reported_with_what_may_be_meant(index: Index, entry_id: str, message: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        index.get(entry_id)
    assert str(caught.value).startswith(message)
    assert caught.value.entry_id == entry_id


def test_filters_by_namespace_kind_and_meta_combine(index: Index) -> None:
    assert ids(index.find(namespace="app.orders")) == ["app.orders:total"]
    assert "apple:lib" not in ids(index.find(namespace="app"))
    assert "app.orders:total" in ids(index.find(namespace="app"))
    assert ids(index.find(kind="function.lua")) == ["app:checkout", "app.orders:total"]
    assert ids(index.find(kind="*.lua")) == []
    assert ids(index.find(kind="lib*", namespace="app")) == ["app:lib"]
    assert len(index.find(kind="*")) == len(index.find()) == len(index)
    assert ids(index.find(meta={"tier": 2})) == ["app:checkout"]
    assert ids(index.find(meta={"options.retry.max_attempts": 3})) == ["app:checkout"]
    assert ids(index.find(meta={"options.retry": {"max_attempts": 3}, "tags": ["a", "b"]})) == ["app:checkout"]
    assert ids(index.find(meta={"tags.x": 1})) == []
    assert ids(index.find(kind="queue.*", meta={"team": None})) == ["apple:lib"]


def test_metadata_of_the_file_is_a_default_for_its_entries(index: Index) -> None:
    assert index.get("app:rates").meta == {"team": "shop", "tier": 1}
    assert index.get("app:checkout").meta["team"] == "shop"
    assert index.get("app:checkout").meta["tier"] == 2


def test_data_is_every_other_key_or_the_value_of_data(index: Index) -> None:
    assert index.get("app:rates").data == {"table": {"full": (19, {"x": "y"})}}
    assert index.get("app:wrapped").data == {"a": 1}
    assert index.get("app:listed").data == (1, 2)
    assert set(index.get("app:checkout").data) == {"source", "method", "pool", "imports"}
    assert index.get("app:rates").spec is None
    assert isinstance(index.get("app:checkout").spec, LuaFunctionSpec)


def test_nothing_of_an_entry_can_be_changed(index: Index) -> None:
    entry = index.get("app:checkout")
    for mapping in (entry.meta, entry.meta["options"]["retry"], entry.data, index.get("app:rates").data["table"]):
        with pytest.raises(TypeError):
            mapping["new"] = 1  # type: ignore[index]  # that it cannot be assigned to is the point
    with pytest.raises(AttributeError):
        entry.kind = "other"  # type: ignore[misc]  # as above
    with pytest.raises(AttributeError):
        index.more = 1  # type: ignore[attr-defined]  # as above


def test_an_entry_knows_where_its_keys_stand(index: Index) -> None:
    entry = index.get("app:checkout")
    assert str(entry.location) == "_index.yaml:6:5"
    assert str(entry.where("pool.size")) == "_index.yaml:12:13"
    assert str(entry.where("imports.tax")) == "_index.yaml:14:12"
    assert str(entry.where("pool.missing")) == "_index.yaml:12:7"
    assert str(entry.where("")) == "_index.yaml:6:5"
    assert str(entry.problem("pool.size", "too small", "use 3")) == (
        "_index.yaml:12:13: entries[0].pool.size: too small (use 3)"
    )
    assert str(entry.problem("", "odd")) == "_index.yaml:6:5: entries[0]: odd"
    assert str(index.get("app:listed").problem("[1]", "odd")) == "_index.yaml:27:15: entries[4].data[1]: odd"
    assert str(index.get("app.orders:total").problem("method", "odd")).endswith(": method: odd")


def test_a_kind_that_polycall_does_not_run_is_kept_with_a_warning(index: Index) -> None:
    assert index.get("apple:lib").data == {"driver": "x"}
    assert [str(warning) for warning in index.warnings] == [
        'other.yaml:3:7: kind: polycall does not run the kind "queue.queue"; the entry is kept as data'
    ]


def test_an_entry_can_be_added_to_a_new_index_only(index: Index) -> None:
    entry = Entry.of_python(
        EntryId("app", "now"), "function.python", {"a": 1}, test_filters_by_namespace_kind_and_meta_combine
    )
    more = index.with_entry(entry)
    assert more.get("app:now") is entry
    assert "app:now" not in index
    assert len(more) == len(index) + 1
    assert more.warnings == index.warnings
    assert [each.id for each in more] == sorted([*(each.id for each in index), entry.id])
    less = more.without(entry)
    assert ("app:now" in less, len(less), [*less]) == (False, len(index), [*index])


def test_an_index_with_one_entry_more_knows_its_links_and_its_folders(index: Index) -> None:
    assert index.linked("app:no-such") == "app:no-such"
    entry = Entry.of_python(EntryId("app", "no_such"), "function.python", {}, len)
    more = index.with_entry(entry)
    assert more.linked("app:no-such") == "app:no_such"
    assert more.without(entry).linked("app:no-such") == "app:no-such"
    assert more.nested() == index.nested()


def test_a_python_callable_without_a_place_is_an_entry_all_the_same() -> None:
    entry = Entry.of_python(EntryId("app", "len"), "function.python", {}, len)
    assert str(entry.location) == "<python>:1:1"
    assert entry.data == {}


# Loading


def test_the_problems_of_all_files_come_together_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    (tmp_path / "z.yaml").write_text("namespace: z\nname: x\nkind: library.lua\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.yaml").write_text("namespace: a\nentries: [\n")
    (tmp_path / "a.yaml").write_text(
        "namespace: app\nentries:\n  - {name: x, kind: library.lua, source: 5, imports: {y: z:none}, bad: 1}\n"
    )
    with pytest.raises(DeclarationError) as caught:
        load_index(tmp_path)
    assert [(problem.file, problem.path) for problem in caught.value.problems] == [
        ("a/b.yaml", ""),
        ("a.yaml", "entries[0].source"),
        ("a.yaml", "entries[0].imports.y"),
        ("a.yaml", "entries[0].bad"),
        ("z.yaml", "source"),
    ]


def test_a_project_folder_that_is_none_is_reported_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/_index.yaml").write_text("namespace: app\nentries: []\n")
    with pytest.raises(NotFoundError, match=r'there is no project folder .*\(did you mean "project"\?\)'):
        load_index(tmp_path / "projcet")
    with pytest.raises(NotFoundError, match=r"is a file; expected a project folder \(give its folder: "):
        load_index(tmp_path / "project/_index.yaml")
    for odd in ("a\0b", "x" * 5000, "/no/such/place/at/all"):
        with pytest.raises(NotFoundError):
            load_index(odd)


def test_the_project_folder_may_be_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/_index.yaml").write_text(PROJECT)
    (tmp_path / "link").symlink_to("real")
    assert load_index(str(tmp_path / "link")).root == (tmp_path / "real").resolve()


def test_loading_starts_no_engine() -> None:
    code = "import polycall.registry.reading.load, sys; sys.exit(bool({'lupa', 'wasmtime'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3]).returncode == 0
