"""How many calls may begin at the same time: it narrows where they wait, and widens where they do not."""

from __future__ import annotations

import pytest

from polycall.registry.dispatch import starting_gate
from polycall.registry.dispatch.starting_gate import _PROMPT_CALLS, _PROMPT_SECONDS, LONG_SECONDS, StartingGate

MOST = 8


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(starting_gate, "time", clock)
    return clock


def filled(gate: StartingGate) -> list[object]:
    """Begins as many calls as may begin together."""
    calls = []
    while gate.is_open:
        calls.append(object())
        gate.begin(calls[-1])
    return calls


def narrowed() -> StartingGate:
    gate = StartingGate(MOST)
    for call in filled(gate):
        gate.wait(call)
    return gate


def test_each_call_that_waits_halves_it() -> None:
    gate = StartingGate(MOST)
    widths: list[int] = []
    while len(widths) < 5:
        calls = filled(gate)
        widths.append(len(calls))
        gate.wait(calls.pop())
        for call in calls:  # they have ended, but only the first was asked for
            gate._beginning.pop(call)
    assert widths == [8, 4, 2, 2, 2]


def test_calls_begin_one_at_a_time_only_while_all_of_them_wait_soon(clock: Clock) -> None:
    gate = narrowed()

    def goes(seconds: float) -> int:
        for call in filled(gate):
            clock.now += seconds
            gate.wait(call)
        return gate._width

    soon, late = _PROMPT_SECONDS / 4, _PROMPT_SECONDS * 2
    for _ in range(2):
        goes(late)
        waited = 0
        while goes(soon) == 2:
            waited += 2
        assert _PROMPT_CALLS - 2 <= waited <= _PROMPT_CALLS
        assert goes(soon) == 1
    assert goes(late) == 2
    goes(LONG_SECONDS * 2)
    assert goes(soon) == 2


def test_each_call_that_ends_without_having_waited_doubles_it() -> None:
    gate = narrowed()
    for width in (2, 4, 8, 8):
        calls = filled(gate)
        assert len(calls) == width
        gate.end(calls.pop())
        for call in calls:
            gate._beginning.pop(call)


def test_only_the_first_wait_of_a_call_counts_and_its_end_does_not() -> None:
    gate = StartingGate(MOST)
    call = object()
    gate.begin(call)
    for _ in range(3):
        gate.wait(call)
    gate.end(call)
    assert len(filled(gate)) == MOST // 2


def test_a_call_that_takes_long_lets_others_begin(clock: Clock) -> None:
    gate = narrowed()
    first, other = filled(gate)
    clock.now += LONG_SECONDS / 2
    gate.look()
    assert not gate.is_open
    clock.now += LONG_SECONDS
    gate.look()
    second, third = filled(gate)
    gate.look()
    assert not gate.is_open
    gate.end(first)  # it never waited, however long it took
    assert gate.is_open
    for call in (second, third, other):
        gate.wait(call)
    assert len(filled(gate)) == 2


def test_a_call_that_waits_after_a_long_while_narrows_it_as_well(clock: Clock) -> None:
    gate = StartingGate(MOST)
    late = filled(gate)
    clock.now += 2 * LONG_SECONDS
    gate.look()
    assert gate.is_open
    for call in late:
        gate.wait(call)
    assert len(filled(gate)) == 2


def test_it_forgets_calls_that_have_ended(clock: Clock) -> None:
    gate = StartingGate(MOST)
    for call in filled(gate):
        gate.end(call)
    for call in filled(gate):
        clock.now += 2 * LONG_SECONDS
        gate.look()
        gate.end(call)
    assert not gate._beginning
    assert not gate._long
