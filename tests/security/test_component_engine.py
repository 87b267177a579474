"""What a guest may attempt against the engine of components: where the stack of Python ends, or its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from attacks import Attack, attacks
from hosted import Hosted, link
from polycall.interop.errors import PolycallError, TrapError
from polycall.interop.stack import MOST_STACK_BYTES
from polycall.wasm_runtime.component.calls import MAX_CHAIN
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine
from recursion_limit import WAYS, Way

PROCESS = Path(__file__).parents[1] / "recursion_limit.py"
ERRORS = {
    "DepthError",
    "DeadlineError",
    "InternalError",
    "RecursionError",
    "ArgumentError",
}  # the last: of ctypes, likewise


@pytest.fixture(scope="module")
def outcomes() -> dict[str, tuple[dict[str, int], list[str]]]:
    """What came of the calls, for each way into the engine."""
    done = subprocess.run([sys.executable, str(PROCESS)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return {name: (found, unraisable) for name, found, unraisable in map(json.loads, done.stdout.splitlines())}


@attacks(
    *(
        Attack(
            f"{way.name}, where Python's recursion limit is near",
            "component",
            "an error, or the right value",
            "further away from it, the right value" if not way.is_endless else "further away from it, DeadlineError",
        )
        for way in WAYS
    )
)
@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
def test_no_callback_fails_unseen(outcomes: dict[str, tuple[dict[str, int], list[str]]], way: Way) -> None:
    found, unraisable = outcomes[way.name]
    good = "DeadlineError" if way.is_endless else "its value"
    assert found.keys() <= ERRORS | {good}, found
    assert good in found, "nothing worked, further away"
    assert found.keys() - {good}, "the limit was not met"
    assert unraisable == []


# Destructors --------------------------------------------------------------------------------------------------------

DESTRUCTORS = """(component
  (import "f" (func $f (result u32))) (core func $f (canon lower (func $f)))
  (component $part
    (import "f" (func $f (result u32))) (core func $f (canon lower (func $f)))
    (core module $d (import "" "f" (func $f (result i32))) (func $d (export "d") (param i32) @))
    (core instance $d (instantiate $d (with "" (instance (export "f" (func $f))))))
    (type $r' (resource (rep i32) (dtor (core func $d "d")))) (export $r "r" (type $r'))
    (core func $new (canon resource.new $r')) (core func $drop (canon resource.drop $r'))
    (core module $m (import "" "new" (func $new (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
      (func (export "make") (result i32) (call $new (i32.const 7)))
      (func (export "own") (result i32) (call $drop (call $new (i32.const 7))) (i32.const 1)))
    (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
    (func (export "make") (result (own $r)) (canon lift (core func $i "make")))
    (func (export "own") (result u32) (canon lift (core func $i "own"))))
  (instance $part (instantiate $part (with "f" (func $f))))
  (alias export $part "r" (type $r)) (core func $drop (canon resource.drop $r))
  (core func $make (canon lower (func $part "make")))
  (core module $m (import "" "make" (func $make (result i32))) (import "" "drop" (func $drop (param i32)))
    (func (export "other") (result i32) (call $drop (call $make)) (i32.const 1)))
  (core instance $i (instantiate $m (with "" (instance (export "make" (func $make)) (export "drop" (func $drop))))))
  (func (export "other") (result u32) (canon lift (core func $i "other")))
  (export "part" (instance $part)))"""
HARMLESS = "(drop (call $f))"
DESTRUCTIVE = {
    "traps": ("unreachable", "TrapError"),
    "never ends": ("(loop $again (br $again))", "DeadlineError"),
    "calls itself without end": ("(call $d (local.get 0))", "TrapError"),
    "calls out to what fails": ("(drop (call $f))", "InternalError"),
}


def run_destructor(text: str, way: str, *, fails: bool) -> object:
    """Has a resource dropped: by the part that implements it, by another part, or by the host."""

    def answer() -> int:
        if fails:
            raise ValueError("no")
        return 1

    instance = Hosted(link(WasmEngine(), text, {"f": answer}))
    try:
        if way != "the host":
            return instance.call("part#own" if way == "its own part" else "other", seconds=0.3)
        instance.drop(instance.call("part#make"), seconds=0.3)
        return 1
    finally:
        instance.close()


@attacks(*(Attack(f"a destructor that {name}", "component", DESTRUCTIVE[name][1], "1") for name in DESTRUCTIVE))
@pytest.mark.parametrize("way", ["its own part", "another part", "the host"])
@pytest.mark.parametrize("name", DESTRUCTIVE)
def test_a_destructor_may_fail_like_any_other_code(name: str, way: str) -> None:
    body, expected = DESTRUCTIVE[name]
    with pytest.raises(PolycallError) as caught:
        run_destructor(DESTRUCTORS.replace("@", body), way, fails="calls out" in name)
    assert type(caught.value).__name__ == expected
    assert run_destructor(DESTRUCTORS.replace("@", HARMLESS), way, fails=False) == 1


# Chains -------------------------------------------------------------------------------------------------------------


def chain(length: int, stack_bytes: int) -> str:
    """Returns a component of parts that call each other in a row, each from so far down on its own stack."""
    link_in = f"""(component $part (import "f" (func $f (result u32))) (core func $f (canon lower (func $f)))
      (core module $m (import "" "f" (func $f (result i32)))
        (func $down (param i32) (result i32) (if (result i32) (local.get 0)
          (then (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 0))) (else (call $f))))
        (func (export "f") (result i32) (i32.add (i32.const 1) (call $down (i32.const {stack_bytes // FRAME_BYTES})))))
      (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
    parts = "".join(f'(instance $c{n} (instantiate $part (with "f" (func $c{n - 1} "f"))))' for n in range(1, length))
    return f"""(component (import "f" (func $f (result u32))) {link_in}
      (instance $c0 (instantiate $part (with "f" (func $f)))) {parts} (export "g" (func $c{length - 1} "f")))"""


FRAME_BYTES = 32


@attacks(
    Attack(
        f"{MAX_CHAIN} parts of a component in a row that each use much of the stack",
        "component",
        "TrapError",
        f"{MAX_CHAIN} parts that use little give their value",
    ),
    Attack(f"{MAX_CHAIN + 1} parts of a component in a row", "component", "TrapError", "the same"),
)
@pytest.mark.parametrize("stack_bytes", [None, MOST_STACK_BYTES // 4], ids=["default", "more"])
def test_a_chain_of_parts_ends_at_its_limit_or_at_the_end_of_the_stack(stack_bytes: int | None) -> None:
    engine = WasmEngine() if stack_bytes is None else WasmEngine(stack_bytes)

    def run(length: int, used: int) -> object:
        instance = Hosted(link(engine, chain(length, used), {"f": lambda: 1}))
        try:
            return instance.call("g")
        finally:
            instance.close()

    assert run(MAX_CHAIN, 0) == MAX_CHAIN + 1
    with pytest.raises(TrapError, match=f"more than {MAX_CHAIN} component instances"):
        run(MAX_CHAIN + 1, 0)
    for used in (8_000, 64_000):
        with pytest.raises(TrapError, match="call stack exhausted"):
            run(MAX_CHAIN, used * engine.stack_bytes // (512 * 1024))
