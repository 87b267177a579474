"""The table of attacks in the documentation is that of the tests."""

from __future__ import annotations

from collections import Counter

from security.attacks_table import DOCUMENT, collect, page


def test_the_page_is_what_the_tests_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == page(collect()), "run python tests/security/attacks_table.py"


def test_there_are_as_many_attempts_as_promised_and_no_two_are_the_same() -> None:
    rows = collect()
    counts = Counter(row.language for row in rows)
    assert counts["Lua"] >= 40
    assert counts["core module"] >= 20
    assert counts["component"] >= 20
    assert [row for row, count in Counter((row.attempt, row.language) for row in rows).items() if count > 1] == []
    assert all(all(row) for row in rows)
