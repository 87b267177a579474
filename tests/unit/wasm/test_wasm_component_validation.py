"""The engine's verdict on a component, and the features that may be defined without being used."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.planner import make_plan
from polycall.wasm_runtime.component.validation import validate
from polycall.wasm_runtime.component.writer import COMPONENT_HEADER

ROOT = Path(__file__).parents[3]
GUESTS = sorted([*(ROOT / "tests/guests/bin").glob("*.wasm"), *(ROOT / "examples").rglob("*.wasm")])


def check(binary: bytes) -> None:
    component = decode(binary)
    make_plan(component, binary)
    validate(component, binary)


def made(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(component {text})"))


@pytest.mark.parametrize("guest", GUESTS, ids=lambda path: path.name)
def test_real_guests_are_valid(guest: Path) -> None:
    if guest.read_bytes().startswith(COMPONENT_HEADER):
        check(guest.read_bytes())


@pytest.mark.parametrize(
    "text",
    [
        "(core func (canon task.cancel))",
        "(core func (canon waitable-set.new))",
        "(core func (canon context.get i32 0))",
        "(core func (canon subtask.cancel async))",
        '(type $s (stream u8)) (core func (canon stream.new $s)) (import "f" (func (param "a" $s)))',
        '(import "f" (func async))',
        '(import "f" (func (param "a" (map string u32))))',
    ],
)
def test_what_is_only_defined_is_valid(text: str) -> None:
    check(made(text))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('(type (record (field "a" u8) (field "a" u8)))', "record field name `a` conflicts"),
        ('(import "f" (func)) (import "f" (func))', "previous name"),
        ('(type (resource (rep i32))) (import "f" (func (param "a" (own 0))))', "func not valid to be used as import$"),
    ],
)
def test_what_is_invalid_is_refused_with_the_words_of_the_engine(text: str, why: str) -> None:
    with pytest.raises(PreparationError, match=f"does not compile: .*{why}"):
        check(made(text))


def test_where_there_is_no_skeleton_the_whole_component_is_validated() -> None:
    table = '(core module $m (func $f) (table (export "t") 1 (ref func) (ref.func $f)))'
    check(made(table))
    with pytest.raises(PreparationError, match="does not compile"):
        check(made(f"{table} (core module (func (result i32)))"))
