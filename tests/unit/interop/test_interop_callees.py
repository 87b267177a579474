from __future__ import annotations

import pytest

from polycall.interop.callees import CalleePattern, Callees


@pytest.mark.parametrize(
    ("patterns", "allowed", "refused"),
    [
        (["app:tax"], ["app:tax"], ["app:taxes", "app:ta", "ap:tax", "app.x:tax"]),
        (["app:*"], ["app:tax", "app:"], ["apple:tax", "app.x:tax", "app"]),
        (["app:tax_*"], ["app:tax_de"], ["app:tax"]),
        (["app.*"], ["app.x:tax", "app.x.y:tax"], ["app:tax", "apple:x"]),
        (["*"], ["app:tax", "x:y"], []),
        ([], [], ["app:tax"]),
        (["a:b", "c:*"], ["a:b", "c:d"], ["a:c"]),
    ],
)
def test_a_list_allows_its_ids_and_what_begins_as_it_says(
    patterns: list[str], allowed: list[str], refused: list[str]
) -> None:
    callees = Callees(CalleePattern.parse(each) for each in patterns)
    assert [callees.allow(each) for each in allowed] == [True] * len(allowed)
    assert [callees.allow(each) for each in refused] == [False] * len(refused)


def test_a_bare_name_belongs_to_the_namespace_of_its_list() -> None:
    assert CalleePattern.parse("tax", "app") == "app:tax"
    assert CalleePattern.parse("app:tax", "other") == "app:tax"


@pytest.mark.parametrize("text", ["app*", "ap*:tax", "*:tax", "**", "a:*b", "", ":tax", "app:", "tax"])
def test_what_is_no_callee_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an entry id"):
        CalleePattern.parse(text)


def test_a_long_list_is_shown_by_its_beginning() -> None:
    assert str(Callees(["a:b", "c:*"])) == '["a:b", "c:*"]'
    assert str(Callees(f"a:{number}" for number in range(100))).endswith('"a:7", ...]')
