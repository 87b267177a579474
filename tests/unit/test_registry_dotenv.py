from __future__ import annotations

import pytest

from registry.dotenv import read_dotenv, with_value

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


def test_a_new_value_goes_to_the_end() -> None:
    assert with_value("A=1", "B", '"$\\') == 'A=1\nB="\\"\\$\\\\"\n'
    assert with_value("", "B", "") == "B=\n"
