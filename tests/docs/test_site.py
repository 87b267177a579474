"""The site has every document, and its pages are what its generator understands; `make docs` builds it strictly."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType
from typing import Any

import pytest
import yaml

from projects import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = {
    "docs/values.md": "values.md",
    "docs/wasi/cli.md": "wasi/cli.md",
    "README.md": "index.md",
    "examples/01-hello/README.md": "examples/01-hello.md",
}


@pytest.fixture(scope="module")
def prepare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prepare", DOCS / "_site" / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("document", "text", "page"),
    [
        (
            "README.md",
            "[v](docs/values.md#json) [e](examples/01-hello)",
            "[v](values.md#json) [e](examples/01-hello.md)",
        ),
        ("docs/wasi/cli.md", "[v](../values.md) [i](../../README.md)", "[v](../values.md) [i](../index.md)"),
        (
            "docs/values.md",
            "[code](../registry/check.py) [w](https://a.b) [h](#here)",
            "code [w](https://a.b) [h](#here)",
        ),
        ("docs/values.md", "```lua file=a.lua\n[x](y)\n```\n", '```lua title="a.lua"\n[x](y)\n```\n'),
        ("docs/values.md", "```console in=repository\n$ x\n```\n", "```console\n$ x\n```\n"),
    ],
)
def test_a_document_becomes_a_page(prepare: ModuleType, document: str, text: str, page: str) -> None:
    assert prepare.prepared(text, document, PAGES) == page


def test_every_document_is_in_the_navigation() -> None:
    def named(item: Any) -> set[str]:
        if isinstance(item, str):
            return {item}
        return set().union(*map(named, item.values() if isinstance(item, dict) else item))

    told = named(yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text("utf-8"))["nav"])
    documents = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    documents = {name for name in documents if not re.match(r"decisions/\d", name)}
    assert told >= documents
    assert told - documents == {"index.md", "changelog.md", "security.md", "contributing.md", "examples/index.md"}


def test_the_pages_are_written_with_the_examples(prepare: ModuleType, tmp_path: Any) -> None:
    prepare.main(tmp_path)
    assert "(01-hello.md)" in (tmp_path / "examples" / "index.md").read_text("utf-8")
    assert (tmp_path / "benchmarks.png").exists()
