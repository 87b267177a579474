from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycall.interop.errors import ConversionError
from polycall.interop.json_text import decode_json, encode_json
from polycall.interop.values import Value
from strategies import plain_values


@given(plain_values(with_bytes=False, allow_nan=False))
def test_json_reads_back_what_it_wrote(value: Value) -> None:
    assert decode_json(encode_json(value)) == value


@given(st.one_of(st.text(), st.binary()))
def test_no_text_makes_anything_but_a_value_or_our_error(text: str | bytes) -> None:
    with suppress(ConversionError):
        decode_json(text)


def test_json_is_compact_and_keeps_every_script() -> None:
    assert encode_json({"naïve": [1, None, True], "空": "é"}) == '{"naïve":[1,null,true],"空":"é"}'


def test_what_json_cannot_say_becomes_null_or_text() -> None:
    assert encode_json([math.nan, math.inf, -math.inf, b"text"]) == '[null,null,null,"text"]'


def test_bytes_that_are_no_text_are_refused_with_their_path() -> None:
    with pytest.raises(ConversionError, match=r"\$\.a\[0\]: expected text for JSON, got 1 bytes that are not UTF-8"):
        encode_json({"a": [b"\xff"]})


def test_integers_stay_exact_beyond_64_bits() -> None:
    numbers: list[Value] = [2**64 - 1, -(2**63), 2**64, 123456789012345678901, -(10**40) + 1]
    read = decode_json(encode_json(numbers))
    assert read == numbers
    assert isinstance(read, list)
    assert {type(number) for number in read} == {int}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9" * 5000, "expected integers of at most 40 digits, got one of 5000 digits"),
        ("[-1" + "0" * 40 + "]", "got one of 41 digits"),
        ("1e400", "expected numbers that a float can hold, got 1e400"),
        ("-1e400", "got -1e400"),
    ],
)
def test_numbers_that_no_type_holds_are_refused_not_bent(text: str, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        decode_json(text)


def test_an_integer_of_thousands_of_digits_is_not_written() -> None:
    with pytest.raises(ConversionError, match=r"\$\.n: expected an integer of some thousand digits, got an integer of"):
        encode_json({"n": 10**5000})


@pytest.mark.parametrize("data", ['"x"'.encode("utf-16"), '"x"'.encode("utf-32-be"), b'"\xed\xa0\x80"'])
def test_json_bytes_are_utf8_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ConversionError, match="expected JSON text"):
        decode_json(data)


