"""The shield stands in for the handlers that there are, notices every other one, and gives back the very objects."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # no stub; what the shield sets handlers by
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from polycall.interop.context import CallContext
from polycall.interop.values import Value
from polycall.wasm_runtime.engine.signal_shield import SignalShield
from wasm_guests import FUNCS_CALLER, FakeInvoker, call, context, open_runtime, prepare

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGUSR1")

ADD = '(module (func (export "f") (param i32) (result i32) local.get 0))'


class Recorder:
    """Handlers that are equal to each other, and tell each its own calls."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.numbers.append(number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recorder)

    __hash__ = None  # type: ignore[assignment]  # as for whoever is equal without being the same


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def held(shield: SignalShield, handler: Recorder, number: signal.Signals) -> bool:
    """Says whether a signal that comes during a call is held back until its end, and reaches the handler then."""
    shield.begin()
    signal.raise_signal(number)
    before = list(handler.numbers)
    shield.end()
    assert handler.numbers == [number]
    handler.numbers.clear()
    return not before


def test_a_handler_set_between_two_calls_is_held_back_and_given_back() -> None:
    shield, first, second, other = SignalShield(), Recorder(), Recorder(), Recorder()
    signal.signal(signal.SIGUSR1, first)
    assert held(shield, first, signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, second)
    signal.signal(signal.SIGUSR2, other)
    assert held(shield, second, signal.SIGUSR1)
    assert held(shield, other, signal.SIGUSR2)
    assert signal.getsignal(signal.SIGUSR1) is second
    assert signal.getsignal(signal.SIGUSR2) is other
    assert first.numbers == []


def test_a_handler_taken_away_between_two_calls_is_not_set_again() -> None:
    shield = SignalShield()
    signal.signal(signal.SIGUSR1, Recorder())
    shield.begin()
    shield.end()
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    shield.begin()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    shield.end()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN


def test_a_handler_set_during_a_call_stays_and_what_it_replaced_may_be_set_again_after_the_call() -> None:
    shield, first, second = SignalShield(), Recorder(), Recorder()
    signal.signal(signal.SIGUSR1, first)
    shield.begin()
    replaced = signal.signal(signal.SIGUSR1, second)
    shield.end()
    assert signal.getsignal(signal.SIGUSR1) is second
    signal.signal(signal.SIGUSR1, replaced)
    signal.raise_signal(signal.SIGUSR1)
    assert first.numbers == [signal.SIGUSR1]
    first.numbers.clear()
    assert held(shield, first, signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) is first


def test_shields_of_two_engines_nest() -> None:
    outer, inner, handler = SignalShield(), SignalShield(), Recorder()
    signal.signal(signal.SIGUSR1, handler)
    for _ in range(3):
        outer.begin()
        outer.open()  # as in a host function, which calls into the other engine
        assert held(inner, handler, signal.SIGUSR1)
        outer.holding = True
        signal.raise_signal(signal.SIGUSR1)
        assert handler.numbers == []
        outer.end()
        assert handler.numbers == [signal.SIGUSR1]
        handler.numbers.clear()
        assert signal.getsignal(signal.SIGUSR1) is handler


def stood_in(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Returns the list of the signals whose handler is replaced from now on."""
    numbers: list[int] = []
    original = _signal.signal

    def count(number: int, handler: object) -> object:
        numbers.append(number)
        return original(number, handler)

    monkeypatch.setattr(_signal, "signal", count)
    return numbers


def test_only_a_call_that_may_come_back_to_python_needs_the_shield(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def echo(payload: Value, _caller: CallContext) -> Value:
        return payload

    signal.signal(signal.SIGUSR1, Recorder())
    with open_runtime(tmp_path, FakeInvoker(echo=echo)) as runtime:
        alone = prepare(runtime, ADD, "f", "f: func(x: s32) -> s32").instantiate()
        caller = prepare(runtime, FUNCS_CALLER, "relay-string", grants=("funcs",)).instantiate()
        numbers = stood_in(monkeypatch)
        assert call(alone, 7) == 7
        assert numbers == []
        assert alone.call([7], context(deadline=2**40)) == 7  # the epoch may pass
        assert signal.SIGUSR1 in numbers
        numbers.clear()
        assert call(caller, "app:echo", "x") == {"ok": "x"}
        assert signal.SIGUSR1 in numbers
