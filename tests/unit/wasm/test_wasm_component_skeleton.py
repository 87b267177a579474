"""What the engine's validator sees of a component: its verdict must be that on the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime
from wasmtime.component import Component

from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.skeleton import skeleton
from polycall.wasm_runtime.component.validation import validate
from polycall.wasm_runtime.component.writer import COMPONENT_HEADER
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine

ROOT = Path(__file__).parents[3]
GUESTS = sorted([*(ROOT / "tests/guests/bin").glob("*.wasm"), *(ROOT / "examples").rglob("*.wasm")])


@pytest.fixture(scope="module")
def engine() -> wasmtime.Engine:
    return WasmEngine().alone()


def hollow(binary: bytes) -> bytes | None:
    return skeleton(decode(binary), binary)


def made(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(component {text})"))


def verdict(engine: wasmtime.Engine, binary: bytes) -> str | None:
    try:
        Component(engine, binary)
    except wasmtime.WasmtimeError as error:
        return str(error)
    return None


MODULE = """
(core module $m
  (import "env" "f" (func $imported (param i32)))
  (import "env" "memory" (memory 1))
  (func $hidden (param i64) (call $imported (i32.const 1)))
  (func (export "run") (param i32) (result i32) (local.get 0))
  (func (export "other") (result f64) (f64.const 1))
  (export "passed-on" (func $imported))
  (export "memory" (memory 0))
  (memory $own 2 5) (export "own" (memory $own))
  (table (export "table") 3 funcref)
  (table $hidden 9 externref)
  (global (export "g1") (mut i32) (i32.const 7))
  (global (export "g2") v128 (v128.const i64x2 1 2))
  (global (export "g3") funcref (ref.func $hidden))
  (global (export "g4") f64 (f64.const 1))
  (global (export "g5") (ref null extern) (ref.null extern))
  (data (memory 0) (i32.const 0) "some bytes that nobody needs")
  (elem (table 0) (i32.const 0) func $hidden)
  (start $empty) (func $empty))
(core module $env (func (export "f") (param i32)) (memory (export "memory") 1))
(core instance $env (instantiate $env))
(core instance $m (instantiate $m (with "env" (instance $env))))
"""


def test_a_hollow_module_has_the_same_imports_and_exports(engine: wasmtime.Engine) -> None:
    whole = made(MODULE)
    found = hollow(whole)
    assert found is not None
    assert len(found) < len(whole)
    assert b"some bytes" not in found
    modules = [
        wasmtime.Module(engine, binary[each.start : each.end])
        for binary in (whole, found)
        for each in decode(binary).definitions[:1]
        if hasattr(each, "start") and hasattr(each, "end")
    ]
    described = [
        (
            [(each.module, each.name, str(type(each.type))) for each in module.imports],
            [(each.name, str(type(each.type))) for each in module.exports],
        )
        for module in modules
    ]
    assert described[0] == described[1]
    runs = [{each.name: each.type for each in module.exports}["run"] for module in modules]
    assert [[str(each) for each in run.params] for run in runs if isinstance(run, wasmtime.FuncType)] == [["i32"]] * 2


@pytest.mark.parametrize(
    "use",
    [
        '(func (export "run") (param "a" s32) (result s32) (canon lift (core func $m "run")))',
        '(func (param "a" s32) (canon lift (core func $m "passed-on")))',
        '(import "f" (func $f (param "a" string))) (core func (canon lower (func $f) (memory (core memory $m "own"))))',
        """(core module $n (import "m" "table" (table 2 funcref)) (import "m" "g1" (global (mut i32)))
          (import "m" "g3" (global funcref)) (import "m" "own" (memory 1 6)))
        (core instance (instantiate $n (with "m" (instance $m))))""",
        '(component $c (core module (func (export "f") (result i32) i32.const 1))) (instance (instantiate $c))',
    ],
)
def test_what_is_valid_stays_valid(engine: wasmtime.Engine, use: str) -> None:
    whole = made(MODULE + use)
    assert verdict(engine, whole) is None
    found = hollow(whole)
    assert found is not None
    assert verdict(engine, found) is None


@pytest.mark.parametrize(
    "use",
    [
        '(func (param "a" s64) (result s32) (canon lift (core func $m "run")))',
        '(func (canon lift (core func $m "passed-on")))',
        '(core module $n (import "m" "run" (func))) (core instance (instantiate $n (with "m" (instance $m))))',
        '(core module $n (import "m" "own" (memory 3))) (core instance (instantiate $n (with "m" (instance $m))))',
        '(core module $n (import "m" "g1" (global i32))) (core instance (instantiate $n (with "m" (instance $m))))',
        '(core module $n (import "m" "table" (table 1 2 funcref)))'
        ' (core instance (instantiate $n (with "m" (instance $m))))',
        '(type (record (field "a" u8) (field "a" u8)))',
        '(export "a" (core module $m)) (export "a" (core module $m))',
        '(type $r (record (field "a" u8))) (import "f" (func (param "a" $r)))',
    ],
)
def test_what_is_invalid_stays_invalid(engine: wasmtime.Engine, use: str) -> None:
    whole = made(MODULE + use)
    assert verdict(engine, whole) is not None
    found = hollow(whole)
    assert found is not None
    assert verdict(engine, found) is not None


@pytest.mark.parametrize(
    "module",
    [
        '(core module (func $f) (table (export "t") 1 (ref func) (ref.func $f)))',
        '(core module (global (export "g") (ref i31) (ref.i31 (i32.const 1))))',
    ],
)
def test_where_a_value_cannot_be_made_up_there_is_no_skeleton(module: str) -> None:
    assert hollow(made(module)) is None


def test_what_is_not_exported_does_not_matter() -> None:
    assert hollow(made("(core module (func $f) (table 1 (ref func) (ref.func $f)))")) is not None


def test_a_module_that_cannot_be_read_has_no_skeleton() -> None:
    binary = COMPONENT_HEADER + b"\x01\x0b\0asm\x01\0\0\0\x01\x05\x01"
    assert hollow(binary) is None


@pytest.mark.parametrize("guest", GUESTS, ids=lambda path: path.name)
def test_real_guests_are_valid_without_their_code(guest: Path) -> None:
    binary = guest.read_bytes()
    if binary.startswith(COMPONENT_HEADER):
        component = decode(binary)
        found = skeleton(component, binary)
        assert found is not None
        assert len(found) < max(len(binary) * 2 // 3, 4_000)  # of small guests of WASI, much is what they import
        validate(component, binary)  # with an engine that knows what they define for WASI 0.3
