from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycall.interop.ids import EntryId, near_names, suggestion


def test_an_id_is_split_at_its_first_colon() -> None:
    assert EntryId.parse("a.b:c:d") == EntryId("a.b", "c:d")


def test_a_bare_name_belongs_to_the_default_namespace() -> None:
    assert EntryId.parse("tax", "app") == EntryId("app", "tax")


@pytest.mark.parametrize("text", ["tax", ":tax", ""])
def test_an_id_without_namespace_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match='has no namespace: write "namespace:name"'):
        EntryId.parse(text)


def test_an_id_without_name_says_so() -> None:
    with pytest.raises(ValueError, match='"app:" has no name'):
        EntryId.parse("app:")


@given(st.text(min_size=1).filter(lambda text: ":" not in text), st.text(min_size=1))
def test_an_id_reads_back_from_its_text(namespace: str, name: str) -> None:
    entry_id = EntryId(namespace, name)
    assert EntryId.parse(str(entry_id)) == entry_id


def test_near_names_come_likeliest_first() -> None:
    assert near_names("metod", ["modules", "method", "meta"])[0] == "method"


def test_a_suggestion_joins_near_names_and_is_absent_without_any() -> None:
    assert suggestion("metod", ["method", "source"]) == 'did you mean "method"?'
    assert suggestion("taxes", ["tax", "taxed"]) == 'did you mean "taxed" or "tax"?'
    assert suggestion("zzz", ["method"]) is None


def test_text_that_is_too_long_for_a_name_is_compared_with_none_and_cut_in_messages() -> None:
    assert near_names("x" * 101, ["x" * 101]) == []
    with pytest.raises(ValueError, match="has no namespace") as caught:
        EntryId.parse("x" * 20_000_000)
    assert len(str(caught.value)) < 200
