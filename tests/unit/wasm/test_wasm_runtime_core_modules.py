"""Core modules with a `wit` signature."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from polycall.interop.errors import ConversionError, MissingExportError, PreparationError, TrapError
from polycall.interop.values import Value
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import BUMP_ALLOCATOR, call, open_runtime, prepare

ADD = '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'
ADD_WIT = "add: func(a: s32, b: s32) -> s32"
ECHO_BODY = """
  (func (export "echo") (param i32 i32) (result i32)
    (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))"""
ECHO_WIT = "echo: func(text: string) -> string"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


def test_a_core_export_is_called_by_its_declared_types(runtime: WasmRuntime) -> None:
    function = prepare(runtime, ADD, "add", ADD_WIT)
    assert str(function.signature) == "func(a: s32, b: s32) -> s32"
    assert call(function.instantiate(), -5, 2) == -3


def test_the_declaration_named_like_the_method_counts(runtime: WasmRuntime) -> None:
    wit = f"other: func(); {ADD_WIT}; more: func()"
    assert call(prepare(runtime, ADD, "add", wit).instantiate(), 1, 2) == 3


def test_a_core_module_without_wit_is_told_how_to_write_it(runtime: WasmRuntime) -> None:
    with pytest.raises(PreparationError) as caught:
        prepare(runtime, ADD, "add")
    assert str(caught.value) == (
        'a core module does not tell its types (write the signature of "add" into the entry, '
        'for example wit: "add: func(a: s32, b: string) -> u32")'
    )


def test_a_wit_without_the_method_is_refused(runtime: WasmRuntime) -> None:
    with pytest.raises(PreparationError, match=r'the wit does not declare "add".*did you mean "ad"'):
        prepare(runtime, ADD, "add", "ad: func()")


def test_a_missing_export_is_told_when_prepared(runtime: WasmRuntime) -> None:
    with pytest.raises(MissingExportError, match=r'no export "sub".*it exports add'):
        prepare(runtime, ADD, "sub", "sub: func()")


def test_the_only_export_is_named_once(runtime: WasmRuntime) -> None:
    with pytest.raises(MissingExportError) as caught:
        prepare(runtime, ADD, "ad", "ad: func()")
    assert str(caught.value) == 'no export "ad" (did you mean "add"?)'


@pytest.mark.parametrize(
    ("wit", "expected"),
    [
        ("add: func(a: s32) -> s32", "(func (param i32) (result i32))"),
        ("add: func(a: s64, b: f32) -> f64", "(func (param i64 f32) (result f64))"),
        ("add: func(a: s32, b: s32)", "(func (param i32 i32))"),
    ],
)
def test_a_wit_that_does_not_fit_the_core_type_is_told_when_prepared(
    runtime: WasmRuntime, wit: str, expected: str
) -> None:
    with pytest.raises(PreparationError) as caught:
        prepare(runtime, ADD, "add", wit)
    got = "(func (param i32 i32) (result i32))"
    assert str(caught.value) == f'the export "add" does not fit its wit: expected {expected}, got {got}'


def test_an_export_with_types_that_wit_does_not_know_is_told(runtime: WasmRuntime) -> None:
    guest = '(module (func (export "f") (param externref v128)))'
    with pytest.raises(PreparationError, match=r"got \(func \(param a reference v128\)\)"):
        prepare(runtime, guest, "f", "f: func(a: u32, b: u32)")


ALLOCATORS = {
    "cabi_realloc": "cabi_realloc i32 i32 i32 i32",
    "canonical_abi_realloc": "canonical_abi_realloc i32 i32 i32 i32",
    "alloc of size": "alloc i32",
    "alloc of size and alignment": "alloc i32 i32",
    "malloc": "malloc i32",
}


def allocator(described: str) -> str:
    """Returns an allocator that always gives the same place; `described` is its name and parameters."""
    name, _, parameters = described.partition(" ")
    return f'(func (export "{name}") (param {parameters}) (result i32) (i32.const 1024))'


@pytest.mark.parametrize("described", ALLOCATORS.values(), ids=ALLOCATORS.keys())
def test_strings_go_through_whichever_allocator_there_is(runtime: WasmRuntime, described: str) -> None:
    guest = f'(module (memory (export "memory") 1) {allocator(described)} {ECHO_BODY})'
    instance = prepare(runtime, guest, "echo", ECHO_WIT).instantiate()
    assert call(instance, "hallo, wörld") == "hallo, wörld"
    assert call(instance, "") == ""


def test_the_allocators_are_tried_in_their_order(runtime: WasmRuntime) -> None:
    trapping = '(func (export "malloc") (param i32) (result i32) unreachable)'
    guest = f'(module (memory (export "memory") 1) {trapping} {allocator(ALLOCATORS["cabi_realloc"])} {ECHO_BODY})'
    assert call(prepare(runtime, guest, "echo", ECHO_WIT).instantiate(), "x") == "x"


@pytest.mark.parametrize(
    ("guest", "message"),
    [
        (f'(module (memory (export "memory") 1) {ECHO_BODY})', "exports no allocator .*cabi_realloc"),
        (f"(module (memory 1) {allocator('malloc i32')} {ECHO_BODY})", 'exports none named "memory"'),
        (
            '(module (memory (export "memory") i64 1) (func (export "malloc") (param i32) (result i32) unreachable)'
            '(func (export "echo") (param i32 i32) (result i32) unreachable))',
            "64-bit addresses",
        ),
        (
            '(module (memory (export "memory") 1) (func (export "malloc") (param i64) (result i32) unreachable)'
            f"{ECHO_BODY})",
            'the export "malloc" does not fit',
        ),
    ],
)
def test_what_a_signature_needs_of_the_module_is_checked_when_prepared(
    runtime: WasmRuntime, guest: str, message: str
) -> None:
    with pytest.raises(PreparationError, match=message):
        prepare(runtime, guest, "echo", ECHO_WIT)


def test_an_allocator_without_room_is_a_trap(runtime: WasmRuntime) -> None:
    full = '(func (export "malloc") (param i32) (result i32) (i32.const 0))'
    guest = f'(module (memory (export "memory") 1) {full} {ECHO_BODY})'
    with pytest.raises(TrapError, match="no room for 3 bytes"):
        call(prepare(runtime, guest, "echo", ECHO_WIT).instantiate(), "abc")


def test_the_post_return_export_gets_the_result_after_it_was_read(runtime: WasmRuntime) -> None:
    guest = """(module (memory (export "memory") 1) (global $returned (mut i32) (i32.const 0))
      (func (export "text") (result i32)
        (i32.store (i32.const 8) (i32.const 100)) (i32.store (i32.const 12) (global.get $returned)) (i32.const 8))
      (func (export "cabi_post_text") (param i32)
        (if (i32.ne (local.get 0) (i32.const 8)) (then unreachable))
        (global.set $returned (i32.add (global.get $returned) (i32.const 1)))))"""
    instance = prepare(runtime, guest, "text", "text: func() -> list<u8>").instantiate()
    assert [call(instance), call(instance)] == [b"", b"\0"]


def test_a_post_return_export_of_another_type_is_refused(runtime: WasmRuntime) -> None:
    guest = '(module (func (export "f")) (func (export "cabi_post_f") (param i64)))'
    with pytest.raises(PreparationError, match="cabi_post_f"):
        prepare(runtime, guest, "f", "f: func()")


def test_up_to_sixteen_core_parameters_are_passed_directly(runtime: WasmRuntime) -> None:
    params = " ".join(["i32"] * 16)
    sixteen = f'(module (func (export "last") (param {params}) (result i32) (local.get 15)))'
    wit = f"last: func({', '.join(f'p{index}: u32' for index in range(16))}) -> u32"
    assert call(prepare(runtime, sixteen, "last", wit).instantiate(), *range(16)) == 15


def test_more_parameters_go_through_memory(runtime: WasmRuntime) -> None:
    guest = f"""(module (memory (export "memory") 1) {BUMP_ALLOCATOR}
      (func (export "last") (param i32) (result i32) (i32.load offset=64 (local.get 0))))"""
    wit = f"last: func({', '.join(f'p{index}: u32' for index in range(17))}) -> u32"
    assert call(prepare(runtime, guest, "last", wit).instantiate(), *range(17)) == 16


def _flat_probe(slots: list[str], wit: str) -> tuple[str, str]:
    """Returns a guest that stores its core parameters and gives them back as a list of bytes, 8 each."""
    parameters = "".join(f"(param {slot})" for slot in slots)
    stores = "".join(
        f"({slot}.store (i32.const {100 + 8 * index}) (local.get {index}))" for index, slot in enumerate(slots)
    )
    guest = f"""(module (memory (export "memory") 1) {BUMP_ALLOCATOR}
      (func (export "f") {parameters} (result i32) {stores}
        (i32.store (i32.const 8) (i32.const 100)) (i32.store (i32.const 12) (i32.const {8 * len(slots)}))
        (i32.const 8)))"""
    return guest, f"f: func(v: {wit}) -> list<u8>"


@pytest.mark.parametrize(
    ("wit", "slots", "value", "cores"),
    [
        ("s8", ["i32"], -1, [0xFFFFFFFF]),
        ("s64", ["i64"], -1, [2**64 - 1]),
        ("bool", ["i32"], True, [1]),
        ("char", ["i32"], "ü", [0xFC]),
        ("option<u32>", ["i32", "i32"], None, [0, 0]),
        ("option<u32>", ["i32", "i32"], 7, [1, 7]),
        ("tuple<u8, f64>", ["i32", "f64"], [1, 1.0], [1, 0x3FF0000000000000]),
        ("result<u32, f32>", ["i32", "i32"], {"err": 1.0}, [1, 0x3F800000]),
        ("result<f32, f32>", ["i32", "f32"], {"ok": 1.0}, [0, 0x3F800000]),
        ("result<f64, u32>", ["i32", "i64"], {"ok": 1.0}, [0, 0x3FF0000000000000]),
        ("result<f64, u32>", ["i32", "i64"], {"err": 7}, [1, 7]),
        ("result<f32, u64>", ["i32", "i64"], {"ok": 1.0}, [0, 0x3F800000]),
        ("result<tuple<u8, u8, f32>, u8>", ["i32", "i32", "i32", "f32"], {"err": 9}, [1, 9, 0, 0]),
        ("result<_, u8>", ["i32", "i32"], {"ok": True}, [0, 0]),
    ],
)
def test_values_are_flattened_as_the_canonical_abi_says(
    runtime: WasmRuntime, wit: str, slots: list[str], value: Value, cores: list[int]
) -> None:
    guest, declared = _flat_probe(slots, wit)
    answer = call(prepare(runtime, guest, "f", declared).instantiate(), value)
    assert isinstance(answer, bytes)
    assert list(struct.unpack(f"<{len(slots)}Q", answer)) == cores


@pytest.mark.parametrize(
    ("wit", "core", "value"),
    [
        ("u8", "i32.const 0x101", 1),
        ("s8", "i32.const 0xff", -1),
        ("bool", "i32.const 0x100", True),
        ("char", "i32.const 0x1f600", "😀"),
        ("s64", "i64.const -2", -2),
        ("f32", "f32.const 0.5", 0.5),
        ("tuple<u16>", "i32.const 0x1ffff", [0xFFFF]),
        ("result", "i32.const 1", {"err": True}),
    ],
)
def test_a_single_core_result_is_read_as_the_canonical_abi_says(
    runtime: WasmRuntime, wit: str, core: str, value: Value
) -> None:
    guest = f'(module (func (export "f") (result {core.partition(".")[0]}) ({core})))'
    assert call(prepare(runtime, guest, "f", f"f: func() -> {wit}").instantiate()) == value


def test_the_host_sees_memory_where_it_is_after_it_grew(runtime: WasmRuntime) -> None:
    guest = f"""(module (memory (export "memory") 1) {BUMP_ALLOCATOR}
      (func (export "far") (param i32 i32) (result i32)
        (drop (memory.grow (i32.const 100)))
        (i32.store8 (i32.const 6000000) (i32.const 33))
        (i32.store (i32.const 8) (i32.const 6000000)) (i32.store (i32.const 12) (i32.const 1)) (i32.const 8)))"""
    assert call(prepare(runtime, guest, "far", "far: func(x: string) -> string").instantiate(), "x") == "!"


def test_arguments_that_do_not_fit_leave_the_instance_good(runtime: WasmRuntime) -> None:
    instance = prepare(runtime, ADD, "add", ADD_WIT).instantiate()
    with pytest.raises(ConversionError, match=r"\$\.args\[0\]: expected s32"):
        call(instance, "x", 1)
    assert call(instance, 1, 1) == 2


def test_a_name_in_other_characters_that_look_the_same_is_told(runtime: WasmRuntime) -> None:
    composed, apart = "gr\u00f6n", "gro\u0308n"
    wit = f"{composed}: func() -> u32"

    def guest(name: str) -> str:
        return f'(module (func (export "{name}") (result i32) (i32.const 4)))'

    assert call(prepare(runtime, guest(composed), composed, wit).instantiate()) == 4
    with pytest.raises(MissingExportError, match=r'reads the same in other characters, "gro\\u0308n" in YAML'):
        prepare(runtime, guest(apart), composed, wit)
    with pytest.raises(PreparationError, match=r'reads the same in other characters, "gr\\xf6n" in YAML'):
        prepare(runtime, guest(composed), apart, wit)


def test_a_whole_wit_file_is_searched_for_the_method(runtime: WasmRuntime) -> None:
    wit = """
    package test:calc@1.0.0;

    interface types {
      type number = s32;
      record pair { left: number, right: number }
    }
    world calc {
      use types.{pair};
      import log: func(text: string);
      export add: func(a: s32, s32) -> s32;
    }"""
    assert call(prepare(runtime, ADD, "add", wit).instantiate(), 1, 2) == 3