def test_a_long_key_costs_no_more_for_having_many_values_below_it() -> None:
    value: Value = {"k" * 2_000_000: [[1]] * 2_000}  # the path of each would be 4 GB of text in all
    assert decode_json(encode_json(value)) == value
    with pytest.raises(ConversionError) as caught:
        encode_json({"k" * 2_000_000: [b"\xff"]})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "[" * 129 + "]" * 129,
        "[" * 100_000,
        '{"a":' * 129,
        '["\\\\", "\\"", ' + "[" * 128,
        "[1,{}]," * 9 + '[{"a":' * 65,
    ],
    ids=["lists", "lists without an end", "objects", "behind escapes", "both, behind others"],
)
def test_deep_nesting_is_refused_before_the_recursive_reader_sees_it(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loads(*_arguments: object, **_named: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr("json.loads", loads)
    with pytest.raises(ConversionError, match="at most 128 levels of nesting"):
        decode_json(text)


@pytest.mark.parametrize(
    "text",
    ["[" * 128 + "]" * 128, "[" + "[]," * 1_000 + "1]", '"' + "[" * 1_000 + '"', '["' + '\\"[' * 1_000 + '"]'],
    ids=["as deep as may be", "side by side", "in a text", "behind escapes in a text"],
)
def test_brackets_that_do_not_nest_too_deep_are_read(text: str) -> None:
    assert decode_json(text) == json.loads(text)


def test_deep_values_are_refused_on_the_way_out() -> None:
    value: Value = []
    for _ in range(200):
        value = [value]
    with pytest.raises(ConversionError, match="levels of nesting"):
        encode_json(value)


def test_a_syntax_error_says_where_it_is() -> None:
    with pytest.raises(ConversionError, match="line 2 column 1"):
        decode_json("[1,\n")


@pytest.mark.parametrize("text", ["NaN", "Infinity", b"\xff"])
def test_what_is_not_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ConversionError, match="expected JSON text"):
        decode_json(text)


_LARGE: list[Value] = [{f"key {number}": [number, number / 2, "é\n", None, True, {}, []]} for number in range(8_000)]


@pytest.mark.no_cover
def test_large_values_are_written_in_pieces_like_small_ones() -> None:
    asked: list[int] = []
    text = encode_json(_LARGE, check=lambda: asked.append(1))
    assert text == "[" + ",".join(map(encode_json, _LARGE)) + "]"
    assert decode_json(text, check=lambda: asked.append(1)) == _LARGE
    assert len(asked) > 20


class _StoppedError(Exception):
    pass


@pytest.mark.parametrize(
    "text",
    ["[" + "[]" * 100_000 + "]", '["' + "[" * 200_000 + '"]', '"' + "\\\\" * 100_000 + '"', " " * 200_000],
)
def test_each_pass_over_a_long_text_asks_first(text: str) -> None:
    asked: list[int] = []
    with suppress(ConversionError):
        decode_json(text, check=lambda: asked.append(1))
    assert len(asked) >= 6


@pytest.mark.parametrize(
    "work",
    [
        lambda check: encode_json(_LARGE, check=check),
        lambda check: decode_json("[" + "1.5," * 5_000 + "1]", check=check),
    ],
)
def test_the_work_ends_when_its_check_raises(work: Callable[[Callable[[], None]], object]) -> None:
    def check() -> None:
        raise _StoppedError

    with pytest.raises(_StoppedError):
        work(check)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" + "[]," * 200_000 + "1]", "at most 200000 values"),
        ("[" + "1," * 200_000 + "1]", "at most 200000 values"),
        ("[" + '"",' * 200_000 + "1]", "at most 200000 values"),
        ("[" * 300_000, "at most 200000 values"),
        ('["' + "x" * (16 << 20) + '"]', "at most 16777216 bytes"),
    ],
    ids=["lists", "integers", "texts", "nesting", "length"],
)
def test_text_that_would_become_too_much_is_refused_before_it_is_read(text: str, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        decode_json(text)
    assert decode_json("[" + "[]," * 100_000 + "1]") == [[]] * 100_000 + [1]


def test_marks_inside_of_text_are_no_values() -> None:
    csv = "1,[2],{3}\\" * 300_000 + '"'
    assert decode_json(encode_json([csv, csv])) == [csv, csv]


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.5] * 300_000, "at most 33554432 bytes in all, each value counting 128"),
        ([[]] * 300_000, "at most 33554432 bytes"),
        (["x" * (8 << 20)] * 4, "at most 33554432 bytes"),
        ("x" * ((8 << 20) + 1), "text of at most 8388608 bytes"),
        ({"x" * ((8 << 20) + 1): 1}, "text of at most 8388608 bytes"),
        (["\x01" * (4 << 20)] * 5, "at most 67108864 characters"),
    ],
    ids=["numbers", "lists", "texts", "a text", "a key", "escapes"],
)
def test_more_than_a_guest_may_have_written_at_once_is_refused(value: Value, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        encode_json(value)
    assert encode_json(value, bounded=False)


def test_a_refusal_does_not_keep_the_text_that_it_is_about() -> None:
    for text in ("{" + "x" * 100_000, b"\xff" * 100_000):
        with pytest.raises(ConversionError) as caught:
            decode_json(text)
        assert caught.value.__cause__ is None
