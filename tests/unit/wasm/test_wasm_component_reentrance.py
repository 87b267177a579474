"""Who may enter and leave a component instance: parents that are called back by what they contain, and everybody else.

Specification: Canonical ABI, ``ComponentInstance`` ("donut wrapping"), ``Store.lift``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from polycall.interop.errors import TrapError
from polycall.interop.protocols import Instance
from polycall.wasm_runtime.component.calls import MAX_CHAIN
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import call, open_runtime, prepare

CALLS_BACK = """
  (component $Child{name}
    (import "again" (func $again (param "depth" u32) (result u32)))
    (core func $again (canon lower (func $again)))
    (core module $m (import "" "again" (func $again (param i32) (result i32)))
      (func (export "g") (param i32) (result i32) (call $again (local.get 0))))
    (core instance $i (instantiate $m (with "" (instance (export "again" (func $again))))))
    (func (export "g") (param "depth" u32) (result u32) (canon lift (core func $i "g"))))
  (instance $child{name} (instantiate $Child{name} (with "again" (func $h))))
  (core func $g{name} (canon lower (func $child{name} "g")))
"""


def wrapping(body: str, children: tuple[str, ...] = ("1", "2")) -> str:
    """Returns a component around children that call it back.

    `h` is what they call; it is exported too, and calls a child by its place: ``(call $call PLACE DEPTH)``.
    """
    lowered = "".join(CALLS_BACK.format(name=name) for name in children)
    given = "".join(f'(export "g{name}" (func $g{name}))' for name in children)
    imports = "".join(f'(import "" "g{name}" (func $g{name} (param i32) (result i32)))' for name in children)
    table = f"{len(children)} funcref"
    return f"""(component
  (core func $set (canon context.set i32 0)) (core func $get (canon context.get i32 0))
  (core module $m (type $f (func (param i32) (result i32)))
    (import "" "set" (func $set (param i32))) (import "" "get" (func $get (result i32)))
    (table (export "t") {table})
    (func $call (param $child i32) (param $depth i32) (result i32)
      (call_indirect (type $f) (local.get $depth) (local.get $child)))
    (func (export "h") (param $depth i32) (result i32) {body}))
  (core instance $i (instantiate $m
    (with "" (instance (export "set" (func $set)) (export "get" (func $get))))))
  (func $h (param "depth" u32) (result u32) (canon lift (core func $i "h")))
  {lowered}
  (core module $fix {imports} (import "i" "t" (table {table}))
    (elem (i32.const 0) func {" ".join(f"$g{name}" for name in children)}))
  (core instance (instantiate $fix (with "i" (instance $i)) (with "" (instance {given}))))
  (export "h" (func $h)))"""


@pytest.fixture(name="runtime")
def _runtime(tmp_path: Path) -> Iterator[WasmRuntime]:
    with open_runtime(tmp_path) as runtime:
        yield runtime


def open_instance(runtime: WasmRuntime, text: str, method: str = "h") -> Instance:
    return prepare(runtime, text, method).instantiate()


# Every call sets its slot to its own depth, has the child of that number call it back, and then looks what is there.
KEEPS_ITS_SLOT = """
  (call $set (i32.add (local.get $depth) (i32.const 10)))
  (if (i32.lt_u (local.get $depth) (i32.const 2))
    (then (drop (call $call (local.get $depth) (i32.add (local.get $depth) (i32.const 1))))))
  (call $get)
"""


def test_a_parent_that_is_called_back_keeps_the_slots_of_each_call(runtime: WasmRuntime) -> None:
    instance = open_instance(runtime, wrapping(KEEPS_ITS_SLOT))
    assert call(instance, 0) == 10
    assert call(instance, 2) == 12
    assert call(instance, 1) == 11


def test_a_parent_cannot_enter_a_child_that_runs(runtime: WasmRuntime) -> None:
    same = KEEPS_ITS_SLOT.replace("(call $call (local.get $depth)", "(call $call (i32.const 0)")
    instance = open_instance(runtime, wrapping(same))
    assert call(instance, 1) == 11
    with pytest.raises(TrapError, match="cannot enter component instance"):
        call(open_instance(runtime, wrapping(same)), 0)


SELF = """(component
  (core module $first (table (export "t") 1 funcref) (memory (export "m") 1)
    (type $f (func (param i32) (result i32)))
    (func (export "f") (param $depth i32) (result i32)
      (if (result i32) (local.get $depth)
        (then (i32.add (i32.const 1)
          (call_indirect (type $f) (i32.sub (local.get $depth) (i32.const 1)) (i32.const 0))))
        (else (i32.const 0)))))
  (core instance $first (instantiate $first))
  (func $f (param "depth" u32) (result u32) (canon lift (core func $first "f")))
  (core func $lowered (canon lower (func $f)))
  (core module $fix (import "" "f" (func $f (param i32) (result i32))) (import "i" "t" (table 1 funcref))
    (elem (i32.const 0) func $f))
  (core instance (instantiate $fix (with "i" (instance $first)) (with "" (instance (export "f" (func $lowered))))))
  (export "h" (func $f)))"""


def test_a_component_may_call_itself_as_often_as_a_chain_is_long(runtime: WasmRuntime) -> None:
    instance = open_instance(runtime, SELF)
    assert call(instance, 5) == 5
    assert call(instance, MAX_CHAIN - 1) == MAX_CHAIN - 1
    with pytest.raises(TrapError, match=f"more than {MAX_CHAIN} component instances call each other in a row"):
        call(instance, MAX_CHAIN)


def chain(length: int) -> str:
    """Returns a component in which each of so many children calls the one before it."""
    first = """(component $first (core module $m (func (export "f") (result i32) (i32.const 1)))
      (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))
      (instance $c0 (instantiate $first))"""
    other = """(component $other (import "f" (func $f (result u32))) (core func $f (canon lower (func $f)))
      (core module $m (import "" "f" (func $f (result i32)))
        (func (export "f") (result i32) (i32.add (i32.const 1) (call $f))))
      (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
    links = "".join(
        f'(instance $c{each} (instantiate $other (with "f" (func $c{each - 1} "f"))))' for each in range(1, length)
    )
    return f'(component {first} {other} {links} (export "h" (func $c{length - 1} "f")))'


def test_chains_of_components_have_a_limit(runtime: WasmRuntime) -> None:
    assert call(open_instance(runtime, chain(MAX_CHAIN))) == MAX_CHAIN
    instance = open_instance(runtime, chain(MAX_CHAIN + 1))
    with pytest.raises(TrapError, match=f"more than {MAX_CHAIN} component instances"):
        call(instance)
    assert instance.poisoned
