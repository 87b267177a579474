"""The differential: that it compares, and that it sees a fault."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from canonical_oracle import CHECKOUT
from component_oracle import TRAP, our_dump
from differential import __main__ as differential
from differential.drawing import drawn_type, drawn_value
from polycall.interop.values import Value
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine
from polycall.wasm_runtime.wit.check_values import compile_check
from polycall.wasm_runtime.wit.wit_types import WitType


def test_drawn_values_are_of_their_types_and_in_their_normal_form() -> None:
    for number in range(300):
        random = Random(number)
        wit_type = drawn_type(random, newer=True)
        value = drawn_value(random, wit_type)
        assert compile_check(wit_type)(value) == value, wit_type
        again = Random(number)
        assert drawn_type(again, newer=True) == wit_type
        assert drawn_value(again, wit_type) == value


def test_values_in_memory_and_compositions_are_compared() -> None:
    assert sum(map(differential._memory(), range(1_000, 1_010))) > 40
    assert sum(map(differential._compositions(), range(1_000, 1_010))) == 10


@pytest.mark.skipif(CHECKOUT is None, reason="POLYCALL_COMPONENT_MODEL names no checkout")
def test_lifting_and_lowering_are_compared() -> None:
    assert CHECKOUT is not None
    assert sum(map(differential._specification(CHECKOUT), range(1_000, 1_010))) == 160


def test_one_byte_that_lies_elsewhere_is_a_difference(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:

    def wrong(engine: WasmEngine, wit_type: WitType, values: list[Value]) -> list[bytes]:
        return [bytes(dump[:1_100]) + b"\xee" + dump[1_101:] for dump in our_dump(engine, wit_type, values)]

    monkeypatch.setattr(differential, "our_dump", wrong)
    assert differential._run("memory", 5, 0, differential._memory)[1] == 20  # no more are shown
    assert "number 0" in capsys.readouterr().out


def test_a_composition_that_gives_something_else_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differential, "our_outcomes", lambda *_: [TRAP])
    with pytest.raises(AssertionError):
        differential._compositions()(0)


def test_a_checkout_without_the_specification_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["differential", str(tmp_path), "--cases", "0"])
    with pytest.raises(SystemExit) as ended:
        differential.main()
    assert ended.value.code == 2
    assert f"there is no {tmp_path / 'design'}" in capsys.readouterr().err
