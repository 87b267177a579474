from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polycall.interop.errors import ConversionError
from polycall.interop.values import MAX_NESTING
from polycall.registry.isolation.messages import MAX_MESSAGE_BYTES, MessageError, Reader, pack

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def frame(body: bytes) -> bytes:
    return struct.pack("<I", len(body)) + body


def read(data: bytes) -> Any:
    reader = Reader()
    reader.feed(data)
    return reader.read_checked()


@given(VALUES, st.integers(1, 50))
def test_values_survive_the_way_in_whatever_pieces_they_come(value: Any, size: int) -> None:
    data, reader = pack("result", value, "$"), Reader()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    for piece in pieces[:-1]:
        reader.feed(piece)
        assert reader.read_checked() is None
    reader.feed(pieces[-1])
    assert repr(reader.read_checked()) == repr(["result", value])  # repr: nan is not equal to itself


@pytest.mark.parametrize("value", [-0.0, 2**63, 2**64 - 1, -(2**63), b"\xff", {"": []}])
def test_values_at_the_edges_arrive_as_they_were(value: Any) -> None:
    assert repr(read(pack("result", value, "$"))) == repr(["result", value])


@pytest.mark.parametrize("value", ["\ud800", 2**64, -(2**63) - 1, -(2**200), {"a\udfff": 1}])
def test_what_only_a_caller_in_python_may_pass_reaches_the_worker_and_never_comes_from_one(value: Any) -> None:
    data, reader = pack("run", value, "$"), Reader()
    reader.feed(data)
    assert reader.read() == ["run", value]
    with pytest.raises(MessageError):
        read(data)


def test_a_value_that_cannot_travel_is_refused_with_its_path() -> None:
    with pytest.raises(ConversionError, match=r"^\$\.args\[1\]\.a\[0\]: expected None, .* got a object"):
        pack("run", [1, {"a": [object()]}], "$.args")
    with pytest.raises(ConversionError, match=rf"^\$\.result: expected at most {MAX_MESSAGE_BYTES} bytes"):
        pack("result", bytes(MAX_MESSAGE_BYTES), "$.result", direction="lift")
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ConversionError, match="refers to itself"):
        pack("run", endless, "$.args")


def nested(levels: int) -> bytes:
    return b"\x92\xa6result" + b"\x91" * levels + b"\xc0"


def test_values_nest_as_deep_as_anywhere() -> None:
    assert read(frame(nested(MAX_NESTING))) is not None
    with pytest.raises(MessageError):
        read(frame(nested(MAX_NESTING + 8)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x92\xa1x",
        b"\xa4text",
        b"\x90",
        b"\x81\xa1a\x01",
        b"\x91\xa1x more",
        b"\xdd\xff\xff\xff\xff",
        nested(100_000),
        msgpack.packb(["result", {b"key": 1}]),
        msgpack.packb(["result", {1: 1}], strict_types=True),
        msgpack.packb(["result", msgpack.ExtType(5, b"code")]),
        msgpack.packb(["result", msgpack.ExtType(1, bytes(10_000))]),
        msgpack.packb(["result", datetime(2026, 1, 2, tzinfo=UTC)], datetime=True),
        b"\x92\xa6result\xa2\xff\xff",
        b"\x92\xa6result\xa3\xed\xa0\x80",
        b"\x92\xa6result\xc7\x00\x01",
        b"\x92\xa6result\x81\xcb\x7f\xf8" + bytes(6) + b"\x01",
        b"\x92\xa6result\x81\xc0\x01",
        b"\x92\xa6result\x81\x90\x01",
        b"\x92\xa6result\xdf\xff\xff\xff\xff\xa1a\x01",
        b"\x92\xa6result\xc6\xff\xff\xff\xff\x00",
    ],
)
def test_bytes_that_are_no_message_of_plain_values_are_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        read(frame(body))


def test_a_length_beyond_the_bound_is_refused_before_anything_is_kept() -> None:
    with pytest.raises(MessageError, match="bytes"):
        read(struct.pack("<I", MAX_MESSAGE_BYTES + 1))


@given(st.binary(max_size=200))
def test_random_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        read(frame(data))
    except MessageError:
        return
