"""The plan of a component: what its instances do, and what is refused before any engine sees it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import wasmtime

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.binary import decode
from polycall.wasm_runtime.component.plan import (
    AsyncFunction,
    CoreExport,
    CoreHost,
    DefineResource,
    ImportedFunction,
    ImportedInterface,
    Instantiate,
    LiftedFunction,
    LoweredFunction,
    Options,
    Plan,
    RefusedFunction,
    ResourceFunction,
    ResourceSlot,
)
from polycall.wasm_runtime.component.planner import make_plan
from polycall.wasm_runtime.component.writer import COMPONENT_HEADER
from polycall.wasm_runtime.wit.wit_types import HandleType

ROOT = Path(__file__).parents[3]
GUESTS = sorted([*(ROOT / "tests/guests/bin").glob("*.wasm"), *(ROOT / "examples").rglob("*.wasm")])

LIBC = """
(core module $libc (memory (export "memory") 1)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "wrong") (param i32) (result i32) unreachable)
  (func (export "run") (param i32 i32) (result i32) unreachable)
  (func (export "post") (param i32))
  (func (export "nothing")))
(core instance $libc (instantiate $libc))
"""


def plan(text: str) -> Plan:
    binary = bytes(wasmtime.wat2wasm(f"(component {text})"))
    return make_plan(decode(binary), binary)


def refusal(text: str) -> str:
    with pytest.raises(PreparationError) as caught:
        plan(text)
    return caught.value.message.removeprefix("is not a component that polycall can run: ")


def lifted(text: str, name: str = "run") -> LiftedFunction:
    found = plan(text).exports.functions[name]
    assert isinstance(found, LiftedFunction)
    return found


# Functions ----------------------------------------------------------------------------------------------------------


def test_a_lifted_function_says_how_its_values_cross() -> None:
    found = lifted(
        LIBC
        + """(func (export "run") (param "text" string) (result string) (canon lift (core func $libc "run")
        (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))
        (post-return (core func $libc "post")) string-encoding=utf16))"""
    )
    assert found.core == CoreExport(0, "run")
    assert str(found.signature) == "func(text: string) -> string"
    assert found.instance == 0
    assert found.options == Options("utf16", CoreExport(0, "memory"), CoreExport(0, "realloc"), CoreExport(0, "post"))


def test_a_lowered_function_goes_to_the_modules_that_import_it() -> None:
    found = plan(
        """
        (import "a:b/c@1.0.0" (instance $host (export "f" (func (param "x" u8) (result u64)))))
        (core func $f (canon lower (func $host "f")))
        (core module $m (import "x" "g" (func)) (import "h" "f" (func (param i32) (result i64))))
        (core module $n (func (export "g")))
        (core instance $n (instantiate $n))
        (core instance $m (instantiate $m (with "x" (instance $n)) (with "h" (instance (export "f" (func $f))))))
        """
    )
    imported = found.imports[0].functions["f"]
    assert (imported.interface, imported.name, str(imported.signature)) == ("a:b/c@1.0.0", "f", "func(x: u8) -> u64")
    assert found.host_functions == (LoweredFunction(imported, Options(), 0, (("i32",), ("i64",))),)
    assert found.steps == (Instantiate(0, (), 0), Instantiate(1, (CoreExport(0, "g"), CoreHost(0)), 0))


@pytest.mark.parametrize(
    ("function", "core_type"),
    [
        ('(param "a" string)', ("i32 i32", "")),
        ('(result string)', ("i32", "")),
        ('(result u8)', ("", "i32")),
        ('(param "a" (tuple s64 f32 f64 char bool)) (result f32)', ("i64 f32 f64 i32 i32", "f32")),
        ('(param "a" (option u64))', ("i32 i64", "")),
        ('(param "a" (result f32 (error u32)))', ("i32 i32", "")),
        ('(param "a" (result f32 (error u64)))', ("i32 i64", "")),
        ('(param "a" (result (error f32)))', ("i32 f32", "")),
        (f'(param "a" (tuple {"string " * 8}))', ("i32 " * 16, "")),
        (f'(param "a" (tuple {"string " * 8} u8))', ("i32", "")),
        (f'(param "a" (tuple {"string " * 8})) (result string)', ("i32 " * 17, "")),
        ('(param "a" (list (tuple u64 u64)))', ("i32 i32", "")),
        ('(param "a" $flags) (result $enum)', ("i32", "i32")),
    ],
)  # fmt: skip
def test_the_core_type_of_a_lowered_function_is_that_of_the_abi(function: str, core_type: tuple[str, str]) -> None:
    found = plan(
        f"""{LIBC} (type $f' (flags "a" "b")) (import "flags" (type $flags (eq $f')))
        (type $e' (enum "a" "b")) (import "enum" (type $enum (eq $e')))
        (import "f" (func $f {function}))
        (core func (canon lower (func $f) (memory (core memory $libc "memory"))
          (realloc (core func $libc "realloc"))))"""
    )
    (lowered,) = found.host_functions
    assert isinstance(lowered, LoweredFunction)
    assert lowered.core_type == (tuple(core_type[0].split()), tuple(core_type[1].split()))


def test_core_things_are_found_through_inline_instances_and_reexports() -> None:
    found = lifted(
        """
        (core module $m (func (export "f") (result i32) i32.const 1))
        (core instance $m (instantiate $m))
        (core instance $inline (export "renamed" (func $m "f")))
        (core module $again (import "x" "renamed" (func $f (result i32))) (export "again" (func $f)))
        (core instance $again (instantiate $again (with "x" (instance $inline))))
        (core instance $last (export "last" (func $again "again")))
        (func (export "run") (result u32) (canon lift (core func $last "last")))
        """
    )
    assert found.core == CoreExport(1, "again")


# What must fit before it is called without a check -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '(func (export "run") (canon lift (core func $libc "wrong")))',
            "what is lifted must be a core function from nothing to nothing, and is a core function from i32 to i32",
        ),
        (
            '(core instance $i (export "f" (func $libc "wrong"))) (func (canon lift (core func $i "f")))',
            "what is lifted must be a core function from nothing to nothing, and is a core function from i32 to i32",
        ),
        (
            """(func (param "a" string) (result u8) (canon lift (core func $libc "run")
            (memory (core memory $libc "memory")) (realloc (core func $libc "wrong"))))""",
            "realloc must be a core function from i32, i32, i32, i32 to i32, and is a core function from i32 to i32",
        ),
        (
            """(func (param "a" u8) (param "b" u8) (result u8) (canon lift (core func $libc "run")
            (post-return (core func $libc "wrong"))))""",
            "post-return must be a core function from i32 to nothing, and is a core function from i32 to i32",
        ),
        (
            '(type (resource (rep i32) (dtor (core func $libc "nothing"))))',
            "the destructor of a resource must be a core function from i32 to nothing, "
            "and is a core function from nothing to nothing",
        ),
        (
            """(core module $m (import "x" "nothing" (func (param i64))))
            (core instance (instantiate $m (with "x" (instance $libc))))""",
            'a core module is given the function "nothing" with another type',
        ),
        (
            """(core module $m (import "x" "memory" (func)))
            (core instance (instantiate $m (with "x" (instance $libc))))""",
            'a core module is instantiated without the func "memory" of "x"',
        ),
        (
            """(core module $m (import "x" "gone" (func)))
            (core instance (instantiate $m (with "x" (instance $libc))))""",
            'a core module is instantiated without the func "gone" of "x"',
        ),
        (
            '(core module $m (import "x" "f" (func))) (core instance (instantiate $m))',
            'a core module is instantiated without the func "f" of "x"',
        ),
        (
            """(core module $m (memory (export "m") i64 1)) (core instance $m (instantiate $m))
            (import "f" (func $f (param "a" string)))
            (core func (canon lower (func $f) (memory (core memory $m "m"))))""",
            "memories with 64-bit addresses are not supported in canonical definitions",
        ),
        (
            """(core module $m (memory (export "m") 1 1 shared)) (core instance $m (instantiate $m))
            (import "f" (func $f (param "a" string)))
            (core func (canon lower (func $f) (memory (core memory $m "m"))))""",
            "a canonical definition names a memory that is shared, or has pages of its own size",
        ),
        ('(import "m" (core module))', 'it imports "m", a whole module or component: link it in when building'),
        ('(import "c" (component))', 'it imports "c", a whole module or component: link it in when building'),
        (
            '(import "i" (instance (export "m" (core module))))',
            'it imports "i", a whole module or component: link it in when building',
        ),
    ],
)
def test_what_does_not_fit_is_refused(text: str, message: str) -> None:
    assert refusal(LIBC + text) == message


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (b"\x08\x06\x01\x00\x00\x07\x00\x00", "there is no type 0"),
        (b"\x08\x05\x01\x01\x00\x03\x00", "there is no function 3"),
        (b"\x02\x04\x01\x00\x05\x00", "there is no core module 5"),
        (b"\x05\x04\x01\x00\x05\x00", "there is no component 5"),
        (b"\x06\x05\x01\x01\x02\x07\x00", "an alias reaches 7 levels out, and there are 0"),
        (b"\x06\x06\x01\x01\x00\x09\x01a", "there is no instance 9"),
        (b"\x07\x03\x01\x70\x09", "there is no type 9"),
        (b"\x07\x07\x02\x40\x00\x01\x00\x70\x00", "type 0 is something else than what is asked for"),
        (b"\x07\x02\x01\x7f\x07\x03\x01\x69\x00", "type 0 is something else than what is asked for"),
        (b"\x0a\x06\x01\x00\x01f\x01\x05", "there is no type 5"),
        (b"\x0b\x07\x01\x00\x01f\x01\x05\x00", "there is no function 5"),
        (b"\x07\x05\x01\x42\x01\x01\x7f\x0a\x06\x01\x00\x01f\x01\x00", "type 0 is something else"),
        (b"\x08\x03\x01\x02\x00", "there is no type 0"),
    ],
)  # fmt: skip
def test_indices_that_lead_nowhere(sections: bytes, message: str) -> None:
    data = COMPONENT_HEADER + sections
    with pytest.raises(PreparationError, match=message):
        make_plan(decode(data), data)


# Components in components -------------------------------------------------------------------------------------------

SHELF = """
(component $shelf
  (type $r' (resource (rep i32)))
  (export $r "r" (type $r'))
  (core func $new (canon resource.new $r))
  (core module $m (import "x" "new" (func $new (param i32) (result i32)))
    (func (export "make") (result i32) (call $new (i32.const 1))))
  (core instance $m (instantiate $m (with "x" (instance (export "new" (func $new))))))
  (func $make (result (own $r)) (canon lift (core func $m "make")))
  (export "make" (func $make)))
"""


def test_resource_types_are_others_in_each_instance() -> None:
    found = plan(
        SHELF
        + """(instance $a (instantiate $shelf)) (instance $b (instantiate $shelf))
        (export "a" (instance $a)) (export "b" (instance $b))"""
    )
    assert found.slots == (ResourceSlot("r", None, 1), ResourceSlot("r", None, 2))
    assert found.parents == (None, 0, 0)
    assert [each.slot for each in found.steps if isinstance(each, DefineResource)] == [0, 1]
    assert [each.slot for each in found.host_functions if isinstance(each, ResourceFunction)] == [0, 1]
    for name, slot in (("a", 0), ("b", 1)):
        exported = found.exports.instances[name]
        make = exported.functions["make"]
        assert isinstance(make, LiftedFunction)
        assert exported.resources == {"r": slot}
        assert make.signature.result == HandleType("own", slot, "r")
        assert make.instance == slot + 1
    assert len(found.modules) == 1


def test_a_component_that_gets_resources_from_another_shares_its_slot() -> None:
    found = plan(
        SHELF
        + """
        (component $user
          (import "shelf" (instance $shelf (export "r" (type $r (sub resource)))
            (export "make" (func (result (own $r))))))
          (alias export $shelf "r" (type $r))
          (core func $drop (canon resource.drop $r))
          (core func $make (canon lower (func $shelf "make")))
          (export $r2 "mine" (type $r)))
        (instance $shelf (instantiate $shelf))
        (instance $user (instantiate $user (with "shelf" (instance $shelf))))
        (export "user" (instance $user))"""
    )
    _, drop, make = found.host_functions
    assert drop == ResourceFunction("resource.drop", 0, 2)
    assert isinstance(make, LoweredFunction)
    assert isinstance(make.function, LiftedFunction)
    assert (make.instance, make.function.instance) == (2, 1)
    assert found.exports.instances["user"].resources == {"mine": 0}
    assert found.slots[0].name == "r"  # the first export's, by its own component


def test_imported_resources_have_slots_and_types_said_to_be_equal_share_them() -> None:
    found = plan(
        """
        (import "a:b/streams@0.2.0" (instance $streams
          (export "stream" (type $stream (sub resource)))
          (export "[method]stream.read" (func (param "self" (borrow $stream)) (result u8)))))
        (alias export $streams "stream" (type $stream))
        (import "a:b/files@0.2.0" (instance
          (alias outer 1 $stream (type $outer))
          (export "stream" (type $s (eq $outer)))
          (export "file" (type $file (sub resource)))
          (type $pair (record (field "one" (own $s)) (field "two" (own $file))))
          (export "pair" (type $p (eq $pair)))
          (export "open" (func (result $p)))))
        """
    )
    assert found.slots == (
        ResourceSlot("stream", "a:b/streams@0.2.0"),
        ResourceSlot("file", "a:b/files@0.2.0"),
    )
    streams, files = found.imports
    assert streams.resources == {"stream": 0}
    assert files.resources == {"stream": 0, "file": 1}
    opened = files.functions["open"].signature
    assert str(opened) == "func() -> record {one: own<stream>, two: own<file>}"
    read = streams.functions["[method]stream.read"].signature
    assert read is not None
    assert read.params == (("self", HandleType("borrow", 0, "stream")),)


def test_what_is_imported_on_its_own() -> None:
    found = plan(
        """(import "f" (func (param "a" u8))) (import "r" (type $r (sub resource))) (type $l (list u8))
        (import "l" (type (eq $l))) (import "g" (func (param "a" (own $r)))) (import "i" (instance))"""
    )
    function, resource, other, instance = found.imports
    assert function.functions[""].interface == "f"
    assert function.functions[""].name == ""
    assert resource == ImportedInterface("r", {}, {"": 0})
    assert str(other.functions[""].signature) == "func(a: own<r>)"
    assert instance == ImportedInterface("i", {}, {})


def test_instances_inside_of_an_imported_one_are_told_by_their_path() -> None:
    found = plan('(import "host" (instance (export "inner" (instance (export "f" (func))))))')
    assert found.imports[0].functions["inner/f"] == ImportedFunction(
        "host", "inner/f", found.imports[0].functions["inner/f"].signature
    )


def test_an_export_shows_what_its_declared_type_has() -> None:
    text = """
    (component $c (core module $m (func (export "f"))) (core instance $m (instantiate $m))
      (func $f (canon lift (core func $m "f"))) (export "f" (func $f)) (export "g" (func $f)))
    (instance $i (instantiate $c))
    """
    assert set(plan(f'{text} (export "i" (instance $i))').exports.instances["i"].functions) == {"f", "g"}
    shown = plan(f'{text} (export "i" (instance $i) (instance (export "f" (func))))')
    assert set(shown.exports.instances["i"].functions) == {"f"}


def test_components_and_modules_arrive_as_arguments_and_through_outer_aliases() -> None:
    found = plan(
        """
        (core module $m (func (export "f") (result i32) i32.const 7))
        (component $inner
          (import "m" (core module $given (export "f" (func (result i32)))))
          (alias outer 1 $m (core module $outer))
          (core instance $i (instantiate $given)) (core instance $j (instantiate $outer))
          (func $f (result u32) (canon lift (core func $j "f"))) (export "f" (func $f)))
        (component $box (import "c" (component $c (import "m" (core module (export "f" (func (result i32)))))
          (export "f" (func (result u32))))) (core module $n (func (export "f") (result i32) i32.const 8))
          (instance $i (instantiate $c (with "m" (core module $n)))) (export "f" (func $i "f")))
        (instance $box (instantiate $box (with "c" (component $inner))))
        (export "f" (func $box "f"))
        """
    )
    function = found.exports.functions["f"]
    assert isinstance(function, LiftedFunction)
    assert (function.core, function.instance) == (CoreExport(1, "f"), 2)
    assert found.parents == (None, 0, 1)
    assert [step.module for step in found.steps if isinstance(step, Instantiate)] == [0, 1]


# What is only defined, and what is refused when it is asked for ------------------------------------------------------


def test_asynchronous_builtins_are_functions_with_their_core_types() -> None:
    data = (
        COMPONENT_HEADER + b"\x07\x03\x01\x70\x7d" + b"\x08\x11\x04\x05\x0a\x7f\x01\x09\x00\x00\x00\x0f\x00\x01\x06"[:0]
    )
    builtins = b"\x04\x05" + b"\x0a\x7f\x01" + b"\x09\x00\x00\x00" + b"\x0b\x7e\x00"
    data += b"\x08" + bytes([len(builtins)]) + builtins
    assert make_plan(decode(data), data).host_functions == (
        AsyncFunction("task.cancel", (), 0, ((), ())),
        AsyncFunction("context.get", (4, 1), 0, ((), ("i32",))),
        AsyncFunction("task.return", (), 0, (("i32", "i32"), ())),
        AsyncFunction("context.set", (8, 0), 0, (("i64",), ())),
    )


@pytest.mark.parametrize(
    ("imported", "why"),
    [
        ('(func async (param "a" u8))', "is an async function"),
        ('(func (param "a" (stream u8)))', "has a stream in its type"),
        ("(func (result (option (future u8))))", "has a future in its type"),
        ('(func (param "a" (list error-context)))', "has an error-context in its type"),
    ],
)
def test_a_function_with_an_asynchronous_type_is_refused_when_it_is_asked_for(imported: str, why: str) -> None:
    function = plan(f'(import "f" {imported})').imports[0].functions[""]
    assert function.signature is None
    assert function.refusal is not None
    assert function.refusal.startswith(why)
    assert "build the component for WASI 0.2" in function.refusal


def test_an_asynchronous_export_is_refused_alone() -> None:
    found = plan(
        """
        (core module $m (func (export "f")) (func (export "g") (param i32)))
        (core instance $m (instantiate $m))
        (func $f (canon lift (core func $m "f"))) (export "f" (func $f))
        (func $g (param "a" (stream u8)) (canon lift (core func $m "g"))) (export "g" (func $g))
        (func $h async (canon lift (core func $m "f") async)) (export "h" (func $h))
        """
    )
    assert isinstance(found.exports.functions["f"], LiftedFunction)
    for name in ("g", "h"):
        function = found.exports.functions[name]
        assert isinstance(function, RefusedFunction)
        assert "WASI 0.3" in function.refusal


def test_types_that_are_too_large_are_refused_when_they_are_asked_for() -> None:
    wide = "(type $t0 (tuple u8 u8))" + "".join(f"(type $t{n} (tuple $t{n - 1} $t{n - 1}))" for n in range(1, 60))
    function = plan(f'{wide} (import "f" (func (param "a" $t59))) (import "g" (func (param "a" $t5)))').imports
    assert function[0].functions[""].refusal == "has types of more than 10000 parts"
    assert function[1].functions[""].refusal is None
    deep = "(type $t0 (list u8))" + "".join(f"(type $t{n} (list $t{n - 1}))" for n in range(1, 90))
    function = plan(f'{deep} (import "f" (func (param "a" $t89))) (import "g" (func (param "a" $t50)))').imports
    assert function[0].functions[""].refusal == "has a type of more than 64 levels"
    assert function[1].functions[""].refusal is None


# Bounds -------------------------------------------------------------------------------------------------------------


def levels(count: int, each: str) -> str:
    nested = "(component $c0 (core module $m) (core instance (instantiate $m)))"
    for level in range(1, count + 1):
        nested += f"(component $c{level} {each.replace('BELOW', f'$c{level - 1}')})"
    return f"{nested} (instance (instantiate $c{count}))"


TWICE = "(instance (instantiate BELOW)) (instance (instantiate BELOW))"
# The component below arrives as an argument, so that nothing says by name what is instantiated.
BY_ARGUMENT = (
    '(component $twice (import "c" (component $c)) (instance (instantiate $c)) (instance (instantiate $c)))'
    '(alias outer 1 BELOW (component $below)) (instance (instantiate $twice (with "c" (component $below))))'
)
# It is an export of an instance.
BY_EXPORT = (
    '(component $box (export "c" (component BELOW))) (instance $box (instantiate $box))'
    '(alias export $box "c" (component $c)) (instance (instantiate $c)) (instance (instantiate $c))'
)


@pytest.mark.parametrize("each", [TWICE, BY_ARGUMENT, BY_EXPORT], ids=["twice", "by argument", "by export"])
def test_components_that_double_level_by_level_are_refused(each: str) -> None:
    assert len(plan(levels(4, each)).parents) > 30
    assert refusal(levels(24, each)) == "makes more than 1000 instances of what is in it"


def test_a_chain_of_components_is_bounded() -> None:
    once = "(instance (instantiate BELOW))"
    assert len(plan(levels(60, once)).parents) == 62
    assert "more than 64 levels deep" in refusal(levels(70, once))


def _doubling(count: int, last: str) -> str:
    inner = "".join(
        f'(instance $i{n} (export "a" (instance $i{n - 1})) (export "b" (instance $i{n - 1})))'
        for n in range(1, count + 1)
    )
    return f"(instance $i0) {inner} {last}"


def test_instances_that_double_level_by_level_are_refused_when_they_are_exported() -> None:
    assert plan(_doubling(40, "")).exports.instances == {}
    assert plan(_doubling(5, '(export "x" (instance $i5))')).exports.instances["x"].instances["a"].instances
    assert "more than 1000 instances" in refusal(_doubling(40, '(export "x" (instance $i40))'))


def test_types_of_instances_that_double_level_by_level_are_refused_when_they_are_imported() -> None:
    types = "(type $t0 (instance))" + "".join(
        f'(type $t{n} (instance (alias outer 1 $t{n - 1} (type $b)) (export "a" (instance (type $b)))'
        f' (export "b" (instance (type $b)))))'
        for n in range(1, 41)
    )
    assert plan(f'{types} (import "x" (instance (type $t5)))').imports
    assert "more than 1000 instances" in refusal(f'{types} (import "x" (instance (type $t40)))')


def test_definitions_that_are_gone_through_again_and_again_are_counted() -> None:
    fields = " ".join(f'(field "a{n}" u8)' for n in range(900))
    text = f"(component $c (type (record {fields}))) " + "(instance (instantiate $c))" * 900
    assert refusal(text) == "takes more than 200000 steps to make its instances"


def test_core_modules_are_counted() -> None:
    assert len(plan("(core module)" * 1_000).modules) == 1_000
    assert refusal("(core module)" * 1_001) == "has more than 1000 core modules in it"


# Real ones ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guest", GUESTS, ids=lambda path: path.name)
def test_real_guests_have_plans_that_can_be_kept(guest: Path) -> None:
    binary = guest.read_bytes()
    if not binary.startswith(COMPONENT_HEADER):
        return
    found = make_plan(decode(binary), binary)
    assert found.exports.functions or found.exports.instances
    assert pickle.loads(pickle.dumps(found)) == found
