"""A process of its own in which each check that keeps the process alive is violated once: a wrong one would end it.

For each case a guest (or a caller) that breaks a rule, and its honest twin. Argument: a cache folder. Writes for each
case a line of JSON: its name, what became of the violation and what the twin gave.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from crossings import open_guest, signature  # noqa: E402 - after the path to it is set
from hosted import Hosted, link  # noqa: E402 - likewise
from polycall.interop.limits import LimitsSpec  # noqa: E402
from polycall.wasm_runtime.canonical.codec import codec  # noqa: E402
from polycall.wasm_runtime.canonical.memory import GuestMemory  # noqa: E402
from polycall.wasm_runtime.engine.wasm_engine import WasmEngine  # noqa: E402
from polycall.wasm_runtime.runtime import WasmRuntime  # noqa: E402
from polycall.wasm_runtime.wit.wit_types import Primitive, RecordType  # noqa: E402
from wasm_guests import FUNCS_CALLER, FakeInvoker, call, open_runtime, prepare  # noqa: E402

__all__ = ["CASES", "Case"]

SECONDS = 5
"""A guest that must end by itself gets so long: one that does not shows as a `DeadlineError`."""


class Case(NamedTuple):
    """A violation.

    Attributes:
        name: What is attempted.
        expected: The class of the error.
        attempt: Makes it: with the runtime.
        control: Makes it right.
        value: What that gives.
    """

    name: str
    expected: str
    attempt: Callable[[WasmRuntime], object]
    control: Callable[[WasmRuntime], object]
    value: object


def guest(text: str, *arguments: Any, limits: LimitsSpec | None = None) -> Callable[[WasmRuntime], object]:
    """Returns what prepares a component, instantiates it and calls its `f`."""

    def run(runtime: WasmRuntime) -> object:
        own = limits or LimitsSpec(max_execution_ms=1000 * SECONDS)
        instance = prepare(runtime, text, "f", limits=own).instantiate()
        try:
            return call(instance, *arguments)
        finally:
            instance.close()

    return run


def pair(name: str, expected: str, text: str, *places: str, value: object, arguments: Sequence[Any] = ()) -> Case:
    """Returns a case: ``@`` in the text is what is wrong or right, the two places."""
    wrong, right = places
    return Case(
        name, expected, guest(text.replace("@", wrong), *arguments), guest(text.replace("@", right), *arguments), value
    )


# 1-4: what the engine is given --------------------------------------------------------------------------------------

MEMORY = '(memory (export "memory") 1)'
REALLOC = '(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))'
LIFTED = """(component (core module $m @)
  (core instance $i (instantiate $m))
  (core instance $again (export "f" (func $i "f")))
  (func (export "f") (result u32) (canon lift (core func $again "f"))))"""
OPTIONS = f"""(component (core module $m {MEMORY} @
    (func (export "f") (param i32 i32) (result i32) (local.get 1)))
  (core instance $i (instantiate $m))
  (func (export "f") (param "v" string) (result u32) (canon lift (core func $i "f")
    (memory (core memory $i "memory")) (realloc (core func $i "realloc")) (post-return (core func $i "post")))))"""
DESTRUCTOR = """(component (core module $d (func (export "d") @)) (core instance $d (instantiate $d))
  (type $r (resource (rep i32) (dtor (core func $d "d"))))
  (core func $new (canon resource.new $r)) (core func $drop (canon resource.drop $r))
  (core module $m (import "" "new" (func $new (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
    (func (export "f") (result i32) (call $drop (call $new (i32.const 7))) (i32.const 1)))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
IMPORTED = """(component
  (component $c (core module $m (func (export "g") (param i32) (result i32) (local.get 0)))
    (core instance $i (instantiate $m))
    (func (export "g") (param "v" u32) (result u32) (canon lift (core func $i "g"))))
  (instance $c (instantiate $c)) (core func $g (canon lower (func $c "g")))
  (core module $m @) (core instance $i (instantiate $m (with "" (instance (export "g" (func $g))))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
NO_FUNCTION = f"""(component
  (core module $g {MEMORY} (func (export "g") (param i32) (result i32) (local.get 0)))
  (core instance $g (instantiate $g))
  (core module $m (import "" "g" (func $g (param i32) (result i32)))
    (func (export "f") (result i32) (call $g (i32.const 7))))
  (core instance $i (instantiate $m (with "" (instance @))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
WHICH_MEMORY = """(component (core module $m @ (func (export "f") (result i32) (i32.const 8)))
  (core instance $i (instantiate $m))
  (func (export "f") (result (tuple u32 u32)) (canon lift (core func $i "f") (memory (core memory $i "memory")))))"""

RETURNS = '(func (export "f") (result i32) (i32.const 7))'
CALLS = '(func (export "f") (result i32) (call $g (i32.const 7)))'
POST = '(func (export "post") (param i32))'


def engine_cases() -> Iterator[Case]:
    """Yields violations of what the engine, called without its own checks, relies on."""
    name = "a component function lifted from a core function of another type, through an inline instance"
    yield pair(name, "PreparationError", LIFTED, RETURNS.replace("(result", "(param i64) (result"), RETURNS, value=7)
    yield pair(
        "a component function lifted from a core function with another result",
        "PreparationError",
        LIFTED,
        '(func (export "f") (result i64) (i64.const 7))',
        RETURNS,
        value=7,
    )
    good = f"{REALLOC} {POST}"
    name = "an allocator of another type"
    yield pair(
        name,
        "PreparationError",
        OPTIONS,
        good.replace("i32 i32 i32 i32", "i64 i32 i32 i32"),
        good,
        value=3,
        arguments=["abc"],
    )
    name = "a post-return of another type"
    yield pair(
        name,
        "PreparationError",
        OPTIONS,
        good.replace("(param i32))", "(param f64))"),
        good,
        value=3,
        arguments=["abc"],
    )
    yield pair("a destructor of another type", "PreparationError", DESTRUCTOR, "(param i64)", "(param i32)", value=1)
    wanted = f'(import "" "g" (func $g (param i32) (result i32))) {CALLS}'
    name = "a core module that imports a function of the host with another type"
    yield pair(name, "PreparationError", IMPORTED, wanted.replace("(param i32)", "(param i32 i32)", 1), wanted, value=7)
    right = '(export "g" (func $g "g"))'
    yield pair("a core module without what it imports", "PreparationError", NO_FUNCTION, "", right, value=7)
    name = "a core module that is given a memory for a function"
    yield pair(name, "PreparationError", NO_FUNCTION, '(export "g" (memory $g "memory"))', right, value=7)
    for name, memory in (
        ("a memory of 64-bit addresses", '(memory (export "memory") i64 1)'),
        ("a memory shared between threads", '(memory (export "memory") 1 1 shared)'),
        ("a memory whose pages are bytes", '(memory (export "memory") 1 (pagesize 1))'),
    ):
        yield pair(f"{name} in a canonical definition", "PreparationError", WHICH_MEMORY, memory, MEMORY, value=[0, 0])


# 5: pointers, lengths, alignment, and what allocators answer ---------------------------------------------------------

RESULT = f"""(component (core module $m {MEMORY} (func (export "f") (result i32)
    (i32.store (i32.const 8) @) (i32.const 8)))
  (core instance $i (instantiate $m))
  (func (export "f") (result (list u32)) (canon lift (core func $i "f") (memory (core memory $i "memory")))))"""
SPILLED = f"""(component
  (type $many (func {" ".join(f'(param "p{each}" u32)' for each in range(17))} (result (tuple u32 u32))))
  (component $c (core module $m {MEMORY} {REALLOC} (func (export "g") (param i32) (result i32) (local.get 0)))
    (core instance $i (instantiate $m))
    (func (export "g") {" ".join(f'(param "p{each}" u32)' for each in range(17))} (result (tuple u32 u32))
      (canon lift (core func $i "g") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
  (instance $c (instantiate $c))
  (core module $memory {MEMORY}) (core instance $memory (instantiate $memory))
  (core func $g (canon lower (func $c "g") (memory (core memory $memory "memory"))))
  (core module $m (import "" "g" (func $g (param i32 i32))) (func (export "f") (result i32) (call $g @) (i32.const 7)))
  (core instance $i (instantiate $m (with "" (instance (export "g" (func $g))))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
ALLOCATOR = """(component (core module $m (memory (export "memory") 1) (global $next (mut i32) (i32.const 64))
    (func $realloc (export "realloc") (param $old i32) (param $from i32) (param $boundary i32) (param $size i32)
      (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $boundary) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $boundary))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      @)
    (func (export "f") (param i32 i32) (result i32) (local.get 1)))
  (core instance $i (instantiate $m))
  (func (export "f") (param "v" TYPE) (result u32) (canon lift (core func $i "f")
    (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"""
HONEST = "(local.get $at)"
SECOND = "(if (result i32) (i32.gt_u (global.get $next) (i32.const 100)) (then BAD) (else (local.get $at)))"
"""Lies once a hundred bytes are gone: then some other pieces lie well."""

ANSWERS = {
    "far outside": ("(i32.const -8)", "TrapError"),
    "at the very end": ("(i32.const 65536)", "TrapError"),
    "across the end": ("(i32.const 65532)", "TrapError"),
    "unaligned": ("(i32.add (local.get $at) (i32.const 1))", "TrapError"),
    "null": ("(i32.const 0)", "TrapError"),
    "by a trap": ("unreachable", "TrapError"),
    "by recursion without end": (
        "(call $realloc (i32.const 0) (i32.const 0) (local.get $boundary) (i32.const 0))",
        "TrapError",
    ),
    "never": ("(loop $again (br $again)) unreachable", "DeadlineError"),
}
LIVES = {
    "the same address for everything": "(i32.const 64)",
    "addresses that overlap": "(i32.and (local.get $at) (i32.const 0xffc0))",
    "addresses in a memory that it grows each time": "(i32.mul (memory.grow (i32.const 1)) (i32.const 65536))",
}
VALUES: dict[str, tuple[str, Any]] = {
    "one": ("(list u32)", [7] * 30),
    "many": ("(list (list u32))", [[each] * 3 for each in range(40)]),
}


def memory_cases() -> Iterator[Case]:
    """Yields pointers that lie, and allocators that do."""
    right = "(i32.const 64)) (i32.store (i32.const 12) (i32.const 1)"
    for name, wrong in (
        ("outside of the memory", right.replace("64", "65536")),
        ("across its end", right.replace("1)", "16369)")),
        ("whose length in bytes has 33 bits", right.replace("1)", "0x40000001)")),
        ("that is negative", right.replace("64", "-4")),
        ("that is not aligned", right.replace("64", "66")),
        ("of nothing, outside of the memory", right.replace("64", "65540").replace("1)", "0)")),
    ):
        yield pair(f"a list {name}", "TrapError", RESULT, wrong, right, value=[0])
    right = "(i32.const 1024) (i32.const 8)"
    for name, wrong in (
        ("parameters outside of the memory", right.replace("1024", "65500")),
        ("parameters that are not aligned", right.replace("1024", "1026")),
        ("a place for the result outside of the memory", right.replace("8", "65532")),
        ("a place for the result that is not aligned", right.replace("8", "9")),
    ):
        yield pair(f"{name}, in a call from component to component", "TrapError", SPILLED, wrong, right, value=7)
    for many, (wit_type, value) in VALUES.items():
        text = ALLOCATOR.replace("TYPE", wit_type)
        for name, (bad, expected) in ANSWERS.items():
            answer = f"an allocator that answers {name}, asked for {many}"
            limits = LimitsSpec(max_execution_ms=300 if expected == "DeadlineError" else 1000 * SECONDS)
            control = guest(text.replace("@", HONEST), value)
            yield Case(answer, expected, guest(text.replace("@", bad), value, limits=limits), control, len(value))
            late = guest(text.replace("@", SECOND.replace("BAD", bad)), value, limits=limits)
            yield Case(f"{answer}, but not at first", expected, late, control, len(value))
    empty = ALLOCATOR.replace("TYPE", "(list u32)")
    name = "an allocator that answers outside of the memory, asked for nothing"
    yield pair(name, "TrapError", empty, "(i32.const 65540)", HONEST, value=0, arguments=[[]])


# 6-7: views and budgets ---------------------------------------------------------------------------------------------

ECHO = ALLOCATOR.replace("TYPE", "string").replace("@", HONEST)


def closed_view(_runtime: WasmRuntime) -> object:
    """Reads from a memory whose store is gone."""
    memory, view = _memory_of(instance := Hosted(link(WasmEngine(), ECHO)))
    instance.close()
    assert memory.size == 0
    return view[0]


def open_view(_runtime: WasmRuntime) -> object:
    """Reads from a memory whose store is there."""
    instance = Hosted(link(WasmEngine(), ECHO))
    _, view = _memory_of(instance)
    value = view[0]
    instance.close()
    return value


def _memory_of(instance: Hosted) -> tuple[GuestMemory, memoryview]:
    instance.call("f", "abc")
    (memory,) = (each for each in instance.guest._memories.values() if each.size)
    return memory, memory.view


def call_after_close(runtime: WasmRuntime) -> object:
    """Calls an instance whose store is gone."""
    instance = prepare(runtime, ECHO, "f").instantiate()
    instance.close()
    return call(instance, "abc")


OVERLAPPING = """(component (core module $m (memory (export "memory") 4)
    (func (export "f") (result i32) (local $at i32)
      (loop $more
        (i32.store (i32.add (i32.const 64) (local.get $at)) (i32.const 65536))
        (i32.store (i32.add (i32.const 68) (local.get $at)) (i32.const 65536))
        (br_if $more (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 60000))))
      (i32.store (i32.const 8) (i32.const 64)) (i32.store (i32.const 12) (i32.const @)) (i32.const 8)))
  (core instance $i (instantiate $m))
  (func (export "f") (result (list (list u8))) (canon lift (core func $i "f") (memory (core memory $i "memory")))))"""


def wide(levels: int) -> str:
    """Returns a component whose `f` takes a tuple of tuples of ...: four times as much with each level."""
    types = "".join(f"(type $t{each + 1} (tuple {f'$t{each} ' * 4}))" for each in range(levels))
    return f"""(component (type $t0 u8) {types} (core module $m {MEMORY} {REALLOC}
        (func (export "f") (param i32) (result i32) (i32.const 7)))
      (core instance $i (instantiate $m))
      (func (export "f") (param "v" $t{levels}) (result u32) (canon lift (core func $i "f")
        (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"""


def flags(count: int) -> str:
    """Returns a component whose `f` gives flags, all of which are set."""
    names = " ".join(f'"f{each}"' for each in range(count))
    results = "i32" if count <= 32 else "i32 i32"
    return f"""(component (type $f (flags {names})) (export $g "g" (type $f))
      (core module $m (func (export "f") (result {results}) {"(i32.const -1) " * len(results.split())}))
      (core instance $i (instantiate $m)) (func (export "f") (result $g) (canon lift (core func $i "f"))))"""


def budget_cases() -> Iterator[Case]:
    """Yields what would make the host keep or build too much, and what is left of a store that is gone."""
    yield Case("reading a memory whose store is gone", "ValueError", closed_view, open_view, 0)
    yield Case("calling an instance that is closed", "InternalError", call_after_close, guest(ECHO, "abc"), 3)
    two = [bytes(65536)] * 2
    name = "thousands of lists that overlap"
    yield Case(name, "LimitError", guest(OVERLAPPING.replace("@", "7000")), guest(OVERLAPPING.replace("@", "2")), two)
    value: Any = 1
    for _ in range(3):
        value = [value] * 4
    yield Case("a type of four million parts", "PreparationError", guest(wide(11), 1), guest(wide(3), value), 7)
    names = [f"f{each}" for each in range(32)]
    yield Case("33 flags", "PreparationError", guest(flags(33)), guest(flags(32)), names)


# 8: handles ---------------------------------------------------------------------------------------------------------

HANDLES = """(component
  (type $r (resource (rep i32))) (type $s (resource (rep i32)))
  (core func $new (canon resource.new $r)) (core func $drop (canon resource.drop $r))
  (core func $rep (canon resource.rep $r)) (core func $other (canon resource.new $s))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
    (import "" "rep" (func $rep (param i32) (result i32))) (import "" "other" (func $other (param i32) (result i32)))
    (func (export "f") (result i32) (local $h i32) (local.set $h (call $new (i32.const 7))) @ (i32.const 1)))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))
    (export "rep" (func $rep)) (export "other" (func $other))))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
GIVES = """(component
  (type $r' (resource (rep i32))) (export $r "r" (type $r'))
  (core func $new (canon resource.new $r'))
  (core module $m (import "" "new" (func $new (param i32) (result i32)))
    (func (export "make") (result i32) (call $new (i32.const 7)))
    (func (export "f") (result i32) (call $new (i32.const 7)) @)
    (func (export "take") (param i32) (result i32) (i32.const 1))
    (func (export "look") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func (export "make") (result (own $r)) (canon lift (core func $i "make")))
  (func (export "f") (result (own $r)) (canon lift (core func $i "f")))
  (func (export "take") (param "r" (own $r)) (result u32) (canon lift (core func $i "take")))
  (func (export "look") (param "r" (borrow $r)) (result u32) (canon lift (core func $i "look"))))"""
LENT = """(component
  (component $c (type $r' (resource (rep i32))) (export $r "r" (type $r')) (core func $new (canon resource.new $r'))
    (core module $m (import "" "new" (func $new (param i32) (result i32)))
      (func (export "make") (result i32) (call $new (i32.const 7)))
      (func (export "look") (param i32 i32) (result i32) (i32.add (local.get 0) (i32.const 0))))
    (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
    (func (export "make") (result (own $r)) (canon lift (core func $i "make")))
    (func (export "both") (param "a" (own $r)) (param "b" (borrow $r)) (result u32) (canon lift (core func $i "look")))
    (func (export "lent") (param "a" (borrow $r)) (param "b" (own $r)) (result u32) (canon lift (core func $i "look")))
    (func (export "look") (param "a" (borrow $r)) (param "b" (borrow $r)) (result u32)
      (canon lift (core func $i "look"))))
  (instance $c (instantiate $c)) (alias export $c "r" (type $r))
  (core func $make (canon lower (func $c "make"))) (core func $look (canon lower (func $c "look")))
  (core func $both (canon lower (func $c "both"))) (core func $lent (canon lower (func $c "lent")))
  (core func $drop (canon resource.drop $r))
  (core module $m
    (import "" "make" (func $make (result i32))) (import "" "look" (func $look (param i32 i32) (result i32)))
    (import "" "both" (func $both (param i32 i32) (result i32))) (import "" "drop" (func $drop (param i32)))
    (import "" "lent" (func $lent (param i32 i32) (result i32)))
    (func (export "f") (result i32) (local $h i32) (local.set $h (call $make)) @))
  (core instance $i (instantiate $m (with "" (instance (export "make" (func $make)) (export "look" (func $look))
    (export "both" (func $both)) (export "lent" (func $lent)) (export "drop" (func $drop))))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""


GIVEN = "(call $both (local.get $h) (call $make))"


def of_two(second: bool, use: Callable[[Hosted, Any], object]) -> Callable[[WasmRuntime], object]:
    """Returns what makes a resource in one instance and uses it in that one, or in another one of the same linking."""

    def run(_runtime: WasmRuntime) -> object:
        linked = link(WasmEngine(), GIVES.replace("@", ""))
        one, two = Hosted(linked), Hosted(linked)
        try:
            resource = one.call("make")
            two.call("make")
            return use(two if second else one, resource)
        finally:
            one.close()
            two.close()

    return run


def take(instance: Hosted, resource: Any) -> object:
    """Gives a resource away."""
    return instance.call("take", resource)


def look(instance: Hosted, resource: Any) -> object:
    """Lends a resource."""
    return instance.call("look", resource)


def twice(instance: Hosted, resource: Any) -> object:
    """Gives the same resource away two times."""
    take(instance, resource)
    return take(instance, resource)


def handle_cases() -> Iterator[Case]:
    """Yields numbers that are no handles of the guest's, and handles that are no longer the caller's."""
    right = "(drop (call $rep (local.get $h))) (call $drop (local.get $h))"
    for name, wrong in (
        ("handle 0", "(call $drop (i32.const 0))"),
        ("a handle that nobody has given", "(call $drop (i32.const 99))"),
        ("a handle of 32 bits", "(call $drop (i32.const -1))"),
        ("a handle after it was dropped", f"{right} (call $drop (local.get $h))"),
        ("the representation of a dropped handle", f"{right} (drop (call $rep (local.get $h)))"),
        ("a handle of another resource type", "(call $drop (call $other (i32.const 7)))"),
        ("the representation of another resource type", "(drop (call $rep (call $other (i32.const 7))))"),
    ):
        yield pair(name, "TrapError", HANDLES, wrong, right, value=1)
    for name, wrong in (("no handle", "drop (i32.const 0)"), ("a forged handle", "drop (i32.const 3)")):
        control = guest(LENT.replace("@", "(call $look (local.get $h) (local.get $h))"))
        yield Case(f"{name} as a result", "TrapError", guest(GIVES.replace("@", wrong)), control, 7)
    right = "(call $look (local.get $h) (local.get $h))"
    for name, wrong in (
        ("lending a handle that is given away", "(call $both (local.get $h) (local.get $h))"),
        ("giving a handle away that is lent", "(call $lent (local.get $h) (local.get $h))"),
        ("lending a handle that was dropped", "(call $drop (local.get $h)) (call $look (local.get $h) (local.get $h))"),
        ("giving a handle away twice", f"(drop {GIVEN}) {GIVEN}"),
    ):
        yield pair(name, "TrapError", LENT, wrong, right, value=7)
    for name, use, value in (("giving", take, 1), ("lending", look, 7)):
        attempt, control = of_two(True, use), of_two(False, use)
        where = "a resource to another instance of its component"
        yield Case(f"{name} {where}", "ConversionError", attempt, control, value)
    name = "giving a resource away twice, from outside"
    yield Case(name, "ConversionError", of_two(False, twice), of_two(False, take), 1)


# 9-12: names, failures, engines, entering ---------------------------------------------------------------------------


def named(name: str) -> Callable[[WasmRuntime], object]:
    """Returns what lowers and lifts a record with a field of that name."""

    def run(_runtime: WasmRuntime) -> object:
        u8 = Primitive("u8")
        record = RecordType(((name, u8), ("b", Primitive("string"))))
        with open_guest() as there:
            value = there.through_result(record, {name: 1, "b": "x"}, "utf8")
            assert there.through_parameters(record, {name: 1, "b": "x"}, "utf8") == value
            codec(signature(record, result=record), "utf16")
        assert isinstance(value, dict)
        if list(value) == [name, "b"] and name != "a":
            raise KeyError("nothing but a name")
        return list(value.values())

    return run


def raising(error: BaseException | None) -> Callable[[WasmRuntime], object]:
    """Returns what calls a guest whose host function raises, in a runtime of its own, and then another guest."""

    def answer(payload: str | bytes, _caller: object) -> str:
        if error is not None:
            raise error
        return str(payload)

    def run(runtime: WasmRuntime) -> object:
        invoker = FakeInvoker(f=answer)
        with open_runtime(Path(sys.argv[1]), invoker) as own:
            instance = prepare(own, FUNCS_CALLER, "relay-string", grants=["funcs"]).instantiate()
            try:
                return call(instance, "app:f", "abc")
            finally:
                assert guest(ECHO, "abc")(own) == 3

    return run


def two_engines(runtime: WasmRuntime) -> object:
    """Runs one component in two engines that share the compile cache, at once."""
    with open_runtime(Path(sys.argv[1])) as other:
        text = DESTRUCTOR.replace("@", "(param i32)")
        instances = [prepare(each, text, "f").instantiate() for each in (runtime, other)]
        return [call(each) for each in (*instances, *reversed(instances))]


LEAVES = f"""(component
  (component $c (core module $m (func (export "g"))) (core instance $i (instantiate $m))
    (func (export "g") (canon lift (core func $i "g"))))
  (instance $c (instantiate $c)) (core func $g (canon lower (func $c "g")))
  (core module $m (import "" "g" (func $g)) {MEMORY}
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) <allocator> (i32.const 64))
    (func (export "post") (param i32) <post-return>)
    (func (export "f") (param i32 i32) (result i32) <body> (local.get 1)))
  (core instance $i (instantiate $m (with "" (instance (export "g" (func $g))))))
  (func (export "f") (param "v" string) (result u32) (canon lift (core func $i "f")
    (memory (core memory $i "memory")) (realloc (core func $i "realloc")) (post-return (core func $i "post")))))"""


def leaving(where: str) -> Callable[[WasmRuntime], object]:
    """Returns what calls a guest that calls out from its allocator, its post-return, or its body."""
    text = LEAVES
    for place in ("<allocator>", "<post-return>", "<body>"):
        text = text.replace(place, "(call $g)" if place == where else "")
    return guest(text, "abc")


ENTERS = """(component
  (import "again" (func $again))
  (core func $again (canon lower (func $again)))
  (core module $m (import "" "again" (func $again)) (func (export "f") (call $again)) (func (export "g")))
  (core instance $i (instantiate $m (with "" (instance (export "again" (func $again))))))
  (func (export "f") (canon lift (core func $i "f"))) (func (export "g") (canon lift (core func $i "g"))))"""


def entering(name: str) -> Callable[[WasmRuntime], object]:
    """Returns what calls a guest whose host function enters the same instance."""

    def run(_runtime: WasmRuntime) -> object:
        inside: list[Hosted] = []

        def again() -> None:
            for each in inside:
                each.guest.call(each.function("g"), ())

        instance = Hosted(link(WasmEngine(), ENTERS, {"again": again}))
        try:
            if name == "f":
                inside.append(instance)
            return instance.call("f")
        finally:
            instance.close()

    return run


def foreign_module(_runtime: WasmRuntime) -> object:
    """Runs a component whose module was compiled by another engine."""
    linked = link(WasmEngine(), LIFTED.replace("@", RETURNS))
    linked.engine = WasmEngine()
    return Hosted(linked).call("f")


def other_cases() -> Iterator[Case]:
    """Yields hostile names, failing hosts, two engines, and calls where there may be none."""
    evil = '"]; raise SystemExit(3) #\n\\'
    yield Case("a name that is Python", "KeyError", named(evil), named("a"), [1, "x"])
    errors: tuple[BaseException, ...] = (KeyboardInterrupt(), SystemExit(3), GeneratorExit(), RecursionError())
    for error in (*errors, MemoryError(), ValueError("no")):
        name = type(error).__name__
        expected = "InternalError" if isinstance(error, Exception) else name
        yield Case(f"{name} in a host function", expected, raising(error), raising(None), {"ok": "abc"})
    yield Case("a module of another engine", "TrapError", foreign_module, two_engines, [1] * 4)
    for place in ("<allocator>", "<post-return>"):
        yield Case(f"calling out from its {place[1:-1]}", "TrapError", leaving(place), leaving("<body>"), 3)
    name = "entering an instance that runs, from a host function"
    yield Case(name, "TrapError", entering("f"), entering("nobody"), None)


CASES = [*engine_cases(), *memory_cases(), *budget_cases(), *handle_cases(), *other_cases()]


def _outcome(case: Case, runtime: WasmRuntime) -> tuple[str, object]:
    try:
        attempt = repr(case.attempt(runtime))
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are among what is tried
        attempt = type(error).__name__ + f": {error}"[:200]
    try:
        value = case.control(runtime)
    except Exception as error:  # noqa: BLE001 - the others are still to be tried
        value = error
    return attempt, value == case.value or repr(value)


def main() -> None:
    """Tries all."""
    with open_runtime(Path(sys.argv[1])) as runtime:
        for case in CASES:
            print(json.dumps([case.name, *_outcome(case, runtime)]), flush=True)
        for name, answer in LIVES.items():
            for wit_type, value in VALUES.values():
                text = ALLOCATOR.replace("TYPE", wit_type).replace("@", answer)
                assert guest(text, value)(runtime) == len(value), name


if __name__ == "__main__":
    main()
