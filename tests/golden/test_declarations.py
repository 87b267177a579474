"""Each folder of `declarations` has a small project with mistakes, and in `expected.txt` what its author is told.

After a deliberate change, rewrite the expected files and read the difference::

    POLYCALL_UPDATE_GOLDEN=1 pytest tests/golden/test_declarations.py && git diff tests/golden
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polycall.interop.errors import DeclarationError
from polycall.registry.reading.load import load_index

CASES = sorted(path for path in (Path(__file__).parent / "declarations").iterdir() if path.is_dir())
UPDATE = os.environ.get("POLYCALL_UPDATE_GOLDEN") == "1"


def told(project: Path) -> str:
    try:
        index = load_index(project)
    except DeclarationError as error:
        return f"{error}\n"
    return "".join([f"loaded {len(index)} entries\n", *(f"  warning: {warning}\n" for warning in index.warnings)])


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_the_author_of_a_mistake_is_told_exactly_this(case: Path) -> None:
    expected = case / "expected.txt"
    actual = told(case / "project")
    if UPDATE:
        expected.write_text(actual, encoding="utf-8")
    assert actual == expected.read_text(encoding="utf-8")


def test_there_are_cases_for_every_kind_of_mistake() -> None:
    assert len(CASES) >= 40
    assert {case.name.partition("-")[0] for case in CASES} >= {
        *("yaml", "json", "top", "entry", "lua", "library", "wasm", "fs", "file", "id", "reference", "import", "lock"),
        *("settings", "env"),
    }
