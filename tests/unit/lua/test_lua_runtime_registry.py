"""The module `registry`: what a guest sees of the entries."""

from __future__ import annotations

from pathlib import Path

import pytest

from lua_projects import in_process_and_isolated, run_lua
from polycall.interop.values import Value

__all__ = ["in_process_and_isolated"]  # a fixture: found by its name in this module
pytestmark = pytest.mark.usefixtures("in_process_and_isolated")

ENTRIES = """
- name: prices
  kind: registry.entry
  meta: {type: table, owner: {team: ana}}
  rates: [1, 2.5]
  text: file://rates.txt
- name: taxes
  kind: registry.entry
  meta: {type: table}
- name: tax
  kind: library.lua
  source: file://tax.lua
- name: static
  kind: env.storage.static
  values: {KEY: secret}
- {name: key, kind: env.variable, variable: KEY, storage: static, default: secret}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tax.lua").write_text("return 'source of a library'")
    (tmp_path / "rates.txt").write_text("the text of a file")
    return tmp_path


def run(project: Path, body: str, *arguments: Value) -> Value:
    return run_lua(project, body, *arguments, entries=ENTRIES)


def test_an_entry_is_its_id_kind_meta_and_data(project: Path) -> None:
    assert run(project, "return registry.get('app:prices')") == {
        "id": "app:prices",
        "kind": "registry.entry",
        "meta": {"type": "table", "owner": {"team": "ana"}},
        "data": {"rates": [1, 2.5], "text": "the text of a file"},
    }


def test_the_code_of_files_and_the_values_of_variables_are_not_shown(project: Path) -> None:
    assert run(project, "return registry.get('app:tax').data") == {"source": "file://tax.lua"}
    assert run(project, "return registry.get('app:static').data") == {}
    assert run(project, "return registry.get('app:key').data") == {"storage": "static", "variable": "KEY"}
    assert "secret" not in str(run(project, "return registry.find({})"))


def test_a_missing_entry_is_not_found_and_a_malformed_id_invalid(project: Path) -> None:
    assert str(run(project, "return told(registry.get('app:price'))")).startswith(
        "NotFound: there is no entry app:price"
    )
    assert str(run(project, "return told(registry.get('price'))")).startswith("Invalid: ")
    assert str(run(project, "return told(registry.get(1))")).startswith("Invalid: ")


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ('{ [".kind"] = "registry.entry" }', ["app:prices", "app:taxes"]),
        ('{ [".name"] = "tax", [".ns"] = "app" }', ["app:tax"]),
        ('{ [".ns"] = "ap" }', []),
        ('{ type = "table" }', ["app:prices", "app:taxes"]),
        ('{ ["meta.type"] = "table", [".name"] = "taxes" }', ["app:taxes"]),
        ('{ ["meta.owner.team"] = "ana" }', ["app:prices"]),
        ('{ type = "chair" }', []),
        ("nil", ["app:key", "app:main", "app:prices", "app:static", "app:tax", "app:taxes"]),
    ],
)
def test_entries_are_found_by_what_is_equal(project: Path, filters: str, ids: list[Value]) -> None:
    body = f"local ids = {{}} for i, e in ipairs(registry.find({filters})) do ids[i] = e.id end return ids"
    assert run(project, body) == ids


def test_a_filter_that_makes_no_sense_is_invalid(project: Path) -> None:
    assert run(project, "return told(registry.find({ ['.kid'] = 'x' }))") == (
        'Invalid: the filter ".kid" is none of .kind, .ns, .name'
    )
    assert str(run(project, "return told(registry.find('x'))")).startswith("Invalid: ")
    assert str(run(project, "return told(registry.find({ 'table' }))")).startswith("Invalid: ")  # not: all of them


@pytest.mark.parametrize(
    ("text", "ns", "name"), [("a.b:c:d", "a.b", "c:d"), ("name", "", "name"), ("a:", "a", ""), (":b", "", "b")]
)
def test_an_id_is_split_at_its_first_colon(project: Path, text: str, ns: str, name: str) -> None:
    assert run(project, "return registry.parse_id(...)", text) == {"ns": ns, "name": name}
