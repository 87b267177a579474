from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lua_guests import body, context, prepare, program, refusal, run
from polycall.interop.errors import DeadlineError
from polycall.interop.values import Value
from polycall.lua_runtime.instance import LuaInstance

pytestmark = pytest.mark.under_every_limit

# RFC 4648, section 10.
VECTORS = [
    ("", ""),
    ("f", "Zg=="),
    ("fo", "Zm8="),
    ("foo", "Zm9v"),
    ("foob", "Zm9vYg=="),
    ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
]


@pytest.fixture(scope="module")
def there_and_back(conditions: None) -> Iterator[LuaInstance]:
    text = "local base64 = require('base64') local t = base64.encode(...) return { t, base64.decode(t) }"
    with closing(prepare(program(body(text))).instantiate()) as instance:
        yield instance


@pytest.mark.parametrize(("plain", "text"), VECTORS)
def test_the_vectors_of_the_rfc(plain: str, text: str) -> None:
    assert run("return require('base64').encode(...)", plain) == text
    assert run("return require('base64').decode(...)", text) == plain


def lua_text(data: bytes) -> Value:
    """Returns what a Lua string of these bytes is in Python."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


@given(data=st.binary(max_size=300))
def test_decoding_what_was_encoded_gives_it_back(data: bytes, there_and_back: LuaInstance) -> None:
    assert there_and_back.call([data], context()) == [base64.b64encode(data).decode(), lua_text(data)]


def test_data_of_several_pieces_come_out_whole() -> None:
    text = """
      local base64, data = require('base64'), string.rep('abcdefg', 500000)
      local encoded = base64.encode(data)
      return { #encoded, base64.decode(encoded) == data }"""
    assert run(text) == [4_666_668, True]


def test_line_breaks_are_passed_over() -> None:
    assert run("return require('base64').decode('Zm9v\\r\\nYmFy\\n')") == "foobar"


@pytest.mark.parametrize("text", ["Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9v!", "Zm 9v", "-_-_", "Zm9vYg==="])
def test_what_is_not_base64_is_invalid(text: str) -> None:
    assert refusal("require('base64').decode(...)", text) == "Invalid"


@pytest.mark.parametrize("call", ["encode()", "encode(5)", "encode({})", "decode(nil)", "decode(true)"])
def test_anything_but_text_is_invalid(call: str) -> None:
    assert refusal(f"require('base64').{call}") == "Invalid"


def test_a_large_input_ends_with_its_deadline() -> None:
    text = "local s = string.rep('x', 16000000) while true do require('base64').encode(s) end"
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        run(text, frame=context(deadline=started + 0.2))
    assert time.monotonic() - started < 1.5
