from __future__ import annotations

import random
import time
from collections.abc import Callable

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


def _hint_seconds(name: str, candidates: list[str]) -> float:
    """The best of a few: what the machine does beside it is no part of the work."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        near_names(name, candidates)
        times.append(time.perf_counter() - begun)
    return min(times)


def _of_two_letters(start: str, length: int) -> tuple[str, list[str]]:
    letters = random.Random(1)  # the same names each time
    name, *others = [start + "".join(letters.choices("ab", k=length)) for _ in range(6_001)]
    return name, others


@pytest.mark.parametrize(
    "made",  # when the test runs: every worker of a run collects all tests
    [
        lambda: ("app:entry_numbre_7", [f"app:entry_number_{number}" for number in range(50_000)]),
        lambda: _of_two_letters("", 100),
        lambda: _of_two_letters("a" * 60, 40),
        lambda: ("a" * 100, ["a" * 100_000 + str(number) for number in range(500)]),
        lambda: ("ab" * 50, ["ba" * 50 + str(number) for number in range(20_000)]),
    ],
    ids=["many", "of two letters", "alike", "long", "shifted"],
)
def test_a_hint_takes_no_time_whatever_the_names_are(made: Callable[[], tuple[str, list[str]]]) -> None:
    name, candidates = made()
    assert _hint_seconds(name, candidates) < 0.15


def test_a_near_name_is_found_among_many_of_another_kind() -> None:
    others = [f"app:entry_number_{number}" for number in range(5_000)]
    assert near_names("shop:dicsount", [*others, "shop:discount"]) == ["shop:discount"]
    assert near_names("shop:discont", [*others, "shop:discount"]) == ["shop:discount"]


@given(st.lists(st.text("abc", max_size=12), max_size=8), st.text("abc", min_size=1, max_size=12))
def test_near_names_are_the_likeliest_by_the_longest_common_subsequence(candidates: list[str], name: str) -> None:
    def common(left: str, right: str) -> int:
        row = [0] * (len(right) + 1)
        for character in left:
            previous = row
            row = [0]
            for at, other in enumerate(right):
                row.append(previous[at] + 1 if character == other else max(previous[at + 1], row[at]))
        return row[-1]

    likeness = {each: 2 * common(name, each) / (len(name) + len(each)) for each in candidates}
    expected = sorted((-score, each) for each, score in likeness.items() if score >= 0.7)
    assert near_names(name, candidates, limit=9) == [each for _, each in expected]
