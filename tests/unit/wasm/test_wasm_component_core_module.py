"""What is read of a core module, against what the engine says of it, and bytes that are wrong."""

from __future__ import annotations

import pytest
import wasmtime

from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.core_module import CoreMemory, CoreTable, read_core_module

HEADER = b"\0asm\x01\0\0\0"


def binary(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(module {text})"))


def test_imports_and_exports_in_order_with_their_types() -> None:
    found = read_core_module(
        binary(
            """
            (type $unused (func (param i64)))
            (import "a" "f" (func $f (param i32 f64) (result i64)))
            (import "a" "m" (memory 1 2))
            (import "b" "t" (table 3 funcref))
            (import "b" "g" (global (mut i32)))
            (import "" "f" (func (result f32)))
            (func (export "own") (param v128 externref))
            (export "again" (func $f))
            (memory (export "memory") 5)
            (table (export "table") 7 9 externref)
            (global (export "global") i64 (i64.const -1))
            """
        )
    )
    assert [tuple(each) for each in found.imports] == [
        ("a", "f", "func", (("i32", "f64"), ("i64",))),
        ("a", "m", "memory", CoreMemory(1, 2, False, False, 16)),
        ("b", "t", "table", CoreTable(3, None, False, "reference")),
        ("b", "g", "global", None),
        ("", "f", "func", ((), ("f32",))),
    ]
    assert found.exports == {
        "own": ("func", (("v128", "reference"), ())),
        "again": ("func", (("i32", "f64"), ("i64",))),
        "memory": ("memory", CoreMemory(5, None, False, False, 16)),
        "table": ("table", CoreTable(7, 9, False, "reference")),
        "global": ("global", None),
    }


def test_a_module_inside_of_other_bytes() -> None:
    module = binary('(func (export "f"))')
    assert read_core_module(b"before" + module + b"after", 6, 6 + len(module)) == read_core_module(module)


@pytest.mark.parametrize(
    ("text", "memory"),
    [
        ('(memory (export "m") i64 1 2)', CoreMemory(1, 2, True, False, 16)),
        ('(memory (export "m") 1 1 shared)', CoreMemory(1, 1, False, True, 16)),
        ('(memory (export "m") 3 (pagesize 1))', CoreMemory(3, None, False, False, 0)),
    ],
)
def test_memories_that_the_abi_cannot_use(text: str, memory: CoreMemory) -> None:
    assert read_core_module(binary(text)).exports["m"] == ("memory", memory)


@pytest.mark.parametrize(
    "text",
    [
        '(global i32 (i32.const 5)) (global (export "f") i64 (i64.const -9223372036854775808))',
        "(global f32 (f32.const 1)) (global f64 (f64.const 11)) (global v128 (v128.const i32x4 11 11 11 11))",
        '(import "a" "g" (global $g i32)) (global i32 (i32.add (global.get $g) (i32.mul (i32.const 1) (i32.const 2))))',
        "(global funcref (ref.null func)) (func $f) (global funcref (ref.func $f)) (elem declare func $f)",
        "(type $s (struct (field i32))) (global (ref $s) (struct.new $s (i32.const 11)))",
        "(type $a (array i8)) (global (ref $a) (array.new_fixed $a 2 (i32.const 1) (i32.const 2)))",
        "(type $a (array i8)) (global (ref $a) (array.new_default $a (i32.const 2)))",
        "(global (ref i31) (ref.i31 (i32.const 3)))",
        "(func $f) (table 7 (ref func) (ref.func $f))",
        "(rec (type $a (sub (func (param (ref null $b))))) (type $b (struct (field (ref null $a)) (field i8))))",
        '(type (func (param i32))) (tag (export "t") (type 0)) (func (export "f") (param i32))',
        "(func $f) (start $f) (data (memory 0) (i32.const 0) \"x\") (memory 1) (elem func $f)",
        "(func)" * 300 + '(type $last (func (result f64))) (func (export "f") (type $last) f64.const 0)',
    ],
)  # fmt: skip
def test_definitions_are_read_to_their_end(text: str) -> None:
    found = read_core_module(binary(text + '(func (export "last") (param f64) (result i64) unreachable)'))
    assert found.exports["last"] == ("func", (("f64",), ("i64",)))


def test_functions_of_types_beyond_one_byte() -> None:
    types = "".join(f"(type (func {'(param i32)' * (n % 40)} {'(param i64)' * (n // 40)}))" for n in range(200))
    text = f'{types} (func) (func (export "f") (type 150) unreachable)'
    kind, core_type = read_core_module(binary(text)).exports["f"]
    assert (kind, core_type) == ("func", (("i32",) * 30 + ("i64",) * 3, ()))


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (b"\x01\x02\x01\x10", "0x10 is no core type, at offset 0xb"),
        (b"\x02\x04\x01\x00\x00\x09", "0x09 is no kind of core import or export, at offset 0xd"),
        (b"\x03\x02\x05\x00", "it ends in the middle of a definition, at offset 0xc"),
        (b"\x03\x05\xff\xff\xff\x7f\x00", "a core module has more than 1000000 functions, at offset 0xa"),
        (b"\x03\x03\x01\x00\x00", "section 3 of a core module has 1 bytes too many, at offset 0xc"),
        (b"\x05\x03\x01\x00\x01\x05\x01\x00", "a core module has section 5 twice, at offset 0xd"),
        (b"\x05\x04\x01\x08\x01\x11", "a memory has pages of more than 64 KiB, at offset 0xb"),
        (b"\x06\x04\x01\x7f\x00\x10", "0x10 is no instruction of a constant expression, at offset 0xd"),
        (b"\x06\x04\x01\x7f\x00\x41", "it ends in the middle of a definition, at offset 0xe"),
        (b"\x07\x09\x01\x00", "section 7 of a core module reaches beyond the end, at offset 0xa"),
        (b"\x00\x02\x05a", "a name reaches beyond the end, at offset 0xb"),
        (b"\x0a\x7f", "a section of a core module reaches beyond the end, at offset 0xa"),
    ],
)
def test_what_is_wrong_is_said_with_its_offset(sections: bytes, message: str) -> None:
    with pytest.raises(PreparationError) as caught:
        read_core_module(HEADER + sections)
    assert caught.value.message.endswith(message)


def test_an_export_of_nothing_has_no_type() -> None:
    assert read_core_module(HEADER + b"\x07\x05\x01\x01f\x00\x05").exports == {"f": ("func", None)}
