from __future__ import annotations

import pytest

from polycall.interop.budget import VALUE_BYTES, Budget, count
from polycall.interop.errors import ConversionError


def test_values_and_their_text_count_until_there_is_no_room() -> None:
    budget = Budget(3 * VALUE_BYTES + 10, "$.args[0]", "lift")
    budget.take(10)
    budget.take(values=2)
    assert budget.taken == 3 * VALUE_BYTES + 10
    with pytest.raises(
        ConversionError, match=r"\$\.args\[0\]: expected at most 394 bytes in all, each value"
    ) as caught:
        budget.take()
    assert caught.value.direction == "lift"


def test_it_asks_every_few_thousand_values_whether_the_work_may_go_on() -> None:
    asked: list[int] = []
    budget = Budget(1 << 30, check=lambda: asked.append(1))
    for _ in range(10_000):
        budget.take()
    assert 3 <= len(asked) <= 10


def test_it_asks_before_each_long_text() -> None:
    asked: list[int] = []
    budget = Budget(1 << 30, check=lambda: asked.append(budget.taken))
    for _ in range(5):
        budget.take(60 << 20, values=0)
    assert asked == [at * (60 << 20) for at in range(1, 6)]


@pytest.mark.parametrize(
    ("value", "values", "text"),
    [(None, 1, 0), ("abc", 1, 3), ([1, [2, b"xy"]], 5, 2), ({"ab": {"c": (1,)}}, 6, 3), ({}, 1, 0)],
)
def test_a_whole_value_counts_with_all_that_is_in_it(value: object, values: int, text: int) -> None:
    budget = Budget(1 << 20)
    count(value, budget)
    assert budget.taken == values * VALUE_BYTES + text


def test_counting_ends_where_there_is_no_room() -> None:
    shared: list[object] = []
    for _ in range(60):  # as a tree it has more values than there are atoms in this sentence
        shared = [shared, shared]
    with pytest.raises(ConversionError, match="at most 1000000 bytes"):
        count(shared, Budget(1_000_000))
