from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from commands import run
from polycall.interop.errors import DeclarationError, NotFoundError
from polycall.registry.documents.nodes import ListNode, MapNode, Node
from polycall.registry.documents.problems import Report
from polycall.registry.entries.schema import entry_file_schema
from polycall.registry.reading.entry_file import read_document
from polycall.registry.reading.load import load_index
from projects import REPOSITORY

SCHEMA = entry_file_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
GOLDEN = REPOSITORY / "tests" / "golden" / "declarations"
SHAPE = [
    "entry-data-form", "entry-meta-is-text", "entry-name-with-line-break", "entry-single-form",
    "entry-without-name-and-kind", "fs-directory", "json-unknown-key", "library-with-method",
    "lua-boolean-and-null-spelling", "lua-missing-keys", "lua-unknown-key", "lua-wrong-types", "lua-wrong-types-inside",
    "reference-malformed", "top-entries-is-a-mapping", "top-entry-is-text", "top-list-and-single-entry",
    "top-meta-is-a-list", "top-namespace-empty", "top-namespace-is-a-number", "top-namespace-with-colon",
    "top-no-entries", "top-unknown-key", "wasm-bad-hash", "wasm-missing-keys", "wasm-wasi",
]  # fmt: skip
"""Golden cases whose mistake is one of shape: a wrong key, type or form of a value."""


def plain(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key: plain(item) for key, item in node.items.items()}
    return [plain(item) for item in node.items] if isinstance(node, ListNode) else node.value


def entry_files(folder: Path) -> Iterator[tuple[Path, Any]]:
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml", ".json")):
        try:
            document = read_document(path, path.read_text(encoding="utf-8"), Report(path.name))
        except (DeclarationError, UnicodeDecodeError):
            continue
        value = None if document.root is None else plain(document.root)
        if isinstance(value, dict) and "namespace" in value:
            yield path, value


def projects() -> list[Path]:
    folders = [*(REPOSITORY / "examples").iterdir(), REPOSITORY / "registry" / "templates" / "project"]
    folders += [case / "project" for case in GOLDEN.iterdir() if case.is_dir()]
    return sorted(folder for folder in folders if folder.is_dir() and loads(folder))


def loads(folder: Path) -> bool:
    try:
        return len(load_index(folder)) > 0
    except (DeclarationError, NotFoundError):
        return False


def test_the_command_prints_a_valid_schema(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "schema")
    assert done.code == 0
    printed = json.loads(done.out)
    jsonschema.Draft202012Validator.check_schema(printed)
    assert printed == SCHEMA
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("folder", projects(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_what_loads_validates(folder: Path) -> None:
    found = list(entry_files(folder))
    assert found
    for path, value in found:
        assert [error.message for error in VALIDATOR.iter_errors(value)] == [], path


@pytest.mark.parametrize("case", SHAPE)
def test_a_mistake_of_shape_does_not_validate(case: str) -> None:
    assert any(not VALIDATOR.is_valid(value) for _, value in entry_files(GOLDEN / case / "project"))


@pytest.mark.parametrize(
    ("keys", "valid"),
    [
        ({"pool": {"type": "lazy", "max_size": 2, "worker_class": "x"}}, True),
        ({"pool": None, "limits": None, "modules": None, "meta": None, "lifecycle": {"auto_start": True}}, True),
        ({"imports": {"tax": "tax", "other": {"ns": "a.b", "name": "c:d"}, "deep": "a.b:c:d"}}, True),
        ({"pool": {"type": "lazzy"}}, False),
        ({"pool": {"max_size": -1}}, False),
        ({"pool": {"max_size": "2"}}, False),
        ({"pool": {"sise": 2}}, False),
        ({"limits": {"max_memory_bytes": 0}}, False),
        ({"modules": ["funcs:x"]}, False),
        ({"imports": {"tax": ":tax"}}, False),
        ({"imports": ["tax"]}, False),
        ({"source": ""}, False),
        ({"source": {"text": "file://x"}, "calls": ["app:*", "tax"]}, True),
        ({"source": {"text": ""}}, False),
        ({"source": {"txt": "x"}}, False),
        ({"calls": "app:*"}, False),
        ({"namespace": "x"}, False),
        ({"data": {"source": "x", "method": "y"}}, False),
    ],
)
def test_each_key_is_held_to_its_type(keys: dict[str, Any], valid: bool) -> None:
    entry = {"name": "x", "kind": "function.lua", "source": "return 1", "method": "m", **keys}
    assert VALIDATOR.is_valid({"namespace": "app", "entries": [entry]}) is valid
    if "namespace" not in keys:
        assert VALIDATOR.is_valid({"namespace": "app", "version": "1", **entry}) is valid


def test_the_head_of_a_file_may_say_what_its_entries_may_call() -> None:
    assert VALIDATOR.is_valid({"namespace": "app", "calls": ["app:*"], "entries": []})
    assert not VALIDATOR.is_valid({"namespace": "app", "calls": [5], "entries": []})


def test_the_data_form_is_held_to_the_same_keys() -> None:
    entry = {"name": "x", "kind": "function.lua", "data": {"source": "return 1", "method": "m"}}
    assert VALIDATOR.is_valid({"namespace": "app", "entries": [entry]})
    entry["data"] = {"source": "return 1", "metod": "m"}
    assert not VALIDATOR.is_valid({"namespace": "app", "entries": [entry]})


def test_a_kind_that_polycall_does_not_run_may_have_any_keys() -> None:
    entries = [{"name": "a", "kind": "registry.entry", "version": 1}, {"name": "b", "kind": "my.own", "x": []}]
    assert VALIDATOR.is_valid({"namespace": "app.x", "entries": entries})


def test_an_editor_is_told_what_a_key_is_for() -> None:
    pool = SCHEMA["$defs"]["function.lua"]["properties"]["pool"]
    assert pool["description"] == "How instances are kept."
    assert pool["properties"]["type"]["enum"] == ["inline", "lazy", "static", "adaptive", None]
    assert SCHEMA["$defs"]["fs.directory"]["properties"]["mode"]["default"] == "0755"
