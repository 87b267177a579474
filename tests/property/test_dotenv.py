"""A dotenv file that is changed keeps what it was not asked to change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polycall.registry.services.dotenv import read_dotenv, with_value

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
LINES = st.sampled_from(
    [
        "# comment",
        "",
        "A=1",
        "export B = two words # why",
        'C="quoted # not a comment"',
        "D='raw\\n'",
        "nonsense",
        "E=",
        'F="two\nlines" # end',
        "A=again",
        'G="open',
        "\tH=tab\r",
        "=x",
        'I="a" b',
    ]
)
TEXTS = st.lists(LINES, max_size=8).map("\n".join) | st.text(st.sampled_from("AB=\"'#\\ \n\r$x"), max_size=30)


@given(TEXTS, NAMES, VALUES)
def test_the_value_written_is_the_value_read_and_all_others_stay(text: str, name: str, value: str) -> None:
    before = read_dotenv(text)
    assert read_dotenv(with_value(text, name, value)) == {**before, name: value}


@given(TEXTS, NAMES, VALUES, VALUES)
def test_only_the_value_itself_changes_in_the_text(text: str, name: str, first: str, second: str) -> None:
    once = with_value(text, name, first)
    twice = with_value(once, name, second)
    assert with_value(twice, name, first) == with_value(once, name, first)
    if name in read_dotenv(text):
        kept = [line for line in text.split("\n") if line.startswith("#")]
        assert [line for line in once.split("\n") if line in kept] == kept


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_a_file_of_ours_is_read_as_it_was_written(values: dict[str, str]) -> None:
    text = ""
    for name, value in values.items():
        text = with_value(text, name, value)
    assert read_dotenv(text) == values
    assert list(read_dotenv(text)) == list(values)
