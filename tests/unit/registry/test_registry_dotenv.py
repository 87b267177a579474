from __future__ import annotations

import pytest

from polycall.registry.services.dotenv import read_dotenv, with_value

TEXT = """# keys of the shop
export API_URL = https://example.test/#top  # the real one
EMPTY=
NAME="two words" # quoted
RAW='$HOME \\n'
LINES="one
two"
not an assignment
TWICE=1
TWICE=2
"""


def test_every_form_of_a_value_is_read() -> None:
    assert read_dotenv(TEXT) == {
        "API_URL": "https://example.test/#top",
        "EMPTY": "",
        "NAME": "two words",
        "RAW": "$HOME \\n",
        "LINES": "one\ntwo",
        "TWICE": "2",
    }


@pytest.mark.parametrize(
    ("name", "value", "old", "new"),
    [
        ("API_URL", "x", "https://example.test/#top  #", "x  #"),
        ("NAME", "one", '"two words" #', "one #"),
        ("EMPTY", "a b", "EMPTY=\n", 'EMPTY="a b"\n'),
        ("LINES", "1\n2", '"one\ntwo"', '"1\\n2"'),
        ("TWICE", "3", "TWICE=2", "TWICE=3"),
    ],
)
def test_a_value_is_changed_where_it_stands(name: str, value: str, old: str, new: str) -> None:
    assert with_value(TEXT, name, value) == TEXT.replace(old, new)


@pytest.mark.parametrize(
    "text", ["A= # why", "A=\t# why\nB=1", "A='x= ' # why", "A='x'# why", 'A="x"#why', "A=# x", "A='"]
)
@pytest.mark.parametrize("value", ["", "plain", "#", " "])
def test_a_comment_behind_a_value_never_becomes_part_of_it(text: str, value: str) -> None:
    written = with_value(text, "A", value)
    assert read_dotenv(written)["A"] == value
    assert read_dotenv("A= # why") == {"A": ""}


@pytest.mark.parametrize("text", ['A="a\nA="a\\n\\"b" \nin # t\\n\\"b" \n', 'B="\nC=1'])
def test_a_change_that_would_close_an_open_quote_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^A cannot be changed alone; is there a quote that is not closed\?$"):
        with_value(text, "A", "" if "A" in text else "#")


def test_a_new_value_goes_to_the_end() -> None:
    assert with_value("A=1", "B", '"$\\') == 'A=1\nB="\\"\\$\\\\"\n'
    assert with_value("", "B", "") == "B=\n"
