"""What a message would become is known before any of it is built."""

from __future__ import annotations

import resource
import time
import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycall.interop.errors import ConversionError
from polycall.registry.isolation.measure import MAX_MESSAGE_VALUES, MAX_TEXT_BYTES, MessageError, TooMuchError, measure
from polycall.registry.isolation.messages import Reader, pack

MANY = 400_000


def nothing() -> None:
    return


def read(body: bytes) -> Any:
    reader = Reader()
    reader.feed(len(body).to_bytes(4, "little") + body)
    return reader.read_checked()


def result(body: bytes) -> bytes:
    return b"\x92\xa6result" + body


BOMBS = {
    "empty lists": result(b"\xdd" + MANY.to_bytes(4) + b"\x90" * MANY),
    "empty records": result(b"\xdd" + MANY.to_bytes(4) + b"\x80" * MANY),
    "nils": result(b"\xdd" + MANY.to_bytes(4) + b"\xc0" * MANY),
    "empty texts": result(b"\xdd" + MANY.to_bytes(4) + b"\xa0" * MANY),
    "lists of lists": result(b"\xdd" + (MANY // 4).to_bytes(4) + b"\x93\x90\x90\x90" * (MANY // 4)),
    "records of a short key": result(b"\xdf" + (MANY // 3).to_bytes(4) + b"\xa1k\x80" * (MANY // 3)),
    "lists that claim to be long": result(b"\xdd\x03\xff\xff\xff" * 128),
}  # fmt: skip


@pytest.mark.no_cover
@pytest.mark.parametrize("name", BOMBS)
def test_a_message_of_too_many_values_is_refused_before_memory_is_taken(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polycall.registry.isolation.measure.MAX_MESSAGE_VALUES", MANY // 8)
    body = BOMBS[name]
    tracemalloc.start()
    try:
        with pytest.raises(MessageError):
            measure(body, nothing)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1 << 20


@pytest.mark.no_cover
def test_as_many_values_as_are_allowed_are_built() -> None:
    numbers = [1] * (MAX_MESSAGE_VALUES - 4)  # the message, its word, the list: a list counts twice
    with pytest.raises(TooMuchError, match="more than 1000000 values"):
        read(msgpack.packb(["result", [*numbers, 1]]))
    assert read(msgpack.packb(["result", numbers[1:]])) == ["result", numbers[1:]]


def test_a_text_is_bounded_and_bytes_by_the_message_alone() -> None:
    assert read(msgpack.packb(["result", "x" * MAX_TEXT_BYTES])) == ["result", "x" * MAX_TEXT_BYTES]
    with pytest.raises(TooMuchError, match="more than 16777216 bytes in one text"):
        read(msgpack.packb(["result", "x" * (MAX_TEXT_BYTES + 1)]))
    with pytest.raises(TooMuchError, match="more than 16777216 bytes in one text"):
        read(msgpack.packb(["result", {"x" * (MAX_TEXT_BYTES + 1): 1}]))
    assert read(msgpack.packb(["result", bytes(3 * MAX_TEXT_BYTES)]))[1] == bytes(3 * MAX_TEXT_BYTES)


@pytest.mark.no_cover
@pytest.mark.parametrize("value", [[1] * MAX_MESSAGE_VALUES, "x" * (MAX_TEXT_BYTES + 1), [[]] * 500_000])
def test_an_honest_sender_says_what_is_too_much(value: Any) -> None:
    with pytest.raises(
        ConversionError, match=r"^\$\.result: expected at most \d+ (values|bytes in one text), for an iso"
    ):
        pack("result", value, "$.result", direction="lift")


@pytest.mark.no_cover
def test_the_clock_is_looked_at_while_a_message_is_measured_and_built() -> None:
    class LateError(Exception):
        pass

    def after(count: int) -> Any:
        left = iter(range(count))

        def check() -> None:
            if next(left, None) is None:
                raise LateError

        return check

    body = msgpack.packb(["result", [[number] for number in range(300_000)]])
    for count in (0, 1, 50, 80):
        reader = Reader()
        reader.feed(len(body).to_bytes(4, "little") + body)
        with pytest.raises(LateError):
            reader.read_checked(after(count))
    assert read(body)[1][299_999] == [299_999]


@given(st.binary(max_size=60))
def test_what_has_passed_is_built_unless_its_text_is_none(body: bytes) -> None:
    try:
        measure(body, nothing)
    except MessageError:
        return
    msgpack.unpackb(body, unicode_errors="replace", strict_map_key=True)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(), inner, max_size=40),
)


@given(VALUES)
def test_every_value_passes_and_nothing_less_or_more(value: Any) -> None:
    body = msgpack.packb(value)
    measure(body, nothing)
    for wrong in (body[:-1], body + b"\xc0"):
        with pytest.raises(MessageError):
            measure(wrong, nothing)


@pytest.mark.no_cover
def test_a_short_message_is_measured_fast() -> None:
    body = msgpack.packb(["result", {"a": 1, "b": [1.5, "text"]}])
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.monotonic()
    for _ in range(10_000):
        measure(body, nothing)
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
    assert taken < 1, time.monotonic() - begin  # about 2 us each
