"""Guests in WebAssembly that crash, loop, grow, nest or reach for what is not theirs; each with its honest twin.

Every attempt runs in this process: that the tests after it run is the proof that the process is alive.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from attacks import Attack, attacks, outcome
from polycall.interop.errors import (
    DeadlineError,
    ImportDeniedError,
    LimitError,
    MemoryLimitError,
    MissingExportError,
    PolycallError,
    PreparationError,
    TrapError,
)
from polycall.interop.limits import LimitsSpec
from polycall.interop.values import Value
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import context, open_runtime, prepare

PAGE = 65536
PAGES = 100
SECONDS = 5.0
"""Attempts that must end by themselves get this long: one that does not shows as a `DeadlineError`."""


class Case(NamedTuple):
    """Two whole guests with the export `f`: what is attempted and how it must end, and its twin with its value."""

    attempt: str
    result: type[PolycallError] | Value
    control: str
    value: Value = 1


def module(body: str, fields: str = "") -> str:
    """Returns a core module: the body of `f`, which returns an i32, and what stands beside it."""
    return f'(module {fields} (func $f (export "f") (result i32) {body}))'


def component(fields: str, signature: str = "(result u32)", options: str = "") -> str:
    """Returns a component around a core module with the export `f`."""
    return (
        f"(component (core module $m {fields}) (core instance $i (instantiate $m)) "
        f'(func (export "f") {signature} (canon lift (core func $i "f") {options})))'
    )


def resources(intrinsic: str, signature: str, body: str) -> str:
    """Returns a component that has a resource type of its own, and one intrinsic for it."""
    return (
        f"(component (type $r (resource (rep i32))) (core func $x (canon resource.{intrinsic} $r)) "
        f'(core func $new (canon resource.new $r)) (core module $m (import "r" "x" (func $x {signature})) '
        f'(import "r" "new" (func $new (param i32) (result i32))) (func (export "f") (result i32) {body})) '
        '(core instance $i (instantiate $m (with "r" (instance (export "x" (func $x)) (export "new" (func $new)))))) '
        '(func (export "f") (result u32) (canon lift (core func $i "f"))))'
    )


def importing_component(import_name: str) -> str:
    """Returns a component whose `f` calls something that it imports."""
    return (
        f'(component (import "{import_name}" (instance $e (export "get" (func (result u32))))) '
        '(core func $a (canon lower (func $e "get"))) (core module $m (import "e" "a" (func $a (result i32))) '
        '(func (export "f") (result i32) (call $a)) (func (export "g") (result i32) (i32.const 1))) '
        '(core instance $i (instantiate $m (with "e" (instance (export "a" (func $a)))))) '
        '(func (export "f") (result u32) (canon lift (core func $i "f"))))'
    )


def twice(levels: int, times: int = 2) -> str:
    """Each of these components instantiates the one before it so many times; the first has a module."""
    text = "(component $c0 (core module $m) (core instance (instantiate $m)))"
    for level in range(1, levels + 1):
        text += f"(component $c{level} {f'(instance (instantiate $c{level - 1}))' * times})"
    more = f"{text} (instance (instantiate $c{levels}))"
    return component(RETURNS_ONE).replace("(component ", f"(component {more} ", 1)


def nested(levels: int) -> str:
    inner = "(component " * levels + ")" * levels
    return component(RETURNS_ONE).replace("(component ", f"(component {inner} ", 1)


def instances(count: int, memory: str = "") -> str:
    more = "(core instance (instantiate $m)) " * count
    return component(f"{memory} {RETURNS_ONE}").replace("(core instance $i", f"{more} (core instance $i", 1)


def types(count: int, form: str) -> str:
    chain = " ".join(f"(type $t{index} {form.replace('T', f'$t{index - 1}')})" for index in range(1, count))
    return component(RETURNS_ONE).replace("(component ", f"(component (type $t0 u32) {chain} ", 1)


RETURNS_ONE = '(func (export "f") (result i32) (i32.const 1))'
ONE = module("(i32.const 1)")
ENDLESS = "(loop $again (br $again)) (i32.const 1)"
ENDS = "(block $out (br $out)) (i32.const 1)"
INDIRECT = """(table $t funcref (elem $one $wide)) (func $one (result i32) (i32.const 1))
  (func $wide (param i64) (result i32) (i32.const 1))"""

CORE_MODULES = {
    "unreachable code": Case(module("unreachable"), TrapError, ONE),
    "an endless loop": Case(module(ENDLESS), DeadlineError, module(ENDS)),
    "an endless tail call": Case(
        module("return_call $f"), DeadlineError, module("return_call $g", "(func $g (result i32) (i32.const 1))")
    ),
    "a start function that traps": Case(
        module("(i32.const 1)", "(func $s unreachable) (start $s)"),
        TrapError,
        module("(i32.const 1)", "(func $s) (start $s)"),
    ),
    "a start function that never ends": Case(
        module("(i32.const 1)", f"(func $s {ENDLESS} drop) (start $s)"),
        DeadlineError,
        module("(i32.const 1)", f"(func $s {ENDS} drop) (start $s)"),
    ),
    "endless recursion": Case(module("call $f"), TrapError, module("call $g", "(func $g (result i32) (i32.const 1))")),
    "endless recursion through a table": Case(
        module("(call_indirect $t (result i32) (i32.const 0))", "(table $t funcref (elem $f))"),
        TrapError,
        module("(call_indirect $t (result i32) (i32.const 0))", INDIRECT),
    ),
    "a call through a table with another signature": Case(
        module("(call_indirect $t (result i32) (i32.const 1))", INDIRECT),
        TrapError,
        module("(call_indirect $t (result i32) (i32.const 0))", INDIRECT),
    ),
    "a call beyond the table": Case(
        module("(call_indirect $t (result i32) (i32.const 2))", INDIRECT),
        TrapError,
        module("(call_indirect $t (param i64) (result i32) (i64.const 0) (i32.const 1))", INDIRECT),
    ),
    "a call of null": Case(
        module("(call_ref $x (ref.null $x))", "(type $x (func (result i32)))"),
        TrapError,
        module(
            "(call_ref $x (ref.func $g))",
            "(type $x (func (result i32))) (func $g (type $x) (i32.const 1)) (elem declare func $g)",
        ),
    ),
    "a read beyond the memory": Case(
        module("(i32.load (i32.const 0xfffffffc))", "(memory 1)"),
        TrapError,
        module("(i32.load (i32.const 65532))", "(memory 1)"),
        0,
    ),
    "a read whose address overflows": Case(
        module("(i32.load offset=0xffffffff (i32.const 0xffffffff))", "(memory 1)"),
        TrapError,
        module("(i32.load offset=65528 (i32.const 4))", "(memory 1)"),
        0,
    ),
    "a write across the end of the memory": Case(
        module("(i32.store (i32.const 65533) (i32.const 1)) (i32.const 1)", "(memory 1)"),
        TrapError,
        module("(i32.store (i32.const 65532) (i32.const 1)) (i32.const 1)", "(memory 1)"),
    ),
    "filling more than the memory": Case(
        module("(memory.fill (i32.const 0) (i32.const 1) (i32.const -1)) (i32.const 1)", "(memory 1)"),
        TrapError,
        module("(memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (i32.const 1)", "(memory 1)"),
    ),
    "an overlapping copy beyond the end": Case(
        module("(memory.copy (i32.const 65000) (i32.const 0) (i32.const 60000)) (i32.const 1)", "(memory 1)"),
        TrapError,
        module("(memory.copy (i32.const 5000) (i32.const 0) (i32.const 60000)) (i32.const 1)", "(memory 1)"),
    ),
    "data outside of the memory": Case(
        module("(i32.const 1)", '(memory 1) (data (i32.const 65535) "abc")'),
        TrapError,
        module("(i32.const 1)", '(memory 1) (data (i32.const 65533) "abc")'),
    ),
    "more data than the memory holds": Case(
        module("(i32.const 1)", f'(memory 1) (data (i32.const 0) "{"x" * 70_000}")'),
        TrapError,
        module("(i32.const 1)", f'(memory 2) (data (i32.const 0) "{"x" * 70_000}")'),
    ),
    "elements outside of the table": Case(
        module("(i32.const 1)", "(table 1 funcref) (elem (i32.const 1) func $f)"),
        TrapError,
        module("(i32.const 1)", "(table 1 funcref) (elem (i32.const 0) func $f)"),
    ),
    "data that was dropped": Case(
        module(
            "(data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3)) (i32.const 1)",
            '(memory 1) (data $d "abc")',
        ),
        TrapError,
        module(
            "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 3)) (i32.const 1)", '(memory 1) (data $d "abc")'
        ),
    ),
    "division by zero": Case(
        module("(i32.div_u (i32.const 1) (i32.const 0))"), TrapError, module("(i32.div_u (i32.const 1) (i32.const 1))")
    ),
    "NaN as an integer": Case(
        module("(i32.trunc_f64_u (f64.const nan))"), TrapError, module("(i32.trunc_f64_u (f64.const 1.9))")
    ),
    "an exception that nobody catches": Case(
        module("(throw $e)", "(tag $e)"),
        TrapError,
        module("(block $out (try_table (catch $e $out) (throw $e))) (i32.const 1)", "(tag $e)"),
    ),
    "a memory of 4 GiB": Case(
        module("(i32.const 1)", "(memory 65536)"), MemoryLimitError, module("(i32.const 1)", "(memory 99)")
    ),
    "a 64-bit memory of 16 EiB": Case(
        module("(i32.const 1)", "(memory i64 0x1000000000000)"),
        MemoryLimitError,
        module("(i32.const 1)", "(memory i64 1)"),
    ),
    "many memories": Case(
        module("(i32.const 1)", "(memory 3) " * 60), MemoryLimitError, module("(i32.const 1)", "(memory 3) " * 3)
    ),
    "growing the memory without end": Case(
        module(
            "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (memory.size)", "(memory 1)"
        ),
        PAGES,
        module("(drop (memory.grow (i32.const 1))) (memory.size)", "(memory 1)"),
        2,
    ),
    "a table of 100 million": Case(
        module("(i32.const 1)", "(table 100000000 funcref)"),
        MemoryLimitError,
        module("(i32.const 1)", "(table 1000 funcref)"),
    ),
    "growing a table without end": Case(
        module("(table.grow $t (ref.null func) (i32.const 100000000))", "(table $t 1 funcref)"),
        2**32 - 1,
        module("(table.grow $t (ref.null func) (i32.const 1000))", "(table $t 1 funcref)"),
    ),
    "many tables": Case(
        module("(i32.const 1)", "(table 1 funcref)" * 101),
        PreparationError,
        module("(i32.const 1)", "(table 1 funcref)" * 3),
    ),
    "a huge array in the garbage collector's heap": Case(
        module("(array.len (array.new_default $a (i32.const 0x20000000)))", "(type $a (array (mut i64)))"),
        MemoryLimitError,
        module("(array.len (array.new_default $a (i32.const 1)))", "(type $a (array (mut i64)))"),
    ),
    "a list in the garbage collector's heap without end": Case(
        module(
            "(local $x (ref null $s)) (loop $l (local.set $x (struct.new $s (local.get $x))) (br $l)) (i32.const 1)",
            "(rec (type $s (struct (field (ref null $s)))))",
        ),
        MemoryLimitError,
        module(
            "(local $x (ref null $s)) (local.set $x (struct.new $s (local.get $x))) (i32.const 1)",
            "(rec (type $s (struct (field (ref null $s)))))",
        ),
    ),
    "a br_table of 100,000": Case(
        module(f"(block $b (br_table {'$b ' * 100_000} $b (i32.const 7))) (i32.const 1)"),
        PreparationError,
        module(f"(block $b (br_table {'$b ' * 1000} $b (i32.const 7))) (i32.const 1)"),
    ),
    "60,000 locals": Case(
        module(f"(local {'i64 ' * 60_000}) (i32.const 1)"),
        PreparationError,
        module(f"(local {'i64 ' * 100}) (i32.const 1)"),
    ),
    "1,001 parameters": Case(
        module("(i32.const 1)", f"(func (param {'i32 ' * 1001}))"),
        PreparationError,
        module("(i32.const 1)", f"(func (param {'i32 ' * 99}))"),
    ),
    "20,000 nested blocks": Case(module("(block " * 20_000 + ")" * 20_000 + "(i32.const 1)"), 1, module(ENDS)),
    "20,000 exports": Case(
        module("(i32.const 1)", " ".join(f'(export "e{index}" (func $f))' for index in range(20_000))),
        1,
        module("(i32.const 1)", '(export "e" (func $f))'),
    ),
    "20,000 functions": Case(module("(i32.const 1)", "(func)" * 20_000), 1, module("(i32.const 1)", "(func)")),
    "5,000 imports that nobody grants": Case(
        module(
            "(call $i) (i32.const 1)",
            " ".join(f'(import "m{index}" "x" (func {"$i" if index == 0 else ""}))' for index in range(5000)),
        ),
        ImportDeniedError,
        module("(i32.const 1)", '(import "m" "x" (func))'),
    ),
    "calling an import that nobody grants": Case(
        module("(call $i) (i32.const 1)", '(import "env" "secret" (func $i))'),
        ImportDeniedError,
        module("(i32.const 1)", '(import "env" "secret" (func $i))'),
    ),
    "ending the process by WASI": Case(
        module(
            "(call $i (i32.const 1)) (i32.const 1)",
            '(import "wasi_snapshot_preview1" "proc_exit" (func $i (param i32)))',
        ),
        ImportDeniedError,
        ONE,
    ),
    "a memory of the host's": Case(
        module("(i32.const 1)", '(import "env" "memory" (memory 1))'),
        PreparationError,
        module("(i32.const 1)", "(memory 1)"),
    ),
    "a table of the host's": Case(
        module("(i32.const 1)", '(import "env" "t" (table 1 funcref))'),
        PreparationError,
        module("(i32.const 1)", "(table 1 funcref)"),
    ),
    "a memory shared between threads": Case(
        module("(i32.const 1)", "(memory 1 1 shared)"), PreparationError, module("(i32.const 1)", "(memory 1 1)")
    ),
    "waiting by an atomic": Case(
        module("(memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))", "(memory 1)"),
        PreparationError,
        module("(i32.load (i32.const 0))", "(memory 1)"),
        0,
    ),
    "a memory exported as the function": Case('(module (memory (export "f") 1))', MissingExportError, ONE),
    "an export of another type than declared": Case(
        '(module (func (export "f") (result i64) (i64.const 1)))', PreparationError, ONE
    ),
}

COMPONENTS = {
    "unreachable code": Case(
        component('(func (export "f") (result i32) unreachable)'), TrapError, component(RETURNS_ONE)
    ),
    "an endless loop": Case(
        component(f'(func (export "f") (result i32) {ENDLESS})'), DeadlineError, component(RETURNS_ONE)
    ),
    "a start function that never ends": Case(
        component(f"{RETURNS_ONE} (func $s {ENDLESS} drop) (start $s)"),
        DeadlineError,
        component(f"{RETURNS_ONE} (func $s {ENDS} drop) (start $s)"),
    ),
    "a clean-up that traps": Case(
        component(
            f'{RETURNS_ONE} (func (export "p") (param i32) unreachable)', options='(post-return (core func $i "p"))'
        ),
        TrapError,
        component(f'{RETURNS_ONE} (func (export "p") (param i32))', options='(post-return (core func $i "p"))'),
    ),
    "a clean-up that never ends": Case(
        component(
            f'{RETURNS_ONE} (func (export "p") (param i32) {ENDLESS} drop)', options='(post-return (core func $i "p"))'
        ),
        DeadlineError,
        component(
            f'{RETURNS_ONE} (func (export "p") (param i32) {ENDS} drop)', options='(post-return (core func $i "p"))'
        ),
    ),
    "text in UTF-16 with half of a surrogate pair": Case(
        component(
            '(memory (export "m") 1) (data (i32.const 64) "\\00\\d8") (func (export "f") (result i32) '
            "(i32.store (i32.const 8) (i32.const 64)) (i32.store (i32.const 12) (i32.const 1)) (i32.const 8))",
            "(result string)",
            'string-encoding=utf16 (memory (core memory $i "m"))',
        ),
        TrapError,
        component(
            '(memory (export "m") 1) (data (i32.const 64) "\\ac\\20") (func (export "f") (result i32) '
            "(i32.store (i32.const 8) (i32.const 64)) (i32.store (i32.const 12) (i32.const 1)) (i32.const 8))",
            "(result string)",
            'string-encoding=utf16 (memory (core memory $i "m"))',
        ),
        "€",
    ),
    "a case of a result that does not exist": Case(
        component('(func (export "f") (result i32) (i32.const 7))', "(result (result))"),
        TrapError,
        component(RETURNS_ONE, "(result (result))"),
        {"err": True},
    ),
    "a char beyond Unicode": Case(
        component('(func (export "f") (result i32) (i32.const 0x110000))', "(result char)"),
        TrapError,
        component('(func (export "f") (result i32) (i32.const 0x10ffff))', "(result char)"),
        "\U0010ffff",
    ),
    "a forged handle": Case(
        resources("drop", "(param i32)", "(call $x (i32.const 77)) (i32.const 1)"),
        TrapError,
        resources("drop", "(param i32)", "(call $x (call $new (i32.const 77))) (i32.const 1)"),
    ),
    "a handle dropped twice": Case(
        resources(
            "drop",
            "(param i32)",
            "(local $h i32) (local.set $h (call $new (i32.const 7))) "
            "(call $x (local.get $h)) (call $x (local.get $h)) (i32.const 1)",
        ),
        TrapError,
        resources(
            "drop",
            "(param i32)",
            "(call $x (call $new (i32.const 7))) (call $x (call $new (i32.const 7))) (i32.const 1)",
        ),
    ),
    "handles without end": Case(
        resources(
            "rep", "(param i32) (result i32)", "(loop $l (drop (call $new (i32.const 7))) (br $l)) (i32.const 1)"
        ),
        LimitError,
        resources("rep", "(param i32) (result i32)", "(call $x (call $new (i32.const 7)))"),
        7,
    ),
    "2,000 nested components": Case(nested(2000), PreparationError, nested(20)),
    "2,000 nested types": Case(types(2000, "(list T)"), PreparationError, types(20, "(list T)")),
    "a type that doubles 40 times": Case(types(40, "(tuple T T)"), PreparationError, types(5, "(tuple T T)")),
    "1,100 instances": Case(instances(1100), PreparationError, instances(100)),
    "components that instantiate each other twice, 24 levels": Case(twice(24), PreparationError, twice(3)),
    "a chain of 100 components that instantiate each other": Case(twice(100, 1), PreparationError, twice(50, 1)),
    "100 instances with memory": Case(instances(100, "(memory 15)"), MemoryLimitError, instances(3, "(memory 15)")),
    "an import of the command line's environment": Case(
        importing_component("wasi:cli/environment@0.2.0"), ImportDeniedError, component(RETURNS_ONE)
    ),
    "an import of an interface nobody has": Case(
        importing_component("evil:host/all@1.0.0"), ImportDeniedError, component(RETURNS_ONE)
    ),
}


def rows(language: str, cases: dict[str, Case]) -> Iterator[Attack]:
    for attempt, case in cases.items():
        yield Attack(attempt, language, outcome(case.result), f"the same within bounds {outcome(case.value)}")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


def run(runtime: WasmRuntime, text: str, seconds: float) -> Value:
    limits = LimitsSpec(max_execution_ms=int(seconds * 1000), max_memory_bytes=PAGES * PAGE)
    wit = None if text.startswith("(component") else "f: func() -> u32"
    with closing(prepare(runtime, text, "f", wit, limits=limits).instantiate()) as instance:
        return instance.call([], context(deadline=time.monotonic() + seconds))


def check(runtime: WasmRuntime, case: Case) -> None:
    if isinstance(case.result, type):
        with pytest.raises(case.result) as caught:
            run(runtime, case.attempt, 0.02 if case.result is DeadlineError else SECONDS)
        assert type(caught.value) is case.result
    else:
        assert run(runtime, case.attempt, SECONDS) == case.result
    assert run(runtime, case.control, SECONDS) == case.value


@attacks(*rows("core module", CORE_MODULES))
@pytest.mark.parametrize("name", CORE_MODULES)
def test_a_hostile_core_module_is_stopped_and_its_twin_works(runtime: WasmRuntime, name: str) -> None:
    check(runtime, CORE_MODULES[name])


@attacks(*rows("component", COMPONENTS))
@pytest.mark.parametrize("name", COMPONENTS)
def test_a_hostile_component_is_stopped_and_its_twin_works(runtime: WasmRuntime, name: str) -> None:
    check(runtime, COMPONENTS[name])
