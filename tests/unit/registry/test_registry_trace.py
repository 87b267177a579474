from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import polycall
from observed_project import observed_project
from polycall.registry.observers.trace import Trace, size

FIGURE = re.compile(r" +\d+\.\d{3} ms +")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[polycall.Registry]:
    with polycall.load(observed_project(tmp_path)) as registry:
        registry.function("py:upper")(str.upper)
        yield registry


def lines(trace: Trace) -> list[str]:
    return [FIGURE.sub(" * ", line) for line in trace.lines()]


def test_a_trace_is_the_tree_of_the_calls(registry: polycall.Registry) -> None:
    @registry.function("py:both")
    def both(text: str) -> list[polycall.Value]:
        return [registry.call("app:ask", "app:relay", "app:to-python", text), registry.call("app:same", text)]

    trace = Trace()
    registry.call("py:both", "héllo", observer=trace)
    assert lines(trace) == [
        "py:both (python) * (text of 6 bytes) -> list of 2 items",
        "├─ app:ask (lua) * (text of 9 bytes, text of 13 bytes, text of 6 bytes) -> record of 1 field",
        "│  └─ app:relay (wasm) * (text of 13 bytes, text of 6 bytes) -> record of 1 field",
        "│     └─ app:to-python (lua) * (text of 6 bytes) -> text of 6 bytes",
        "│        └─ py:upper (python) * (text of 6 bytes) -> text of 6 bytes",
        "└─ app:same (lua) * (text of 6 bytes) -> text of 6 bytes",
    ]
    assert len({line.index(" ms ") for line in trace.lines()}) == 1, "times stand below each other"


def test_a_failed_call_shows_its_code(registry: polycall.Registry) -> None:
    trace = Trace()
    with pytest.raises(polycall.GuestError):
        registry.call("app:ask", "app:fail", "x", observer=trace)
    assert lines(trace) == [
        "app:ask (lua) * (text of 8 bytes, text of 1 byte) -> error guest_error",
        "└─ app:fail (lua) * (text of 1 byte) -> error guest_error",
    ]


def test_a_call_that_runs_is_shown_as_such(registry: polycall.Registry) -> None:
    trace = Trace()
    seen: list[str] = []
    registry.function("py:look")(lambda: seen.extend(trace.lines()))
    registry.call("py:look", observer=trace)
    assert seen == ["py:look (python)         ? ms  () -> not ended"]


def test_calls_beyond_the_first_thousand_are_only_counted(registry: polycall.Registry) -> None:
    trace = Trace()
    registry.function("py:many")(lambda: [registry.call("app:same", number) for number in range(1_500)])
    registry.call("py:many", observer=trace)
    assert len(trace.lines()) == 1_001
    assert trace.lines()[-1] == "and 501 more calls"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "boolean"),
        (1, "number"),
        (1.5, "number"),
        ("é", "text of 2 bytes"),
        ("\ud800", "text of 3 bytes"),
        (b"a", "1 byte"),
        ([], "list of 0 items"),
        ([1], "list of 1 item"),
        ({"a": 1, "b": 2}, "record of 2 fields"),
    ],
)
def test_the_size_of_a_value(value: polycall.Value, text: str) -> None:
    assert size(value) == text


def test_only_the_first_arguments_are_described(registry: polycall.Registry) -> None:
    trace = Trace()
    registry.call("app:same", *range(6), observer=trace)
    assert "(number, number, number, number, 2 more) -> number" in trace.lines()[0]
